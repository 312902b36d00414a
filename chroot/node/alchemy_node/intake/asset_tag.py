"""The asset tag of a machine: asset_tag= of the kernel's command line, else DMI's, where it is one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from alchemy_node.machine import Machine

# Collins takes no other (Asset.scala:51), and none of these needs escaping anywhere else.
_TAG = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)

# What makers leave in DMI, in lower case, letters and digits only.
_PLACEHOLDERS = frozenset(
    {
        "assettag",
        "assettagnotspecified",
        "chassisassettag",
        "default",
        "defaultstring",
        "empty",
        "invalid",
        "na",
        "no",
        "noassetinformation",
        "noassettag",
        "none",
        "notapplicable",
        "notassigned",
        "notavailable",
        "notprovided",
        "notset",
        "notsettag",
        "notspecified",
        "null",
        "oem",
        "oemassettag",
        "other",
        "systemassettag",
        "tbd",
        "tobefilledbyoem",
        "undefined",
        "unknown",
        "unspecified",
    }
)
# Nothing but zeros, F or X; counted up; numbered placeholders (AssetTagNum1, Chassis Asset Tag 0).
_PLACEHOLDER = re.compile(r"0*|f{4,}|x{3,}|0?123456789?0?|(?:chassis|dimm[a-z0-9]*)?assettag(?:num)?[0-9]*")

# Where DMI has a tag: that of the chassis is the one on the sticker.
_SOURCES = ("chassis", "board")


@dataclass(frozen=True)
class Tag:
    """A tag and where it comes from; or, with an empty `value`, the reasons for which there is none."""

    value: str
    source: str = ""
    reasons: tuple[str, ...] = ()


def find(machine: Machine, asked: str = "") -> Tag:
    """Returns the tag that was asked for, else the first of DMI's that is one."""
    if asked:
        reason = refuse(asked)
        return Tag("", "", (f"asset_tag={asked}: {reason}",)) if reason else Tag(asked, "asset_tag=")
    reasons = []
    for name in _SOURCES:
        found = _dmi(machine, name)
        reason = refuse(found)
        if not reason:
            return Tag(found, f"DMI's tag of the {name}")
        reasons.append(f"DMI's tag of the {name}: {reason}")
    return Tag("", "", tuple(reasons))


def of_chassis(machine: Machine) -> str:
    """Returns DMI's tag of the chassis; empty where DMI has a placeholder."""
    found = _dmi(machine, "chassis")
    return "" if refuse(found) else found


def refuse(tag: str) -> str:
    """Returns why the text is not an asset tag; empty when it is one."""
    if not tag.strip():
        return "it is empty"
    bare = re.sub(r"[^a-z0-9]", "", tag.lower())
    if bare in _PLACEHOLDERS or _PLACEHOLDER.fullmatch(bare):
        return f"{tag!r} is a placeholder of the maker"
    if not _TAG.fullmatch(tag):
        return f"{tag!r} is not an asset tag (expected letters, digits, `-` and `_`, at most 64)"
    return ""


def _dmi(machine: Machine, part: str) -> str:
    return (machine.read(f"/sys/class/dmi/id/{part}_asset_tag", 4096) or "").strip()
