"""Adding packages to an image tree that is there, where that gives the bytes that installing all of them anew would.

It does when everything else is the same, nothing goes or is replaced, and what is added runs no code of its own at
install: then it is files beside other files, whatever the order.
"""

from __future__ import annotations

import re
from pathlib import Path

from alchemy import archive
from alchemy.chroot import Chroot
from alchemy.context import Context
from alchemy.errors import BuildError

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
    for part, place in earlier.items():
        (image / place).mkdir(parents=True, exist_ok=True)
        context.runner.run(["cp", "--archive", "--reflink=auto", f"{part}/.", image / place], log=log)
    packages = [f"={name.rpartition('-')[0]}" for name in sorted(added)]
    with context.log.step(f"system: adding {', '.join(name.removeprefix('=') for name in packages)} to the image"):
        command = ["emerge", "--oneshot", "--nodeps", *arguments, *packages]
        context.runner.run(inside.argv(command), log=log, what="adding to the image")
    if _installed(image / "var/db/pkg") == wanted and not any(_runs_code(image, name) for name in added):
        return True
    for path in image.iterdir():
        archive.remove(path)
    return False


def _resolve(context: Context, inside: Chroot, atoms: list[str], log: Path) -> frozenset[str]:
    """The binary packages that an empty root would get, as `category/name-version-build`; none when one is missing."""
    command = "mkdir /tmp/empty && exec emerge --oneshot --pretend --usepkg --binpkg-respect-use=y --root=/tmp/empty"
    words = [*command.split(), "--sysroot=/", "--config-root=/", *atoms]
    try:
        planned = context.runner.capture(inside.argv(["sh", "-c", " ".join(words)]), log=log)
    except BuildError:
        # what cannot be resolved is explained by who installs all of it
        return frozenset()
    found = [(match["kind"], match["package"]) for match in _PLANNED.finditer(planned)]
    return (
        frozenset(name.partition("::")[0] for _, name in found) if {k for k, _ in found} == {"binary"} else frozenset()
    )


def _installed(database: Path) -> frozenset[str]:
    """The packages of a database (/var/db/pkg), as `category/name-version-build`."""
    return frozenset(
        f"{file.parent.parent.name}/{file.parent.name}-{file.read_text(encoding='ascii').strip()}"
        for file in database.glob("*/*/BUILD_ID")
    )


def _runs_code(image: Path, package: str) -> bool:
    file = image / "var/db/pkg" / package.rpartition("-")[0] / "DEFINED_PHASES"
    return not file.exists() or bool(_CODE & set(file.read_text(encoding="ascii").split()))
