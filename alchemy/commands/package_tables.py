"""The tables of packages/README.md: every atom of each set, and the requested ones that are not included."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from alchemy.portage import settings
from alchemy.ui import events

_SETS = ("core", "util", "network", "storage", "fabric", "benchmark", "breakin", "byhand", "eula")
_HEAD = "| atom | version | in the ramfs | licence | how it is tested |\n| --- | --- | ---: | --- | --- |\n"
# what only its user may fetch is in no image of ours: where its file is says more than a size
_BY_HAND = ("byhand", "eula")
_BY_HAND_HEAD = "| atom | version | where its file is | licence | how it is tested |\n| --- | --- | --- | --- | --- |\n"
_MISSING_HEAD = "\n| requested, but not included | instead | why |\n| --- | --- | --- |\n"
_NOT_MEASURED = "-"
_FIRMWARE = "sys-kernel/linux-firmware"


def markdown(root: Path, sizes: Mapping[str, str]) -> str:
    """Formats the tables of the repository at `root`. `sizes` says how much each atom adds to the ramfs."""
    return "\n" + "\n".join(f"## {name}\n\n{''.join(_table(root, name, sizes))}" for name in _SETS)


def sizes(text: str) -> dict[str, str]:
    """Returns the sizes that tables hold, by atom."""
    return dict(re.findall(r"^\| (\S+/\S+) \| [^|]+ \| (\d\S* [KM]B) \|", text, re.MULTILINE))


def measured(described: Mapping[str, Any]) -> dict[str, str]:
    """Returns the sizes of a build, by atom, from what sizes.describe returns."""
    firmware = [{**part, "name": _FIRMWARE} for part in described["parts"] if part["name"] == "firmware"]
    return {entry["name"]: events.size(entry["bytes"]) for entry in [*described["packages"], *firmware]}


def _table(root: Path, name: str, sizes: Mapping[str, str]) -> Iterator[str]:
    yield _BY_HAND_HEAD if name in _BY_HAND else _HEAD
    # what the tests run, or where else a tool is tested, or why it is missing
    tools = yaml.safe_load((root / f"tests/tools/{name}.yml").read_text(encoding="utf-8"))
    tested = {tool["atom"]: tool.get("tested", "run in the booted image") for tool in tools}
    for atom in settings.read_set(root / f"packages/packages.{name}"):
        ebuild = _ebuild(root, atom)
        _, version = settings.split_version(ebuild.stem)
        licence = _variable(ebuild, "LICENSE").replace("|", "\\|")
        third = _variable(ebuild, "HOMEPAGE") if name in _BY_HAND else sizes.get(atom, _NOT_MEASURED)
        yield f"| {atom} | {version} | {third} | {licence} | {tested.get(atom, '-')} |\n"
    missing = [tool for tool in tools if "missing" in tool]
    if missing:
        yield _MISSING_HEAD
        for tool in missing:
            yield f"| {tool['atom']} | {', '.join(tool['instead'])} | {tool['missing']} |\n"


def _ebuild(root: Path, atom: str) -> Path:
    """Returns the ebuild of an atom, NAME or NAME:SLOT. Raises ValueError unless exactly one matches."""
    name, _, slot = atom.partition(":")
    found = [
        ebuild
        for ebuild in root.glob(f"overlays/*/{name}/*.ebuild")
        if slot in ("", _variable(ebuild, "SLOT").split("/")[0])
    ]
    if len(found) != 1:
        raise ValueError(f"{atom}: expected one ebuild, got {len(found)}")
    return found[0]


def _variable(ebuild: Path, name: str) -> str:
    """Returns a variable that an ebuild assigns as a plain string."""
    match = re.search(rf'^{name}="([^"$]*)"$', ebuild.read_text(encoding="utf-8"), re.MULTILINE)
    if match is None:
        raise ValueError(f"{ebuild}: no plain {name}")
    return " ".join(match[1].split())
