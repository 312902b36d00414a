"""The programs with which the kernel, the squashfs and the ramdisk are made: a stage3, and what it lacks of them."""

from __future__ import annotations

from pathlib import Path

from alchemy import archive, buildroot, portage, repositories, stage3
from alchemy.context import Context
from alchemy.stage import Stage

NAME = "tools"

# the package set of what a stage3 lacks
_SET = "build"


def stage(context: Context, base: Stage, trees: tuple[Stage, ...]) -> Stage:
    """The stage that yields the stage3 unpacked, with packages.build in it where it was fetched: one that is made here
    has all of that."""
    store = context.work / NAME
    fetched = not context.config.stage3_url.startswith("debian:")
    inputs = (f"packages/packages.{_SET}", "etc/portage") if fetched else ()

    def build(output: Path) -> None:
        for other in store.iterdir():
            if other != output:
                archive.remove(other)
        if fetched:
            _build(context, base, trees, output / "root")
        else:
            with context.log.step("unpacking the stage3"):
                stage3.unpack(context, base, output / "root", context.logfile(NAME))

    return Stage(
        name=NAME,
        store=store,
        inputs={name: archive.digest(context.root / name) for name in inputs},
        build=build,
        needs=(base, *trees) if fetched else (base,),
        progress=portage.PROGRESS,
    )


def _build(context: Context, base: Stage, trees: tuple[Stage, ...], root: Path) -> None:
    sets = buildroot.read_sets(context, [_SET])
    inside = buildroot.prepare(context, base, root, repositories.collect(context, trees), sets, NAME, apart=True)
    buildroot.build(context, inside, sets, NAME)
