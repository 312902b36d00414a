"""What the output is made of, by size: the kernel, and the parts of the ramdisk with what each package adds to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from alchemy import image, log, plan, ramfs, rootfs, stage
from alchemy.context import Context
from alchemy.errors import UserError

# the ramdisk's parts beside the packages
_INIT = "the preliminary init"
_FIRMWARE = "firmware"
_IDENTITY = "etc/, version, admin user"


def describe(context: Context) -> dict[str, Any]:
    """Bytes of the kernel, the ramdisk, and of all that is in it, the largest first. `change` is the difference against
    the last other image that was built with this cache; None where it tells nothing of that.

    Raises UserError when this version is not built.
    """
    built = plan.create(context)["image"]
    if not built.fresh:
        raise UserError(
            f"version {context.version} is not built as it is configured now",
            hint="invoke build.all builds it; build.info --version names another one",
        )
    now = _sizes(context, built.output)
    last = built.last()
    before = _sizes(context, last) if last else {}
    return {
        "version": context.version,
        **{
            kind: [
                {"name": name, "bytes": size, "change": size - before[kind].get(name, 0) if before.get(kind) else None}
                for name, size in sorted(sizes.items(), key=lambda item: -item[1])
            ]
            for kind, sizes in now.items()
        },
        "gone": sorted(before["packages"].keys() - now["packages"].keys()) if before else [],
    }


def text(described: dict[str, Any]) -> str:
    """What describe says, for a person."""
    lines = [f"Alchemy Linux {described['version']}: sizes, and their change against the last build"]
    for kind, title in (
        ("outputs", "output"),
        ("parts", "the ramdisk's parts"),
        ("packages", "what each package adds to the ramdisk"),
    ):
        lines += ["", f"{title}:"]
        lines += [
            f"  {log.size(entry['bytes']):>9}  {_change(entry['change']):>10}  {entry['name']}"
            for entry in described[kind]
        ]
    lines += [f"  {'gone':>9}  {'':10}  {name}" for name in described["gone"]]
    return "\n".join(lines)


def _change(change: int | None) -> str:
    if not change:
        return ""
    return f"{'+' if change > 0 else '-'}{log.size(abs(change))}"


def _sizes(context: Context, output: Path) -> dict[str, dict[str, int]]:
    """The sizes of an image stage's output, of the ramdisk's parts, and of the packages; none of a part that is no more
    in the cache."""
    outputs = json.loads((output / image.MANIFEST).read_text(encoding="utf-8"))["outputs"]
    sizes = {
        "outputs": {name: entry["size"] for name, entry in outputs.items() if name != image.BOOT_SCRIPT},
        "parts": {},
        "packages": {},
    }
    disk = _needed(context, "ramfs", output)
    if not disk.is_dir():
        return sizes
    packed, identity = (_needed(context, name, disk) for name in ("packages", "identity"))
    if not (packed / rootfs.WEIGHTS).exists() or not identity.exists():
        return sizes
    size = (packed / rootfs.PACKAGES).stat().st_size
    sizes["parts"] = {
        "packages": size,
        _FIRMWARE: json.loads((disk / ramfs.FIRMWARE).read_text(encoding="utf-8"))["size"],
        _IDENTITY: (identity / rootfs.IDENTITY).stat().st_size,
    }
    sizes["parts"][_INIT] = (disk / ramfs.RAMFS).stat().st_size - sum(sizes["parts"].values())
    weights = json.loads((packed / rootfs.WEIGHTS).read_text(encoding="utf-8"))
    total = sum(weights.values())
    sizes["packages"] = {name: round(size * weight / total) for name, weight in weights.items() if weight}
    return sizes


def _needed(context: Context, name: str, output: Path) -> Path:
    """The output of the stage `name` that another stage's output was made of."""
    return context.cache / "stages" / f"{name}-{stage.inputs(output)[name]}"
