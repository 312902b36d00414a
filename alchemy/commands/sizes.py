"""The command build.info --sizes: the sizes of the kernel, of the parts of the ramfs, and of each package and each
driver's firmware in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.parts.formats import pxe
from alchemy.stage import Record
from alchemy.stages import bundle, outputs, plan
from alchemy.ui import events

# the parts of the ramfs besides the packages
_INIT = "the preliminary init"
_FIRMWARE = "firmware"
_MICROCODE = "CPU microcode"
_MODULES = "kernel modules"
_IDENTITY = "etc/, version, admin user"


def describe(context: Context) -> dict[str, Any]:
    """Returns the bytes of the kernel, the ramfs and everything in it, the largest first.

    `change` is the difference to the previous image in this cache, or None when that does not record it. Raises
    UserError when this version is not built.
    """
    built = plan.create(context, plan.recall(context))[bundle.NAME]
    if not built.fresh:
        raise UserError(
            f"version {context.version}: no build of it matches the configuration",
            hint=f"./run build.all --version={context.version}",
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
    """Formats `describe` as text."""
    lines = [f"Alchemy Linux {described['version']}: sizes, and their change since the last build"]
    for kind, title in (
        ("outputs", "output"),
        ("parts", "parts of the ramfs"),
        ("firmware", "firmware in the ramfs"),
        ("packages", "what each package adds to the ramfs"),
    ):
        lines += ["", f"{title}:"]
        lines += [
            f"  {events.size(entry['bytes']):>9}  {_change(entry['change']):>10}  {entry['name']}"
            for entry in described[kind]
        ]
    lines += [f"  {'gone':>9}  {'':10}  {name}" for name in described["gone"]]
    return "\n".join(lines)


def _change(change: int | None) -> str:
    if not change:
        return ""
    return f"{'+' if change > 0 else '-'}{events.size(abs(change))}"


def _sizes(context: Context, output: Path) -> dict[str, dict[str, int]]:
    """Returns the sizes of the outputs of an image, and of the parts, the packages and the firmware in its ramfs, which
    are empty when the cache no longer holds them."""
    files = json.loads((output / outputs.MANIFEST).read_text(encoding="utf-8"))["outputs"]
    sizes = {
        "outputs": {name: entry["size"] for name, entry in files.items() if name not in pxe.SCRIPTS},
        "parts": {},
        "firmware": {},
        "packages": {},
    }
    ramfs = _needed(context, "ramfs", output)
    if not ramfs.is_dir():
        return sizes
    packed, identity = (_needed(context, name, ramfs) for name in ("system-squashfs", "identity-squashfs"))
    modules = _needed(context, "modules-squashfs", ramfs) if "modules-squashfs" in Record.read(ramfs).needs else None
    if not (packed / outputs.WEIGHTS).exists() or not identity.exists() or not (modules is None or modules.exists()):
        return sizes
    size = (packed / outputs.SYSTEM_SQUASHFS).stat().st_size
    firmware = json.loads((ramfs / outputs.FIRMWARE_LIST).read_text(encoding="utf-8"))
    sizes["parts"] = {
        "packages": size,
        _FIRMWARE: firmware["size"],
        _MICROCODE: firmware.get("microcode", 0),
        **({_MODULES: (modules / outputs.MODULES_SQUASHFS).stat().st_size} if modules else {}),
        _IDENTITY: (identity / outputs.IDENTITY_SQUASHFS).stat().st_size,
    }
    sizes["parts"][_INIT] = (ramfs / outputs.RAMFS).stat().st_size - sum(sizes["parts"].values())
    for name, taken in firmware.get("sizes", {}).items():
        pattern = str(Path(name).with_name("*")) if "/" in name else name
        sizes["firmware"][pattern] = sizes["firmware"].get(pattern, 0) + taken
    weights = json.loads((packed / outputs.WEIGHTS).read_text(encoding="utf-8"))
    total = sum(weights.values())
    sizes["packages"] = {name: round(size * weight / total) for name, weight in weights.items() if weight}
    return sizes


def _needed(context: Context, name: str, output: Path) -> Path:
    """Returns the output of the stage `name` that another output was built from."""
    return context.cache / "stages" / f"{name}-{Record.read(output).needs[name]}"
