"""Watch the evidence while a run goes on: compare each sample with the first one, and say each finding once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from alchemy_node.burnin import bmc, kernel_log, rules
from alchemy_node.burnin.activity import Finding, Kind
from alchemy_node.burnin.parts import Parts
from alchemy_node.burnin.sample import Key, Sample

# what the finding of a better source takes the place of
_NAMED = ("dimm-", "machine-check", "pcie-")

T = TypeVar("T")


@dataclass
class Watch:
    """What has been seen. `corrects` says that the machine claims memory with error correction."""

    parts: Parts
    limits: Mapping[str, float]
    corrects: bool = False
    first: Sample | None = None
    last: Sample = field(default_factory=Sample)
    _said: dict[tuple[Kind, str, str], int] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _unnamed: Finding | None = None

    def look(self, sample: Sample, hours: float) -> list[Finding]:
        """Returns the new findings of a sample, `hours` after the first one."""
        self.first = sample if self.first is None else _completed(self.first, sample)
        self.last = sample
        judged = [
            *((finding, 1) for finding in rules.standing(sample, self.limits, self.parts)),
            *rules.judge(self.first, sample, self.limits, hours, self.parts),
            *((finding, 1) for finding in bmc.judge(self.first, sample, self.parts)),
        ]
        return [_with_peak(finding, sample) for finding in (*self._new(judged), *self._take_unnamed())]

    def hear(self, lines: Iterable[str]) -> list[Finding]:
        """Returns the new findings in lines of the kernel."""
        judged: list[tuple[Finding, int]] = []
        for line in lines:
            found = kernel_log.judge(line, self.parts)
            if found is None:
                continue
            finding, limit = found
            self._counts[finding.verdict] = self._counts.get(finding.verdict, 0) + 1
            if limit is not None and self._counts[finding.verdict] <= self.limits[limit]:
                continue
            if finding.verdict == kernel_log.UNNAMED:
                self._unnamed = finding
            else:
                judged.append((finding, self._counts[finding.verdict]))
        return list(self._new(judged))

    def gaps(self) -> Iterator[Finding]:
        """Yields what could not be watched, though the machine should have it."""
        if self.corrects and "edac" in self.last.missing:
            message = "the memory corrects errors, but no EDAC driver counts them: corrected errors may go unseen"
            yield Finding(Kind.UNKNOWN, "edac-absent", message)
        for source, why in self.last.missing.items():
            if source.startswith(("smart ", "bmc")):
                kind = Kind.UNKNOWN if "timed out" in why else Kind.NOTE
                yield Finding(kind, "not-watched", f"{source}: not watched ({why})")

    def _new(self, judged: Iterable[tuple[Finding, int]]) -> Iterator[Finding]:
        """Yields each finding the first time, and again when it got twice as bad."""
        for finding, badness in judged:
            key = (finding.kind, finding.verdict, str(finding.part) if finding.part else finding.message)
            said = self._said.get(key, 0)
            if said == 0 or badness >= 2 * max(said, 2):
                self._said[key] = badness
                yield finding

    def _take_unnamed(self) -> list[Finding]:
        """Returns the error whose part is unknown, once, unless a better source has named one by now."""
        unnamed, self._unnamed = self._unnamed, None
        named = any(kind is Kind.FAIL and verdict.startswith(_NAMED) for kind, verdict, _ in self._said)
        return [] if unnamed is None or named else list(self._new([(unnamed, 1)]))


def _completed(first: Sample, sample: Sample) -> Sample:
    """Returns the first sample with what it lacked because a program gave no answer: that is not new now."""
    come = [source for source in first.missing if source not in sample.missing]

    def new(values: Mapping[Key, T]) -> dict[Key, T]:
        return {key: value for key, value in values.items() if any(_gives(source, key) for source in come)}

    missing = {source: why for source, why in first.missing.items() if source not in come}
    return replace(
        first | Sample(new(sample.counters), new(sample.states), entries=new(sample.entries)), missing=missing
    )


def _gives(source: str, key: Key) -> bool:
    """Tells whether a value comes from a source that is asked by programs."""
    word, _, name = source.partition(" ")
    return (
        (word == "smart" and (key.kind, key.part) == ("disk", name))
        or (word == "ports" and (key.part, key.name) == (name, "port_errors"))
        or (source == "bmc" and key.kind in ("bmc", "sel"))
    )


def _with_peak(finding: Finding, sample: Sample) -> Finding:
    """Adds the hottest sensor to what tells of heat."""
    heat = [(value, key) for key, value in sample.readings.items() if key.name.startswith("temperature")]
    if finding.verdict != "throttled" or not heat:
        return finding
    value, key = max(heat)
    sensor = f"{key.part} {key.name.removeprefix('temperature ').removesuffix(' C')}"
    return replace(finding, message=f"{finding.message}; the hottest sensor is {sensor} at {value:g} C")


def belongs(finding: Finding) -> str:
    """Returns the watching step that a finding belongs to: pcie, bmc or kernel."""
    if finding.verdict.startswith(("pcie-", "link-degraded", "link-changed")):
        return "pcie"
    return "bmc" if finding.verdict.startswith(("bmc-", "sensor-", "sel-")) else "kernel"
