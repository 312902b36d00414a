"""Compare a part with its equals: a slower one is broken, too."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator

from alchemy_node.burnin.activity import Finding, Kind, Measurement

# two parts that differ do not say which of them is wrong
_FEWEST = 3
_ROUGH_PERCENT = 40.0
_STEADY_SECONDS = 600.0


def tolerance(limit: float, *, virtual: bool, seconds: float) -> float:
    """Returns by how many percent a part may be slower: more where other things than the hardware decide that.

    A hypervisor shares its machine out as it likes, and in a run of a few minutes every hiccup counts.
    """
    return max(limit, _ROUGH_PERCENT) if virtual or seconds < _STEADY_SECONDS else limit


def slow(measurements: Iterable[Measurement], percent: float) -> Iterator[Finding]:
    """Yields each part whose value is more than `percent` below the median of its group.

    With two parts only the slower one can be named, and as UNKNOWN.
    """
    groups: dict[tuple[str, str], list[tuple[float, Measurement]]] = {}
    for measurement in measurements:
        value = measurement.value
        if measurement.group is not None and isinstance(value, int | float) and value == value:
            groups.setdefault((measurement.group, measurement.name), []).append((float(value), measurement))
    for (_, name), members in groups.items():
        if len(members) < 2:
            continue
        usual = statistics.median_high(value for value, _ in members)
        for value, measurement in members:
            if value < usual * (1 - percent / 100):
                share = (1 - value / usual) * 100
                part = measurement.part
                text = f"{part}: {name} is {share:.0f} % below its equals ({value:g} of {usual:g} {measurement.unit})"
                kind = Kind.FAIL if len(members) >= _FEWEST else Kind.UNKNOWN
                yield Finding(kind, "slower-than-equals", f"check {text}", part)
