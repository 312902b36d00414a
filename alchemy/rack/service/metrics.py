"""Counts requests and decisions, and writes them in Prometheus' text format, version 0.0.4."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

Labels = tuple[tuple[str, str], ...]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# seconds; 0.05 is the target for a boot decision
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


@dataclass
class Metrics:
    """Counters of this process since its start. Thread-safe."""

    _requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    _decisions: Counter[str] = field(default_factory=Counter)
    _buckets: Counter[tuple[str, float]] = field(default_factory=Counter)
    _seconds: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def request(self, call: str, status: int, seconds: float) -> None:
        """Counts a request. `call` is the name of a route, never text from a client."""
        with self._lock:
            self._requests[call, status] += 1
            # whole microseconds, because a Counter holds integers
            self._seconds[call] += round(seconds * 1e6)
            for bound in BUCKETS:
                self._buckets[call, bound] += seconds <= bound

    def decision(self, profile: str) -> None:
        """Counts a decision of POST /v1/boots."""
        with self._lock:
            self._decisions[profile] += 1

    def text(self, gauges: Mapping[str, Mapping[Labels, float]]) -> str:
        """Returns all counters, and the gauges: values by labels by name."""
        with self._lock:
            lines = [*self._counters(), *self._durations()]
        for name, values in gauges.items():
            lines.append(f"# TYPE {name} gauge")
            lines += [_sample(name, labels, value) for labels, value in sorted(values.items())]
        return "\n".join(lines) + "\n"

    def _counters(self) -> Iterator[str]:
        yield "# TYPE alchemy_requests_total counter"
        for (call, status), count in sorted(self._requests.items()):
            yield _sample("alchemy_requests_total", (("call", call), ("status", str(status))), count)
        yield "# TYPE alchemy_decisions_total counter"
        for profile, count in sorted(self._decisions.items()):
            yield _sample("alchemy_decisions_total", (("profile", profile),), count)

    def _durations(self) -> Iterator[str]:
        name = "alchemy_request_seconds"
        yield f"# TYPE {name} histogram"
        for call in sorted(self._seconds):
            count = sum(count for (of, _), count in self._requests.items() if of == call)
            for bound in BUCKETS:
                yield _sample(f"{name}_bucket", (("call", call), ("le", f"{bound:g}")), self._buckets[call, bound])
            yield _sample(f"{name}_bucket", (("call", call), ("le", "+Inf")), count)
            yield _sample(f"{name}_sum", (("call", call),), self._seconds[call] / 1e6)
            yield _sample(f"{name}_count", (("call", call),), count)


def _sample(name: str, labels: Labels, value: float) -> str:
    said = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
    return f"{name}{{{said}}} {value:.15g}" if said else f"{name} {value:.15g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
