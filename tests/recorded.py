"""Recorded machines: a folder with `root/` (sys, proc, etc ...) and `tools/`, one file a recorded call.

Those of tests/machines have `files.txt` in place of `root/`: a line `PATH = TEXT` for each line of a file, the lines of
one file after each other, and `PATH -> TARGET` for a symbolic link.

The name of a recorded call is its argv, joined by blanks, each argument percent-encoded as in URLs ("/" is %2F, a
blank %20), so that a name leads back to its argv. NAME.status beside it holds an exit status other than 0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from alchemy_node.machine import Machine
from alchemy_node.processes import Output
from tests import repository

MACHINES = repository.ROOT / "tests" / "machines"

_LINE = re.compile(r"(?P<path>(?:/(?!\.\.?(?:/| |$))[^/ ]+)+) (?P<kind>=|->)(?: (?P<text>.*))?")


def name(argv: Sequence[str]) -> str:
    """The name of the file that holds what `argv` printed."""
    return " ".join(quote(argument, safe="=,:+@") for argument in argv)


def argv(name: str) -> list[str]:
    """The call that a recording is of."""
    return [unquote(argument) for argument in name.split(" ")]


@dataclass(frozen=True)
class Recorded:
    """The programs of a recorded machine: what has no recording is not installed."""

    tools: Path

    def __call__(self, argv: Sequence[str], seconds: float, limit: int) -> Output:
        recording = self.tools / name(argv)
        if not recording.is_file():
            return Output(problem="not installed")
        sidecar = self.tools / (recording.name + ".status")
        status = int(sidecar.read_text(encoding="ascii")) if sidecar.is_file() else 0
        text = recording.read_bytes().decode(errors="replace")
        return Output(status, text, "", f"exit status {status}" if status else None)


def machine(folder: Path) -> Machine:
    """The machine that was recorded in a folder."""
    return Machine(folder / "root", Recorded(folder / "tools"))


def named(name: str, place: Path) -> Machine:
    """The machine of that name in tests/machines, its files laid out below `place`."""
    unpack(MACHINES / name / "files.txt", place / "root")
    return Machine(place / "root", Recorded(MACHINES / name / "tools"))


def unpack(listing: Path, root: Path) -> None:
    """Lays out the files that a listing has. Raises ValueError for a malformed line."""
    files: dict[str, list[str]] = {}
    links: dict[str, str] = {}
    for number, line in enumerate(listing.read_text(encoding="utf-8").splitlines(), 1):
        parts = _LINE.fullmatch(line)
        if parts is None:
            raise ValueError(f"{listing}: line {number}: {line!r} (expected PATH = TEXT or PATH -> TARGET)")
        if parts["kind"] == "->":
            links[parts["path"]] = parts["text"]
        else:
            files.setdefault(parts["path"], []).append(parts["text"] or "")
    for folder in {path.rpartition("/")[0] for path in (*files, *links)}:
        (root / folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
    for path, lines in files.items():
        (root / path.lstrip("/")).write_text("\n".join([*lines, ""]), encoding="utf-8")
    for path, target in links.items():
        (root / path.lstrip("/")).symlink_to(target)
