"""Rules on DIMMs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from alchemy_node import parts
from alchemy_node.judging.finding import Finding, Verdict, usual
from alchemy_node.judging.slots import Slot, locate
from alchemy_node.parts import Part

# MemTotal lacks what the kernel takes for itself: 1.6 % for the table of pages, and what small machines notice
_LACK = 0.02
_KERNEL = 256 << 20

Slots = dict[Slot, Part]


def populated(alchemy: Part) -> list[Part]:
    """The slots that hold a DIMM."""
    return [dimm for dimm in alchemy["dimms"] if dimm.get("size", 0) > 0]


def alike(alchemy: Part) -> list[Finding]:
    """All DIMMs are of one size, type and speed; other makers are worth a look."""
    rule = "dimms-alike"
    dimms = populated(alchemy)
    if not dimms:
        return [Finding(rule, Verdict.UNKNOWN, "", "the firmware lists no DIMM")]
    # modules of persistent memory stand beside DIMMs, and differ from them
    groups: dict[str, list[Part]] = defaultdict(list)
    for dimm in dimms:
        groups[dimm.get("type", "")].append(dimm)
    return [finding for group in groups.values() for finding in _odd(rule, group)]


def rated_speed(alchemy: Part) -> list[Finding]:
    """Every DIMM runs at its rated speed."""
    rule = "dimm-speed"
    dimms = populated(alchemy)
    known = [dimm for dimm in dimms if "rated_mts" in dimm and "running_mts" in dimm]
    found = []
    if len(known) < len(dimms):
        text = f"the firmware does not say how fast {len(dimms) - len(known)} of {len(dimms)} DIMMs are and run"
        found.append(Finding(rule, Verdict.UNKNOWN, "", text))
    # 1333 and 1334 are the same speed, rounded
    slow = [dimm for dimm in known if dimm["running_mts"] < dimm["rated_mts"] * 0.99]
    if slow and len(slow) == len(dimms) and len({(dimm["running_mts"], dimm["rated_mts"]) for dimm in slow}) == 1:
        speeds = f"{slow[0]['running_mts']} MT/s, rated {slow[0]['rated_mts']}"
        text = f"every DIMM runs at {speeds}: the CPU, a BIOS setting or several DIMMs a channel limit it"
        return [Finding(rule, Verdict.WARN, "", text)]
    for dimm in slow:
        text = f"it runs at {dimm['running_mts']} MT/s, rated {dimm['rated_mts']}"
        found.append(Finding(rule, Verdict.FAIL, parts.dimm(dimm), text))
    return found


def balanced(alchemy: Part) -> list[Finding]:
    """Sockets hold the same DIMMs in the same places, and the channels of a socket equal amounts."""
    rule = "channels-balanced"
    if len(populated(alchemy)) < 2:
        return []
    places = locate(alchemy["dimms"])
    if None in places:
        return [Finding(rule, Verdict.UNKNOWN, "", "the names of the DIMM slots do not tell socket and channel")]
    slots = {slot: dimm for slot, dimm in zip(places, alchemy["dimms"], strict=True) if slot is not None}
    return _between_sockets(rule, slots, alchemy["cpus"]) or _between_channels(rule, slots)


def seen_by_the_kernel(alchemy: Part) -> list[Finding]:
    """The kernel has as much memory as the DIMMs, less its own share."""
    rule = "memory-seen"
    kernel, installed = alchemy["memory"].get("kernel"), alchemy["memory"].get("installed")
    if kernel is None or installed is None:
        return [Finding(rule, Verdict.UNKNOWN, "", "the size of the kernel's memory or of the DIMMs is not known")]
    if kernel >= installed * (1 - _LACK) - _KERNEL:
        return []
    text = (
        f"the kernel has {parts.binary(kernel)} of the {parts.binary(installed)} of the DIMMs: one may be disabled, "
        "or memory is mirrored or set aside; see the event log and the BIOS setup"
    )
    return [Finding(rule, Verdict.FAIL, "", text)]


def _odd(rule: str, dimms: list[Part]) -> list[Finding]:
    kind, part = usual(map(_kind, dimms)), usual(dimm.get("part", "") for dimm in dimms)
    found = []
    for dimm in dimms:
        if _kind(dimm) != kind:
            text = f"it is {_words(dimm)}, others are {_words(dict(kind or ()))}"
            found.append(Finding(rule, Verdict.FAIL, parts.dimm(dimm), text))
        elif dimm.get("part", "") != part:
            text = f"it is a {dimm.get('part', 'DIMM without a part number')}, others are {part or 'without one'}"
            found.append(Finding(rule, Verdict.WARN, parts.dimm(dimm), text))
    return found


def _kind(dimm: Part) -> tuple[tuple[str, object], ...]:
    """What has to be the same of all DIMMs of a type."""
    return tuple((key, dimm[key]) for key in ("size", "type", "rated_mts", "ranks", "ecc") if key in dimm)


def _words(dimm: Part) -> str:
    words = [parts.binary(_size(dimm)), str(dimm.get("type", ""))]
    words += [f"{dimm['rated_mts']} MT/s"] if "rated_mts" in dimm else []
    words += [f"{dimm['ranks']} rank{'' if dimm['ranks'] == 1 else 's'}"] if "ranks" in dimm else []
    words += ["ECC" if dimm["ecc"] else "no ECC"] if "ecc" in dimm else []
    return " ".join(word for word in words if word)


def _between_sockets(rule: str, slots: Slots, cpus: Iterable[Part]) -> list[Finding]:
    """Compares each place of a socket with the same place of the socket that holds most."""
    sockets: dict[str, Slots] = defaultdict(dict)
    for slot, dimm in slots.items():
        sockets[slot.socket][slot] = dimm
    used = {name: _relative(of) for name, of in sockets.items() if any(dimm.get("size") for dimm in of.values())}
    full = max(used.values(), key=lambda places: sum(_size(dimm) for dimm in places.values()))
    found = []
    for name, of in sockets.items():
        if name not in used:
            # no DIMMs belong to an empty socket
            if sum(cpu["populated"] for cpu in cpus) >= len(sockets):
                found.append(Finding(rule, Verdict.FAIL, f"socket {name}", "none of its slots holds a DIMM"))
            continue
        for place, dimm in _relative(of).items():
            other = full.get(place)
            if other is None or _size(dimm) == _size(other):
                continue
            holds = f"holds {parts.binary(_size(dimm))}" if _size(dimm) else "is empty"
            counterpart = other.get("locator") or other.get("bank", "")
            text = f"the slot {holds}, its counterpart {counterpart} holds {_amount(other)}"
            found.append(Finding(rule, Verdict.FAIL, parts.dimm(dimm), text))
    return found


def _between_channels(rule: str, slots: Slots) -> list[Finding]:
    """Compares what the channels of each socket hold."""
    channels: dict[str, dict[str, list[Part]]] = defaultdict(lambda: defaultdict(list))
    for slot, dimm in slots.items():
        channels[slot.socket][slot.channel].append(dimm)
    found = []
    for socket in channels.values():
        sums = {name: sum(_size(dimm) for dimm in dimms) for name, dimms in socket.items()}
        expected = usual(total for total in sums.values() if total)
        empty = [name for name, total in sums.items() if not total]
        for name, dimms in socket.items():
            # a socket with half of its channels filled is a choice, a single empty channel is a gap
            if expected is None or sums[name] == expected or (not sums[name] and (len(empty) > 1 or len(socket) < 4)):
                continue
            text = f"its channel holds {parts.binary(sums[name])}, others of the socket {parts.binary(expected)}"
            found.append(Finding(rule, Verdict.WARN, parts.dimm(dimms[0]), text))
    return found


def _relative(slots: Slots) -> Mapping[tuple[int, int], Part]:
    """The slots of a socket by the number of their channel in it, and their place: names differ between sockets."""
    names = sorted({slot.channel for slot in slots})
    return {(names.index(slot.channel), slot.place): dimm for slot, dimm in slots.items()}


def _size(dimm: Part) -> int:
    return int(dimm.get("size", 0))


def _amount(dimm: Part) -> str:
    return parts.binary(_size(dimm)) if _size(dimm) else "nothing"
