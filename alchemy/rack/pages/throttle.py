"""Slows down whoever guesses passwords."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from threading import Lock

MOST_FAILURES = 10
SECONDS = 60.0
# addresses that are remembered; the one that failed longest ago makes room
_MOST_ADDRESSES = 4096
_IPV6_NETWORK = 64


class Throttle:
    """Counts the failed logins of each address: after MOST_FAILURES in SECONDS it has to wait. Times are in seconds.

    An operator's name is not counted: whoever knows it could lock the operator out.
    """

    def __init__(self) -> None:
        """Begins with no failures."""
        self._failures: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = Lock()

    def wait(self, address: str, now: float) -> float:
        """Returns for how long an address is refused; 0 when it may try."""
        with self._lock:
            recent = self._recent(_network(address), now)
            return recent[0] + SECONDS - now if len(recent) >= MOST_FAILURES else 0.0

    def failed(self, address: str, now: float) -> None:
        """Counts a failure."""
        network = _network(address)
        with self._lock:
            self._failures[network] = [*self._recent(network, now), now][-MOST_FAILURES:]
            self._failures.move_to_end(network)
            while len(self._failures) > _MOST_ADDRESSES:
                self._failures.popitem(last=False)

    def _recent(self, network: str, now: float) -> list[float]:
        return [moment for moment in self._failures.get(network, ()) if now - moment < SECONDS]


def _network(address: str) -> str:
    """Returns the /64 of an IPv6 address, as one client owns all of it; any other address as it is."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    mapped = parsed.ipv4_mapped
    return str(mapped or ipaddress.ip_network((int(parsed), _IPV6_NETWORK), strict=False))
