"""Which DIMMs hold a physical address: what DMI claims, as far as nothing contradicts it.

Firmware writes these structures (SMBIOS types 19 and 20) for nobody in particular, and often wrongly: arrays of one
socket that claim the memory of both, ranges without the hole below 4 GiB. A map is believed whole or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol, TypeVar

from alchemy_node.machine import Machine

S = TypeVar("S", contravariant=True)

_IOMEM = "/proc/iomem"
_RAM = re.compile(r"^([0-9a-f]{1,16})-([0-9a-f]{1,16}) : System RAM$", re.MULTILINE)
# what lies below was never a DIMM's alone
_LOW = 1 << 20
# so much of what its ranges have may a DIMM lack or have over: firmware keeps some for itself
_TOLERANCE = 1 / 32
_MOST = 4096

Span = tuple[int, int]


@dataclass(frozen=True)
class Claim:
    """A range of addresses, first and last, and the DIMMs that hold it, by their numbers in DMI's order.

    `interleaved` is what a claim of one DIMM says of itself.
    """

    span: Span
    dimms: frozenset[int]
    interleaved: bool = False


@dataclass(frozen=True)
class Claims:
    """What DMI claims: by device (type 20), by array (type 19), and the bytes of each DIMM."""

    devices: tuple[Claim, ...] = ()
    arrays: tuple[Claim, ...] = ()
    sizes: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class MemoryMap:
    """Ranges that do not overlap, in the order of their addresses, and the DIMMs of each; empty where none is known."""

    ranges: tuple[tuple[Span, frozenset[int]], ...] = ()
    interleaved: bool = False

    def at(self, address: int, size: int = 1) -> frozenset[int]:
        """Returns the DIMMs that may hold an error of this address, known to `size` bytes; empty for unknown."""
        first = address - address % size
        found = [dimms for (start, end), dimms in self.ranges if start < first + size and first <= end]
        return frozenset().union(*found)


class Decoder(Protocol[S]):
    """Reads structures: the modules smbios and dmidecode."""

    def handle(self, structure: S, /) -> int | None: ...
    def holds_system_memory(self, structure: S, /) -> bool: ...
    def array_handle(self, structure: S, /) -> int | None: ...
    def size(self, structure: S, /) -> int | None: ...
    def mapped(self, structure: S, /) -> tuple[Span, int] | None: ...
    def interleaved(self, structure: S, /) -> bool: ...


class Interleaved(Protocol[S]):
    """Tells whether a structure says of its range that it is interleaved."""

    def __call__(self, structure: S, /) -> bool: ...


def decode(of: Mapping[int, Sequence[S]], decoder: Decoder[S]) -> Claims:
    """Returns what the structures claim, by type of structure; nothing for claims of which one is garbled."""
    arrays: dict[int | None, set[int]] = {
        decoder.handle(array): set() for array in of.get(16, ()) if decoder.holds_system_memory(array)
    }
    devices: dict[int | None, set[int]] = {}
    sizes: dict[int, int] = {}
    for number, device in enumerate(of.get(17, ())):
        size = decoder.size(device)
        if size:
            sizes[number] = size
            devices.setdefault(decoder.handle(device), set()).add(number)
            arrays.get(decoder.array_handle(device), set()).add(number)
    return Claims(
        _claims(of.get(20, ()), decoder, devices, decoder.interleaved),
        _claims(of.get(19, ()), decoder, arrays, lambda _: False),
        sizes,
    )


def collect(machine: Machine, claims: Claims) -> MemoryMap:
    """Returns the map that DMI claims, by device else by array, where the sizes of the DIMMs and the kernel agree."""
    ram = [(int(first, 16), int(last, 16)) for first, last in _RAM.findall(machine.read(_IOMEM, 1 << 20) or "")]
    for found, by_device in ((claims.devices, True), (claims.arrays, False)):
        ranges = _ranges(found, by_device)
        if ranges and _fits(ranges, claims.sizes) and _covers(ranges, ram):
            return MemoryMap(tuple(ranges), by_device)
    return MemoryMap()


def _claims(
    structures: Sequence[S], decoder: Decoder[S], owners: Mapping[int | None, set[int]], interleaved: Interleaved[S]
) -> tuple[Claim, ...]:
    found = []
    for structure in structures:
        mapped = decoder.mapped(structure)
        if mapped is None:
            return ()
        span, handle = mapped
        dimms = owners.get(handle)
        if not dimms or span[0] > span[1]:
            return ()
        found.append(Claim(span, frozenset(dimms), interleaved(structure)))
    return tuple(found)


def _ranges(claims: Sequence[Claim], by_device: bool) -> list[tuple[Span, frozenset[int]]]:
    """Returns the ranges in their order, equal ones as one; nothing where they contradict each other."""
    together: dict[Span, list[Claim]] = {}
    for claim in claims[:_MOST]:
        together.setdefault(claim.span, []).append(claim)
    spans = sorted(together)
    if any(before[1] >= after[0] for before, after in pairwise(spans)):
        return []
    if by_device and not all(
        len(claim.dimms) == 1 and claim.interleaved == (len(same) > 1) for same in together.values() for claim in same
    ):
        return []
    return [(span, frozenset().union(*(claim.dimms for claim in together[span]))) for span in spans]


def _fits(ranges: Sequence[tuple[Span, frozenset[int]]], sizes: Mapping[int, int]) -> bool:
    """Whether the ranges give each DIMM as much as it has; those that always share their ranges count as one."""
    groups: dict[frozenset[int], int] = {}
    for (first, last), dimms in ranges:
        groups[dimms] = groups.get(dimms, 0) + last - first + 1
    owned = [number for dimms in groups for number in dimms]
    return len(owned) == len(set(owned)) and all(
        abs(length - (whole := sum(sizes[number] for number in dimms))) <= whole * _TOLERANCE
        for dimms, length in groups.items()
    )


def _covers(ranges: Sequence[tuple[Span, frozenset[int]]], ram: Sequence[Span]) -> bool:
    """Whether all memory that the kernel has is in some range. It shows no addresses to other users than root."""
    seen = False
    for first, last in ram:
        start = max(first, _LOW)
        if start > last:
            continue
        seen = True
        held = sum(max(0, min(last, end) - max(start, begin) + 1) for (begin, end), _ in ranges)
        if held != last - start + 1:
            return False
    return seen
