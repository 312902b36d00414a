"""Which versions of dnsmasq can answer beside another DHCP server."""

from __future__ import annotations

import re

from alchemy.errors import UserError

_VERSION = re.compile(r"Dnsmasq version (\d+)\.(\d+)")

# answers UEFI clients in proxy mode for the first time
_FIRST = (2, 76)
# sends answers from port 4011 to the broadcast address, where no client waits for them
_BROKEN = {(2, 92): "2.93"}


def check(output: str) -> None:
    """Raises UserError unless the output of `dnsmasq --version` is that of a version whose proxy mode works."""
    match = _VERSION.match(output)
    if match is None:
        # a distribution's own name for it, or a snapshot of the source
        return
    version = (int(match[1]), int(match[2]))
    name = f"dnsmasq {match[1]}.{match[2]}"
    if version < _FIRST:
        raise UserError(f"{name}: too old for --proxy (expected {_FIRST[0]}.{_FIRST[1]} or newer)")
    if version in _BROKEN:
        raise UserError(
            f"{name}: its proxy mode is broken, no client gets its answers (expected {_BROKEN[version]} or newer)",
            hint="install another version of dnsmasq, or give out addresses with --range",
        )
