"""Asset tags: placeholders that makers leave in DMI are not taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from alchemy_node.intake import asset_tag
from alchemy_node.intake.asset_tag import Tag
from alchemy_node.machine import Machine

PLACEHOLDERS = [
    "To Be Filled By O.E.M.",
    "Not Specified",
    "NOT SPECIFIED",
    "Default string",
    "No Asset Tag",
    "No Asset Information",
    "Asset Tag",
    "AssetTagNum0",
    "Chassis Asset Tag",
    "DIMM_A1_AssetTag",
    "N/A",
    "Unknown",
    "None",
    "0",
    "0000000000",
    "00000000-0000-0000",
    "FFFFFFFF",
    "XXXXXXX",
    "0123456789",
    "1234567890",
    "12345678",
    "---",
]


@pytest.mark.parametrize("tag", PLACEHOLDERS)
def test_a_placeholder_is_named(tag: str) -> None:
    assert asset_tag.refuse(tag) == f"{tag!r} is a placeholder of the maker"


@pytest.mark.parametrize("tag", ["rack 7", "a.b", "a/../b", "é1", "ab" * 33, "1\x1b[2J", "$(id)"])
def test_what_collins_would_not_take(tag: str) -> None:
    assert asset_tag.refuse(tag).endswith("(expected letters, digits, `-` and `_`, at most 64)")


@pytest.mark.parametrize("tag", ["1", "1111", "60779390", "001234", "R1-u07_b", "F00D", "x1", "NA12", "123456789A"])
def test_a_tag(tag: str) -> None:
    assert asset_tag.refuse(tag) == ""


CHASSIS, BOARD = "chassis_asset_tag", "board_asset_tag"


@pytest.mark.parametrize(
    ("asked", "dmi", "expected"),
    [
        ("T1", {CHASSIS: "C7"}, Tag("T1", "asset_tag=")),
        ("", {CHASSIS: "C7 \n", BOARD: "B7\n"}, Tag("C7", "DMI's tag of the chassis")),
        ("", {CHASSIS: "Not Specified\n", BOARD: "B7\n"}, Tag("B7", "DMI's tag of the board")),
        (
            "Default string",
            {CHASSIS: "C7"},
            Tag("", "", ("asset_tag=Default string: 'Default string' is a placeholder of the maker",)),
        ),
        (
            "",
            {CHASSIS: "   "},
            Tag("", "", ("DMI's tag of the chassis: it is empty", "DMI's tag of the board: it is empty")),
        ),
    ],
)
def test_where_the_tag_comes_from(tmp_path: Path, asked: str, dmi: dict[str, str], expected: Tag) -> None:
    folder = tmp_path / "sys/class/dmi/id"
    folder.mkdir(parents=True)
    for name, text in dmi.items():
        (folder / name).write_text(text, encoding="utf-8")
    assert asset_tag.find(Machine(tmp_path), asked) == expected
