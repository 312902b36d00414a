"""Find another node on the same link that looks for a partner, too: by link-local multicast, with no server.

Each node sends a beacon a second: {"alchemy-burnin": 1, "id": ID, "wants": ID of the partner that it chose, or ""}. It
chooses the least id that is free. Two nodes that want each other are a pair, and the lesser id serves.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import socket
import struct
from dataclasses import dataclass, field

from alchemy_node.burnin.activity import Activity, Pause

# of the range that RFC 4291 and RFC 2375 leave to anyone, on this link only
GROUP = "ff12::a1c4:e3b1"
PORT = 49873

_ID = re.compile(r"[0-9a-f]{16}")
_INTERVAL = 0.5
# a beacon that has not been heard for so long is gone
_STALE = 10
_MOST_PEERS = 256


@dataclass(frozen=True)
class Partner:
    """A node that wants this one: its address with the interface's scope, and whether this node serves."""

    address: str
    serves: bool


@dataclass
class Peers:
    """The nodes that were heard, each with its wish and the time of its last message."""

    own: str
    heard: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    turn: int = 0
    wants: str = ""

    def hear(self, data: bytes, address: str) -> None:
        """Takes a beacon; one that is not of the format is ignored."""
        try:
            beacon = json.loads(data)
        except (ValueError, RecursionError):
            return
        if not isinstance(beacon, dict) or beacon.get("alchemy-burnin") != 1:
            return
        peer, wants = beacon.get("id"), beacon.get("wants")
        if not isinstance(peer, str) or not _ID.fullmatch(peer) or peer == self.own:
            return
        if isinstance(wants, str) and (peer in self.heard or len(self.heard) < _MOST_PEERS):
            self.heard[peer] = (wants, address, self.turn)

    def choose(self) -> Partner | None:
        """Chooses a partner; returns it once it has chosen this node."""
        self.turn += 1
        self.heard = {peer: seen for peer, seen in self.heard.items() if self.turn - seen[2] <= _STALE}
        free = [peer for peer, (wants, *_) in self.heard.items() if wants in ("", self.own)]
        wanted = [peer for peer in free if self.heard[peer][0] == self.own]
        if self.wants not in free:
            self.wants = min(wanted or free, default="")
        if self.wants and self.heard[self.wants][0] == self.own:
            return Partner(self.heard[self.wants][1], self.own < self.wants)
        return None

    def beacon(self) -> bytes:
        """Returns what this node says of itself."""
        return json.dumps({"alchemy-burnin": 1, "id": self.own, "wants": self.wants}).encode()


def find(interface: str, seconds: float) -> Activity[Partner | None]:
    """Looks for a partner on an interface; None when none was found in that time. Raises OSError."""
    index = socket.if_nametoindex(interface)
    peers = Peers(secrets.token_hex(8))
    with _socket(index) as ours:
        left = max(seconds, _INTERVAL)
        while left > 0:
            with contextlib.suppress(OSError):
                ours.sendto(peers.beacon(), (GROUP, PORT, 0, index))
            yield Pause(_INTERVAL)
            left -= _INTERVAL
            with contextlib.suppress(BlockingIOError):
                for _ in range(_MOST_PEERS):
                    data, sender = ours.recvfrom(1024)
                    # a message from behind a router, or from another link, is not a neighbour's
                    if sender[0].lower().startswith("fe80:") and sender[3] == index:
                        peers.hear(data, f"{sender[0].partition('%')[0]}%{interface}")
            partner = peers.choose()
            if partner is not None:
                # the partner has to hear that it was chosen
                for _ in range(3):
                    with contextlib.suppress(OSError):
                        ours.sendto(peers.beacon(), (GROUP, PORT, 0, index))
                    yield Pause(_INTERVAL)
                return partner
    return None


def _socket(index: int) -> socket.socket:
    ours = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ours.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 1)
        ours.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
        ours.bind(("::", PORT, 0, index))
        membership = socket.inet_pton(socket.AF_INET6, GROUP) + struct.pack("@I", index)
        ours.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
    except OSError:
        ours.close()
        raise
    return ours
