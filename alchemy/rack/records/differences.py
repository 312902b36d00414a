"""Compares two inventories of a node, in the words of a technician: which part came, went or is another one.

A part is followed by its serial or its MAC, else by its place. What changes from boot to boot by itself is left out:
the names of disks, PCI addresses, temperatures, hours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import chain

from alchemy.rack.records.facts import mapping, parts, text
from alchemy.rack.records.kinds import KINDS, SINGLE, Kind, Label, Part

# more than a machine that was rebuilt has
MOST = 500
_LONGEST = 300

Pairs = list[tuple[Part, Part]]


def compare(before: Part, after: Part) -> list[str]:
    """Returns what differs between two documents, one sentence a part or a value. Both are what a node wrote."""
    earlier, later = mapping(before.get("alchemy")), mapping(after.get("alchemy"))
    single = (_values(noun, mapping(earlier.get(key)), mapping(later.get(key)), labels) for key, noun, labels in SINGLE)
    several = (_kind(kind, earlier, later) for kind in KINDS)
    said = [*chain(*single, *several, _devices(earlier, later))]
    short = [sentence if len(sentence) <= _LONGEST else f"{sentence[:_LONGEST]}…" for sentence in said[:MOST]]
    return short if len(said) <= MOST else [*short, f"{len(said) - MOST} more differences"]


def _kind(kind: Kind, earlier: Part, later: Part) -> Iterator[str]:
    old, new = kind.listed(earlier), kind.listed(later)
    if kind.key not in earlier:
        return
    if old and kind.key not in later:
        # a program that fails leaves a list out, whose parts are still there
        yield f"{kind.noun}s: not in this inventory ({len(old)} before)"
        return
    same, old, new = _paired(old, new, kind.identity)
    for before, after in same:
        was, now = kind.place(before), kind.place(after)
        if was != now and kind.noun == "DIMM" and was and now:
            yield f"{kind.noun} {now}: moved here from {was} ({kind.describe(after)})"
        yield from _part(kind, before, after)
    placed, old, new = _paired(old, new, kind.place)
    for before, after in placed:
        ours, theirs = kind.identity(before), kind.identity(after)
        if ours and theirs and ours != theirs:
            yield f"{_name(kind, after)}: replaced ({kind.describe(after)}; was {kind.describe(before)})"
        else:
            yield from _part(kind, before, after)
    yield from (f"{_name(kind, part)}: gone{_bracketed(kind, part)}" for part in old)
    yield from (f"{_name(kind, part)}: new{_bracketed(kind, part)}" for part in new)


def _part(kind: Kind, before: Part, after: Part) -> Iterator[str]:
    yield from _values(_name(kind, after), before, after, kind.values)
    for key, word in kind.errors.items():
        was, now = before.get(key), after.get(key)
        if isinstance(was, int) and isinstance(now, int) and now > was:
            yield f"{_name(kind, after)}: {word} {now}, was {was}"


def _values(name: str, before: Part, after: Part, labels: Mapping[str, Label]) -> Iterator[str]:
    for key, label in labels.items():
        # a value that is unknown on one side does not differ
        if before.get(key) is None or after.get(key) is None or before[key] == after[key]:
            continue
        was, now = label.show(before[key]), label.show(after[key])
        if was != now:
            yield f"{name}: {label.name} {now}, was {was}"


def _paired(
    old: list[Part], new: list[Part], mark: Callable[[Part], str | None]
) -> tuple[Pairs, list[Part], list[Part]]:
    """Pairs the parts of one mark; returns the pairs, and the others of both. A mark of two parts does not count."""
    ours, theirs = (Counter(map(mark, group)) for group in (old, new))
    common = {each for each in ours if each is not None and ours[each] == theirs[each] == 1}
    later = {mark(part): part for part in new if mark(part) in common}
    pairs = [(part, later[mark(part)]) for part in old if mark(part) in common]
    ours_left, theirs_left = ([part for part in group if mark(part) not in common] for group in (old, new))
    return pairs, ours_left, theirs_left


def _name(kind: Kind, part: Part) -> str:
    name = kind.place(part) or kind.identity(part) or "in an unnamed place"
    return name if name.lower().startswith(kind.noun.lower()) else f"{kind.noun} {name}"


def _bracketed(kind: Kind, part: Part) -> str:
    described = kind.describe(part)
    return f" ({described})" if described else ""


def _devices(earlier: Part, later: Part) -> Iterator[str]:
    """Compares how many devices of a kind there are: one more card gives others new PCI addresses."""
    if not parts(earlier.get("pci")) or not parts(later.get("pci")):
        return
    was, now = (Counter(map(_device, parts(each.get("pci")))) for each in (earlier, later))
    for device in sorted(was.keys() | now.keys()):
        if was[device] != now[device]:
            change = "gone" if not now[device] else "new" if not was[device] else f"{now[device]} of them"
            yield f"PCI device {device}: {change}" + (f", were {was[device]}" if was[device] > 1 else "")


def _device(function: Part) -> str:
    names = (text(function.get("vendor_name")), text(function.get("device_name")) or text(function.get("class_name")))
    slot = text(function.get("slot"))
    numbers = f"{text(function.get('vendor')) or '????'}:{text(function.get('device')) or '????'}"
    return " ".join(filter(None, (*names, f"[{numbers}]"))) + (f" in slot {slot}" if slot else "")
