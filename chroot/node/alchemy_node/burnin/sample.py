"""What is known of a machine at one moment: counters, states and readings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

# what no machine exceeds, and hostile output might
MOST = 20_000


class Key(NamedTuple):
    """What a value is of: `kind` and `part` name a part as the kernel does (disk, sda), `name` the value."""

    kind: str
    part: str
    name: str


@dataclass(frozen=True)
class Sample:
    """A snapshot.

    `counters` only grow on a machine that fails. `states` are words: a link's speed, a disk's health. `readings` are
    temperatures, clocks and the like, with their unit as the key's last word. `entries` are the lines of a log that a
    part keeps by itself, such as the BMC's. `missing` are sources that gave nothing, with the reason.
    """

    counters: Mapping[Key, int] = field(default_factory=dict)
    states: Mapping[Key, str] = field(default_factory=dict)
    readings: Mapping[Key, float] = field(default_factory=dict)
    entries: Mapping[Key, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    def __or__(self, other: Sample) -> Sample:
        """Returns this sample with the values of another over it."""
        return Sample(
            {**self.counters, **other.counters},
            {**self.states, **other.states},
            {**self.readings, **other.readings},
            {**self.entries, **other.entries},
            {**self.missing, **other.missing},
        )

    def parts(self) -> set[tuple[str, str]]:
        """Returns the parts that anything is known of."""
        return {(key.kind, key.part) for key in (*self.counters, *self.states, *self.entries)}


def growth(before: Sample, after: Sample) -> Iterator[tuple[Key, int]]:
    """Yields each counter that grew. One that is new, or that was reset in between, grew from 0."""
    for key, value in after.counters.items():
        old = before.counters.get(key, 0)
        grown = value - old if value >= old else value
        if grown > 0:
            yield key, grown
