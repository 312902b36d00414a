"""Limits the request rate of addresses and nodes, with token buckets."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from alchemy.rack.service.refusals import RefusedError

# The least recently used bucket is dropped beyond this many.
_MOST_BUCKETS = 1 << 16


@dataclass(frozen=True)
class Rate:
    """A burst, and the sustained rate a second, in `unit`."""

    a_second: float
    burst: int
    unit: str = "requests"


# One address may be a router with a whole rack behind it.
ADDRESS = Rate(200, 2000)
# A node sends an event per stage and lines every two seconds; after an outage its journal catches up.
NODE = Rate(10, 100)
# Each boot gets another token, and with it new buckets for the calls of a node.
BOOT = Rate(0.1, 100)
# A node must not fill the disk. Its journal sends at most 256 KB every two seconds.
VOLUME = Rate(256 << 10, 16 << 20, "bytes")


@dataclass
class Limiter:
    """Keeps a bucket per key. Thread-safe."""

    rate: Rate
    clock: Callable[[], float] = monotonic
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, key: str, amount: int = 1) -> None:
        """Takes an amount from a bucket. Raises RefusedError (429) with Retry-After if it holds less."""
        now = self.clock()
        with self._lock:
            left, then = self._buckets.pop(key, (float(self.rate.burst), now))
            left = min(self.rate.burst, left + max(0.0, now - then) * self.rate.a_second)
            allowed = left >= amount
            self._buckets[key] = (left - amount if allowed else left, now)
            if len(self._buckets) > _MOST_BUCKETS:
                self._buckets.popitem(last=False)
        if not allowed:
            wait = math.ceil((amount - left) / self.rate.a_second)
            problem = f"too many {self.rate.unit} (expected at most {self.rate.a_second:g} a second)"
            raise RefusedError(429, problem, f"try again in {wait} s", {"Retry-After": str(wait)})
