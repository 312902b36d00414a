"""The system: every package of the sets built in the chroot, then installed into the image from the binary packages."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from alchemy import archive, buildroot, closure, increment, portage, repositories, stage3
from alchemy.chroot import Chroot
from alchemy.context import Context
from alchemy.repositories import Repositories
from alchemy.stage import Stage

NAME = "system"

ROOT = "root"
FIRMWARE = "firmware"
PACKAGES = "packages.json"

# Portage's database of the image: what a later build adds to begins with it
DATABASE = "database"

_SET_PREFIX = "packages."

_INTO_IMAGE = ["--root=/image", "--sysroot=/", "--config-root=/", "--usepkgonly", "--binpkg-respect-use=y"]

# What a package brings along for building and reading, and a node in RAM has no use for.
_INSTALL_MASK = (
    "/usr/include", "/usr/src", "*.a", "*.la",
    "/usr/lib*/pkgconfig", "/usr/share/pkgconfig", "/usr/lib*/cmake", "/usr/share/cmake", "/usr/share/aclocal",
    "/usr/share/man", "/usr/share/doc", "/usr/share/info", "/usr/share/gtk-doc", "/usr/share/locale",
    "/usr/share/bash-completion", "/usr/share/zsh", "/usr/share/fish", "/usr/lib/systemd",
)  # fmt: skip

# what decides, with this module, of what the image is made
_CODE = (buildroot, portage, repositories, closure, increment)

# What Portage itself leaves in the image, and what ldconfig remembers of inodes. The manifest says what is installed.
_TRACES = ("var/lib/portage", "var/cache/edb", "var/log/portage", "var/log/emerge.log", "var/tmp/portage",
           "etc/portage", "etc/.updated", "tmp/portage", "var/cache/ldconfig")  # fmt: skip


def stage(context: Context, base: Stage, trees: tuple[Stage, ...], tools: Stage) -> Stage:
    """The stage that yields the image tree, and the list of what is in it.

    `trees` yield repositories of ebuilds. What `tools` yields saves time when it is there, and changes nothing.
    """
    sets = [context.root / "packages" / f"{_SET_PREFIX}{name}" for name in context.config.packages]
    tree = Stage(
        name=NAME,
        store=context.cache / "stages",
        inputs={
            **{path.name: archive.digest(path) for path in sets},
            **{f"overlays/{name}": archive.digest(path) for name, path in repositories.local(context).items()},
            "etc/portage": archive.digest(context.root / "etc" / "portage"),
            "accept_licenses": " ".join(context.config.accept_licenses),
            "binhosts": " ".join(context.config.binhosts),
            "script": archive.digest(*(Path(module.__file__ or "") for module in _CODE), Path(__file__)),
        },
        needs=(base, *trees),
        build=lambda output: _build(context, base, trees, tools, tree, output),
        progress=portage.PROGRESS,
    )
    return tree


def folder(context: Context) -> Path:
    """Where the build chroot is."""
    return context.work / "chroot"


def _build(context: Context, base: Stage, trees: tuple[Stage, ...], tools: Stage, tree: Stage, output: Path) -> None:
    sets = buildroot.read_sets(context, context.config.packages)
    available = repositories.collect(context, trees)
    image = output / ROOT
    image.mkdir()
    if not _add(context, tools, tree, available, sets, image):
        inside = buildroot.prepare(context, base, folder(context), available, sets, NAME)
        buildroot.build(context, inside, sets, NAME)
        _pack_stage3(context, inside)
        _install(context, _into(image, inside))
    packages = portage.with_sources(portage.installed(image), available.paths)
    archive.write_json(output / PACKAGES, [package.as_json() for package in packages])
    with context.log.step("system: checking what the image needs"):
        closure.check(image)
    for trace in _TRACES:
        archive.remove(image / trace)
    (image / "var/db/pkg").rename(output / DATABASE)
    _set_firmware_aside(image, output)


def _add(
    context: Context, tools: Stage, tree: Stage, available: Repositories, sets: Mapping[str, Sequence[str]], image: Path
) -> bool:
    """Whether an earlier tree, with some packages more, has made the image."""
    earlier = tree.earlier(_SET_PREFIX)
    if earlier is None or not tools.fresh:
        return False
    parts = {earlier / ROOT: Path(), earlier / DATABASE: Path("var/db/pkg"), earlier / FIRMWARE: Path("lib/firmware")}
    root = context.work / "increment"
    inside = _into(image, buildroot.borrow(context, stage3.tools(tools).root, root, available, sets, NAME))
    added = increment.add(context, inside, parts, image, ["sys-apps/baselayout", "@alchemy"], _INTO_IMAGE)
    archive.remove(root)
    return added


def _into(image: Path, inside: Chroot) -> Chroot:
    """The chroot that installs into the image."""
    return dataclasses.replace(
        inside, binds={**inside.binds, "/image": image}, env={**inside.env, "INSTALL_MASK": " ".join(_INSTALL_MASK)}
    )


def _pack_stage3(context: Context, inside: Chroot) -> None:
    """Makes binary packages of what the stage3 brought along, as the image is installed from those."""
    lacking = portage.without_binary(inside.root, inside.binds[portage.BINPKGS])
    if lacking:
        with context.log.step(f"system: packing {len(lacking)} packages of the stage3"):
            command = ["quickpkg", "--include-config=y", "--umask=0022", *(f"={package}" for package in lacking)]
            context.runner.run(inside.argv(command), log=context.logfile(NAME), what="quickpkg")


def _install(context: Context, installing: Chroot) -> None:
    with context.log.step("system: installing into the image"):
        for atom in ("sys-apps/baselayout", "@alchemy"):
            buildroot.emerge(context, installing, [*_INTO_IMAGE, atom], context.logfile(NAME))


def _set_firmware_aside(image: Path, output: Path) -> None:
    """The firmware is the ramdisk's, which takes what the kernel asks for; a squashfs of all of it would be huge."""
    (output / FIRMWARE).mkdir()
    for folder in (image / "usr/lib/firmware", image / "lib/firmware"):
        if folder.is_dir():
            folder.rename(output / FIRMWARE)
