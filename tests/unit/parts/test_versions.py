"""Versions are compared as their ecosystems do."""

from __future__ import annotations

import pytest

from alchemy.parts import versions

# each row in ascending order
_EBUILDS = [
    "1.2_alpha 1.2_alpha1 1.2_beta 1.2_pre3 1.2_rc1 1.2_rc2 1.2 1.2-r1 1.2-r10 1.2_p0 1.2_p1-r3 1.2_p2 1.2a 1.2.0",
    "1.01 1.1 1.2 1.10 2 10",
    "1.2_rc1_p1 1.2_p1_rc1 1.2_p1 1.2_p1_p1",
    "1.9.16_p2 1.9.17 1.9.17_p1",
    "0.9.9 1 1.0 1.0.0 1.0.0a",
]
_DEBIAN = [
    "1.0~rc1-1 1.0-0.1 1.0-1 1.0-1+deb13u1 1.0-1+deb13u2 1.0-2~bpo13+1 1.0-2 1.0+dfsg-1 1.0.1-1 1:0.1-1",
    "7.88.1-10+deb12u5 7.88.1-10+deb12u14 8.14.1-2",
    "1~~ 1~ 1 1a 1+ 1.0",
    "1.9-1 1.10-1",
]
_UPSTREAM = [
    "1.2alpha 1.2-beta.2 1.2.0-rc.1 v1.2rc2 1.2 1.2p1 1.2_p2 1.2-p10 1.2.1",
    "1.1.1 1.1.1a 1.1.1w 3.0",
    "7.1.1-9 7.1.1-15 7.1.2",
    "1.9.16p2 1.9.17 1.9.17p1",
    "6.12.9 6.12.117 6.13-rc1 6.13",
]


def _rows() -> list[tuple[versions.Scheme, str]]:
    tables: dict[versions.Scheme, list[str]] = {"ebuild": _EBUILDS, "debian": _DEBIAN, "upstream": _UPSTREAM}
    return [(scheme, row) for scheme, rows in tables.items() for row in rows]


@pytest.mark.parametrize(("scheme", "row"), _rows())
def test_versions_are_in_the_order_of_their_ecosystem(scheme: versions.Scheme, row: str) -> None:
    words = row.split()
    for at, left in enumerate(words):
        for other, right in enumerate(words):
            found = versions.compare(scheme, left, right)
            assert (found > 0) - (found < 0) == (at > other) - (at < other), f"{left} and {right}"


@pytest.mark.parametrize(
    ("scheme", "left", "right"),
    [
        ("ebuild", "1.2", "1.2-r0"),
        ("ebuild", "1.2_rc", "1.2_rc0"),
        ("ebuild", "1.0010", "1.001"),
        ("ebuild", "01.2", "1.2"),
        ("debian", "0:1.2-0", "1.2"),
        ("debian", "1.02-1", "1.2-1"),
        ("upstream", "v1.0", "1"),
        ("upstream", "1.2.0", "1.2"),
        ("upstream", "1.2-rc.1", "1.2_rc1"),
        ("upstream", "1.2rc1", "1.2 RC1"),
        ("upstream", "1.2+git5", "1.2"),
    ],
)
def test_two_spellings_of_a_version_are_equal(scheme: versions.Scheme, left: str, right: str) -> None:
    assert versions.compare(scheme, left, right) == 0
    assert versions.compare(scheme, right, left) == 0


@pytest.mark.parametrize(
    ("scheme", "version"),
    [
        ("ebuild", ""),
        ("ebuild", "1.2-rc1"),
        ("ebuild", "1.2p1"),
        ("ebuild", "1.2_foo"),
        ("ebuild", "1.2-r"),
        ("ebuild", "1.\u0661"),
        ("ebuild", "1" * 300),
        ("debian", "1.2 3"),
        ("debian", "a:1"),
        ("upstream", "curl-8_4_0"),
        ("upstream", "9f86d081884c7d659a2f"),
        ("upstream", "1.2-dev"),
        ("upstream", "1.2b3c"),
    ],
)
def test_what_is_not_a_version_is_refused(scheme: versions.Scheme, version: str) -> None:
    with pytest.raises(ValueError, match="not a version of"):
        versions.check(scheme, version)
