"""The packages without which no image can be set up: asked for before anything is fetched or compiled."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from alchemy.context import Context
from alchemy.errors import BuildError, UserError
from alchemy.host.chroot import Chroot

# chroot/setup.sh names each program that it cannot do without, and its package: `require` is a function, which checks
# the image when it is set up
_SCRIPT = "chroot/setup.sh"
_REQUIRE = re.compile(r"^[ \t]*require (?P<program>\S+) (?P<package>[\w+.-]+/[\w+.-]+)$", re.MULTILINE)

# a package and its version, as atoms (PMS 8.3.1) and emerge have them
_PACKAGE = r"(?P<package>[\w+.-]+/[\w+.-]+?)"
_ATOM = re.compile(rf"[<>=~]*{_PACKAGE}(?:-\d[\w.*-]*)?(?:[:\[].*)?", re.ASCII)
_PLANNED = re.compile(rf"^\[\w+ [^]]*\] {_PACKAGE}-\d\S* to /tmp/empty/", re.MULTILINE)


def programs(script: str) -> dict[str, str]:
    """Returns the packages that a script requires, each with its program."""
    return {found["package"]: found["program"] for found in _REQUIRE.finditer(script)}


def check(context: Context, inside: Chroot, sets: Mapping[str, Sequence[str]], log: Path) -> None:
    """Raises UserError that lists the packages which an image needs and the sets do not bring.

    Portage is asked for what the sets depend on where they do not name all of them. Where it cannot tell, nothing is
    raised: preflight.check says why it cannot.
    """
    needed = programs((context.root / _SCRIPT).read_text(encoding="utf-8"))
    named = {found["package"] for atoms in sets.values() for atom in atoms if (found := _ATOM.fullmatch(atom))}
    lacking = needed.keys() - named
    brought = _brought(context, inside, log) if lacking else set()
    if brought is None:
        return
    lacking -= brought
    if lacking:
        lines = [f"{package}: missing (expected in a set: {_SCRIPT} runs its {needed[package]})" for package in lacking]
        raise UserError(
            "\n".join(["the package sets lack what every image needs", *(f"  {line}" for line in sorted(lines))]),
            hint="; ".join(f"echo {package} >>{next(iter(sets))}" for package in sorted(lacking)),
        )


def _brought(context: Context, inside: Chroot, log: Path) -> set[str] | None:
    """Returns the packages that an empty root would get; None where Portage cannot tell."""
    command = "mkdir /tmp/empty && exec emerge --oneshot --pretend --usepkg --root=/tmp/empty"
    words = [*command.split(), "--sysroot=/", "--config-root=/", "sys-apps/baselayout", "@alchemy"]
    asking = dataclasses.replace(inside, env={**inside.env, "ACCEPT_LICENSE": "*"})
    what = "asking Portage what the package sets depend on"
    try:
        printed = context.runner.capture(asking.argv(["sh", "-c", " ".join(words)]), log=log, what=what)
    except BuildError:
        return None
    return {found["package"] for found in _PLANNED.finditer(re.sub(r"\x1b\[[0-9;]*m", "", printed))}
