"""Adds packages to an existing root tree, where that gives the same bytes as installing all of them.

It does when everything else is the same, nothing goes or is replaced, and what is added runs no code of its own at
install: then only files are added, in any order.
"""

from __future__ import annotations

import re
from pathlib import Path

from alchemy.context import Context
from alchemy.errors import BuildError
from alchemy.host import files
from alchemy.host.chroot import Chroot
from alchemy.host.rooted import Rooted
from alchemy.portage import binpkgs, settings

# what emerge --pretend says of a package that it would install into the root of _resolve
_PLANNED = re.compile(r"^\[(?P<kind>\w+) [^]]*\] (?P<package>\S+) to /tmp/empty/", re.MULTILINE)

# the phases of an installation (PMS 9.2) that may change what other packages have installed
_CODE = frozenset({"setup", "preinst", "postinst"})


def add(
    context: Context, inside: Chroot, earlier: dict[Path, Path], image: Path, atoms: list[str], arguments: list[str]
) -> bool:
    """Fills the empty folder `image` from the parts of an earlier tree, which `earlier` maps to their place below it,
    with what `atoms` need beyond it; returns whether it did, and leaves `image` empty when it did not.

    `inside` is a chroot with `image` mounted, and `arguments` are those with which emerge installs there.
    """
    log = context.logfile("system")
    wanted = _resolve(context, inside, atoms, log)
    database = next(part for part, place in earlier.items() if place == Path("var/db/pkg"))
    if not wanted or not _installed(database) < wanted:
        return False
    added = wanted - _installed(database)
    if {_atom(package) for package in added} & {_atom(f"{package}-0") for package in binpkgs.installed(inside.root)}:
        # where the stage3's version will do, the root tree gets that
        return False
    for part, place in earlier.items():
        target = Rooted(image).make_folder(place)
        context.runner.run(["cp", "--archive", "--reflink=auto", f"{part}/.", target], log=log)
    packages = [f"={name.rpartition('-')[0]}" for name in sorted(added)]
    with context.log.step(f"system: adding {', '.join(name.removeprefix('=') for name in packages)} to the image"):
        command = ["emerge", "--oneshot", "--nodeps", *arguments, *packages]
        context.runner.run(inside.argv(command), log=log, what="adding to the image")
    if _installed(image, "var/db/pkg/") == wanted and not any(_runs_code(image, name) for name in added):
        return True
    for path in image.iterdir():
        files.remove(path)
    return False


def _resolve(context: Context, inside: Chroot, atoms: list[str], log: Path) -> frozenset[str]:
    """The binary packages that an empty root would get, as `category/name-version-build`; none when one is missing."""
    command = "mkdir /tmp/empty && exec emerge --oneshot --pretend --usepkg --binpkg-respect-use=y --root=/tmp/empty"
    words = [*command.split(), "--sysroot=/", "--config-root=/", *atoms]
    try:
        planned = context.runner.capture(inside.argv(["sh", "-c", " ".join(words)]), log=log)
    except BuildError:
        # the full installation explains what cannot be resolved
        return frozenset()
    found = [(match["kind"], match["package"]) for match in _PLANNED.finditer(planned)]
    return (
        frozenset(name.partition("::")[0] for _, name in found) if {k for k, _ in found} == {"binary"} else frozenset()
    )


def _atom(package: str) -> str:
    """`category/name` of `category/name-version-build`."""
    category, _, version = package.rpartition("-")[0].partition("/")
    return f"{category}/{settings.split_version(version)[0]}"


def _installed(root: Path, database: str = "") -> frozenset[str]:
    """The packages of a database (/var/db/pkg) in a root, as `category/name-version-build`."""
    tree = Rooted(root)
    return frozenset(
        f"{'/'.join(file.split('/')[-3:-1])}-{tree.read_text(file).strip()}"
        for file in tree.glob(f"{database}*/*/BUILD_ID")
    )


def _runs_code(image: Path, package: str) -> bool:
    tree, file = Rooted(image), f"var/db/pkg/{package.rpartition('-')[0]}/DEFINED_PHASES"
    return not tree.is_file(file) or bool(_CODE & set(tree.read_text(file).split()))
