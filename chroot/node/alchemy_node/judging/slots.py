"""Where a DIMM slot is on the board, as far as the maker's names tell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from alchemy_node.parts import Part

# Supermicro's P1-DIMMA1, ASUS' CPU1_DIMM_A1, Quanta's CPU0_A0: socket, channel, place
_SOCKET_CHANNEL = re.compile(
    r"(?P<socket>(?:CPU|PROC|P)\s*\d+)[-_ ]*(?:DIMM)?[-_ ]*(?P<channel>[A-Z])(?P<place>\d)", re.IGNORECASE
)
# HPE's PROC 1 DIMM 12: socket, slot
_SOCKET_SLOT = re.compile(r"(?P<socket>PROC\s*\d+)\s+DIMM\s+(?P<place>\d+)[A-Z]?", re.IGNORECASE)
# Dell's A1 ... B12: socket, slot; without a socket others' A1 is channel, place
_LETTER = re.compile(r"(?:DIMM[_ ]?)?(?P<letter>[A-Z])(?P<place>\d{1,2})", re.IGNORECASE)
# AMI's P0_Node0_Channel1_Dimm0, Huawei's SOCKET 0 CHANNEL 1 DIMM 0, AMD's P0 CHANNEL B
_BANK = re.compile(
    r"(?P<socket>.+?|)(?P<channel>(?:_Node\d+)?[_ ]?CHANNEL[_ ]?(?:[A-Z]|\d+))(?:[_ -]DIMM[_ ]?(?P<place>\d))?",
    re.IGNORECASE,
)
_LAST_DIGIT = re.compile(r"(\d)\s*$")
_MOST_PLACES = 3  # DIMMs that a channel takes


@dataclass(frozen=True)
class Slot:
    """A slot: socket and channel as the maker writes them, `channel` is empty where it does not; place within both."""

    socket: str
    channel: str
    place: int


def locate(dimms: Sequence[Part]) -> list[Slot | None]:
    """Says for each DIMM slot where it is; None for all when one of them has a name of a form that is not known."""
    for read in (_by_bank, _by_socket, _by_letter):
        found = [read(dimm, dimms) for dimm in dimms]
        if all(found) and len(set(found)) == len(found):
            return found
    return [None] * len(dimms)


def _by_bank(dimm: Part, _: Sequence[Part]) -> Slot | None:
    for name in (dimm.get("bank", ""), dimm.get("locator", "")):
        if parts := _BANK.fullmatch(name.strip()):
            digit = _LAST_DIGIT.search(dimm.get("locator", ""))
            place = parts["place"] or (digit[1] if digit else "0")
            return Slot(parts["socket"].strip("_ "), parts["channel"].strip("_ "), int(place))
    return None


def _by_socket(dimm: Part, _: Sequence[Part]) -> Slot | None:
    name = dimm.get("locator", "").strip()
    if parts := _SOCKET_CHANNEL.fullmatch(name):
        return Slot(parts["socket"], parts["channel"], int(parts["place"]))
    if parts := _SOCKET_SLOT.fullmatch(name):
        return Slot(parts["socket"], "", int(parts["place"]))
    return None


def _by_letter(dimm: Part, dimms: Sequence[Part]) -> Slot | None:
    names = [_LETTER.fullmatch(other.get("locator", "").strip()) for other in dimms]
    parts = _LETTER.fullmatch(dimm.get("locator", "").strip())
    if parts is None or not all(names):
        return None
    if max(int(name["place"]) for name in names if name) > _MOST_PLACES:
        return Slot(parts["letter"], "", int(parts["place"]))
    return Slot("", parts["letter"], int(parts["place"]))
