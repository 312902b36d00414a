"""The stage that packs modules: those of the kernel, and the index of all."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.errors import BuildError
from alchemy.stages import modules_squashfs
from tests.unit.fakes import FakeRunner, configure, planned, put, snapshot
from tests.unit.vmlinux import module

RELEASE = "6.12.1-alchemy-1.2"
NIC = "pci:v00001AF4d00001000sv*sd*bc*sc*i*"


@dataclass
class Seen:
    """What depmod was given, what was packed, and the output of the stage."""

    indexed: dict[str, str] = field(default_factory=dict)
    packed: dict[str, str] = field(default_factory=dict)
    output: Path = Path()


def build(context: Context, runner: FakeRunner, brought: dict[str, bytes], *, merged: bool = True) -> Seen:
    """Makes the layer for a kernel with one module, and a system into which packages have brought more."""

    def kernel(folder: Path) -> None:
        (folder / "release").write_text(f"{RELEASE}\n", encoding="ascii")
        (folder / "modules.alias").write_text(f"# kernel {RELEASE}\n", encoding="ascii")
        (folder / "modules/kernel").mkdir(parents=True)
        (folder / "modules/kernel/uio.ko").write_bytes(module(b"license=GPL\0"))
        (folder / "modules/modules.order").write_text("kernel/uio.ko\n", encoding="ascii")

    def system(folder: Path) -> None:
        (folder / "root/usr/lib").mkdir(parents=True)
        if merged:
            (folder / "root/lib").symlink_to("usr/lib")
        for name, content in brought.items():
            (folder / "root/lib/modules" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "root/lib/modules" / name).write_bytes(content)

    stages = planned(configure(kernel_modules=True)(context))
    filled = {"kernel": kernel, "system": system}
    for name in ("stage3", "tools", "linux", *filled):
        put(stages[name], filled.get(name, lambda _: None))
    seen, work = Seen(output=stages[modules_squashfs.NAME].output), context.work / "modules"

    def run(argv: list[str]) -> None:
        if "depmod" in argv:
            assert argv[-2:] == ["/mnt/modules", RELEASE]
            seen.indexed = {name: text for name, text in snapshot(work / "all").items() if name.endswith(".ko")}
        if "mksquashfs" in argv:
            seen.packed = snapshot(work / "layer")

    runner.on_run = run
    stages[modules_squashfs.NAME].make()
    return seen


@pytest.mark.parametrize(("merged", "place"), [(True, "usr/lib"), (False, "lib")])
def test_the_layer_lies_where_the_system_has_its_libraries(
    context: Context, runner: FakeRunner, merged: bool, place: str
) -> None:
    seen = build(context, runner, {}, merged=merged)
    assert sorted(name for name, text in seen.packed.items() if text) == [
        f"{place}/modules/{RELEASE}/kernel/uio.ko", f"{place}/modules/{RELEASE}/modules.order"
    ]  # fmt: skip
    assert "lib" not in seen.packed or not merged


def test_modules_of_packages_are_indexed_and_stay_in_the_system(context: Context, runner: FakeRunner) -> None:
    gold = module(f"alias={NIC}\0firmware=gold/a.bin\0".encode())
    seen = build(context, runner, {f"{RELEASE}/extra/gold.ko": gold})
    at = f"usr/lib/modules/{RELEASE}"
    assert {f"{at}/extra/gold.ko", f"{at}/kernel/uio.ko"} <= seen.indexed.keys()
    assert f"{at}/kernel/uio.ko" in seen.packed
    assert f"{at}/extra/gold.ko" not in seen.packed
    assert (seen.output / "modules.alias").read_text(encoding="ascii").splitlines() == [
        f"# kernel {RELEASE}", "# firmware gold gold/a.bin", f"alias {NIC} gold"
    ]  # fmt: skip
    assert b"gold.firmware=gold/a.bin\0" in (seen.output / "modules.builtin.modinfo").read_bytes()


def test_modules_of_another_kernel_are_refused(context: Context, runner: FakeRunner) -> None:
    with pytest.raises(BuildError, match=rf"expected {RELEASE}, got 6\.1\.0"):
        build(context, runner, {"6.1.0/extra/gold.ko": module(b"")})


def test_there_is_no_such_stage_by_default(context: Context) -> None:
    stages = planned(context).stages
    assert modules_squashfs.NAME not in stages
    assert "kernel" not in stages["system"].needs
