"""The tables of packages/README.md: every atom that was asked for, by set.

    ./run build.info --sizes --json | .venv/bin/python -m tests.tools.table

writes them anew, with the sizes of that build. tests/unit/test_tools.py holds them to the sets, ebuilds and tools.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from alchemy import log, portage
from tests import ebuilds, repository, tools

README = repository.ROOT / "packages/README.md"
SETS = ("core", "util", "network", "storage", "benchmark", "breakin", "eula")

_BEGIN, _END = "<!-- tables -->\n", "<!-- /tables -->\n"
_HEAD = "| atom | version | in the ramdisk | licence | how it is tested |\n| --- | --- | ---: | --- | --- |\n"
_MISSING_HEAD = "\n| asked for, and not there | in its place | why |\n| --- | --- | --- |\n"
_NOTHING = "-"


def tables(sizes: Mapping[str, str]) -> str:
    """The text of all tables; `sizes` says how much of the ramdisk an atom is."""
    return "\n".join(f"## {name}\n\n{''.join(_table(name, sizes))}" for name in SETS)


def written(text: str) -> str:
    """The tables that a README has."""
    return text.split(_BEGIN)[1].split(_END)[0].strip("\n") + "\n"


def sizes(text: str) -> dict[str, str]:
    """The sizes that tables have, by atom."""
    return dict(re.findall(r"^\| (\S+/\S+) \| [^|]+ \| (\S+(?: \wB)?) \|", text, re.MULTILINE))


def _table(name: str, sizes: Mapping[str, str]) -> Iterator[str]:
    yield _HEAD
    there = {tool.atom: tool for tool in tools.read(name)}
    for atom in portage.read_set(repository.ROOT / f"packages/packages.{name}"):
        ebuild = _ebuild(atom)
        _, version = portage.split_version(ebuild.stem)
        licence = ebuilds.variables()[ebuild]["LICENSE"].replace("|", "\\|")
        how = there[atom].tested or "run in the booted image"
        yield f"| {atom} | {version} | {sizes.get(atom, _NOTHING)} | {licence} | {how} |\n"
    missing = [tool for tool in tools.read(name) if tool.missing]
    if missing:
        yield _MISSING_HEAD
        for tool in missing:
            yield f"| {tool.atom} | {', '.join(tool.instead)} | {tool.missing} |\n"


def _ebuild(atom: str) -> Path:
    """The ebuild of an atom of a set: of several, that of its slot."""
    name, _, slot = atom.partition(":")
    found = [
        path
        for path, values in ebuilds.variables().items()
        if f"{path.parents[1].name}/{path.parent.name}" == name and slot in ("", values["SLOT"].split("/")[0])
    ]
    if len(found) != 1:
        raise ValueError(f"{atom}: {len(found)} ebuilds")
    return found[0]


def main() -> None:
    described = json.load(sys.stdin)
    measured = {entry["name"]: log.size(entry["bytes"]) for entry in described["packages"]}
    measured["sys-kernel/linux-firmware"] = next(
        log.size(entry["bytes"]) for entry in described["parts"] if entry["name"] == "firmware"
    )
    before, _, rest = README.read_text(encoding="utf-8").partition(_BEGIN)
    README.write_text(f"{before}{_BEGIN}\n{tables(measured)}\n{_END}{rest.partition(_END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
