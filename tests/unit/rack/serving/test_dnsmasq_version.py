from __future__ import annotations

import pytest

from alchemy.errors import UserError
from alchemy.rack.serving import dnsmasq_version

REST = "  Copyright (c) 2000-2024 Simon Kelley\nCompile time options: IPv6\n"


@pytest.mark.parametrize("version", ["2.76", "2.90", "2.91", "2.93", "3.0", "2.100", "UNKNOWN"])
def test_a_version_whose_proxy_mode_works_is_taken(version: str) -> None:
    dnsmasq_version.check(f"Dnsmasq version {version}{REST}")


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("2.75", "dnsmasq 2.75: too old for --proxy (expected 2.76 or newer)"),
        ("2.7", "dnsmasq 2.7: too old for --proxy (expected 2.76 or newer)"),
        ("2.92", "dnsmasq 2.92: its proxy mode is broken, no client gets its answers (expected 2.93 or newer)"),
    ],
)
def test_a_version_whose_proxy_mode_is_broken_is_refused(version: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        dnsmasq_version.check(f"Dnsmasq version {version}{REST}")
    assert caught.value.message == message
