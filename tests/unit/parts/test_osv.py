"""Which components of an image a record of a vulnerability affects."""

from __future__ import annotations

from typing import Any

import pytest

from alchemy.parts.osv import Component, Index, Record

_COMPONENTS = (
    Component("net-misc/curl", "8.14.1-r1", "pkg:ebuild/net-misc/curl@8.14.1-r1",
              "cpe:2.3:a:haxx:curl:8.14.1:*:*:*:*:*:*:*", "https://github.com/curl/curl"),
    Component("app-admin/sudo", "1.9.16_p2", "pkg:ebuild/app-admin/sudo@1.9.16_p2",
              "cpe:2.3:a:sudo_project:sudo:1.9.16:p2:*:*:*:*:*:*"),
    Component("stress-ng", "0.19.02", "pkg:deb/debian/stress-ng@0.19.02-1+deb13u1?arch=amd64", None),
    Component("linux", "6.12.117", "pkg:generic/linux@6.12.117", "cpe:2.3:o:linux:linux_kernel:6.12.117:*:*:*:*:*:*:*"),
    Component("nothing", "1", None, None),
)  # fmt: skip

_CURL = {"ecosystem": "Gentoo", "name": "net-misc/curl"}
_CURL_CPE = {"cpe": "cpe:2.3:a:haxx:curl:*:*:*:*:*:*:*:*"}
_SUDO_CPE = {"cpes": ["cpe:/a:sudo_project:sudo"]}


def _range(*events: tuple[str, str], kind: str = "ECOSYSTEM", **more: Any) -> dict[str, Any]:
    return {"type": kind, "events": [{name: version} for name, version in events], **more}


def _before(fixed: str, kind: str = "ECOSYSTEM") -> dict[str, Any]:
    return {"ranges": [_range(("introduced", "0"), ("fixed", fixed), kind=kind)]}


def _check(affected: Any, **more: Any) -> list[str]:
    record = Record.model_validate({"id": "ALCHEMY-1", "affected": affected, **more})
    return [
        " ".join([found.package, found.status, *found.fixed, found.reason]).strip()
        for found in Index(_COMPONENTS).findings(record)
    ]


_TABLE: list[tuple[dict[str, Any], list[str]]] = [
    # by ecosystem and name, and by package URL
    ({"package": _CURL, **_before("8.15.0")}, ["net-misc/curl affected 8.15.0"]),
    ({"package": _CURL, **_before("8.14.1-r2")}, ["net-misc/curl affected 8.14.1-r2"]),
    ({"package": _CURL, **_before("8.14.1-r1")}, []),
    ({"package": _CURL, **_before("8.14.1")}, []),
    ({"package": _CURL, **_before("8.14.1_p1")}, ["net-misc/curl affected 8.14.1_p1"]),
    ({"package": _CURL, **_before("8.14.1_rc1")}, []),
    ({"package": {"purl": "pkg:ebuild/net-misc/curl"}, **_before("9")}, ["net-misc/curl affected 9"]),
    ({"package": {"ecosystem": "npm", "name": "net-misc/curl"}, **_before("9")}, []),
    ({"package": {"ecosystem": "Gentoo", "name": "net-misc/wget"}, **_before("9")}, []),
    ({"package": {"ecosystem": "Debian:13", "name": "stress-ng"}, **_before("0.19.02-1+deb13u2")},
     ["stress-ng affected 0.19.02-1+deb13u2"]),
    ({"package": {"purl": "pkg:deb/debian/stress-ng?arch=source"}, **_before("0.19.02-1+deb13u1")}, []),
    ({"package": {"purl": "pkg:deb/debian/stress-ng"}, **_before("0.19.02-1~bpo12+1")}, []),
    ({"package": {"ecosystem": "Linux", "name": "Kernel"}, **_before("6.12.118")}, ["linux affected 6.12.118"]),
    # by the package of Gentoo, with versions of upstream
    ({"package": {"purl": "pkg:ebuild/app-admin/sudo"}, **_before("1.9.17p1")}, ["app-admin/sudo affected 1.9.17p1"]),
    ({"package": {"purl": "pkg:ebuild/app-admin/sudo"}, **_before("1.9.16p2")}, []),
    ({"package": {"purl": "pkg:ebuild/app-admin/sudo"}, "versions": ["1.9.16p2"]}, ["app-admin/sudo affected"]),
    ({"package": {"purl": "pkg:ebuild/app-admin/sudo"}, "versions": ["1.9.16p1"]}, []),
    ({"package": _CURL, **_before("8.14.1-rc1")}, []),
    ({"package": _CURL, **_before("8.14.2rc1")}, ["net-misc/curl affected 8.14.2rc1"]),
    # by CPE: versions of upstream, without the revision of the ebuild
    ({"database_specific": _CURL_CPE, **_before("8.14.2")}, ["net-misc/curl affected 8.14.2"]),
    ({"ecosystem_specific": _CURL_CPE, **_before("8.14.2", "SEMVER")}, ["net-misc/curl affected 8.14.2"]),
    ({"database_specific": _CURL_CPE, **_before("8.14.1")}, []),
    ({"ecosystem_specific": _SUDO_CPE, **_before("1.9.17p1")}, ["app-admin/sudo affected 1.9.17p1"]),
    ({"ecosystem_specific": _SUDO_CPE, **_before("1.9.16p3")}, ["app-admin/sudo affected 1.9.16p3"]),
    ({"ecosystem_specific": _SUDO_CPE, **_before("1.9.16p2")}, []),
    ({"ecosystem_specific": _SUDO_CPE, **_before("1.9.16")}, []),
    ({"database_specific": {"cpe": "cpe:2.3:a:haxx:libcurl:*:*:*:*:*:*:*:*"}, **_before("9")}, []),
    ({"database_specific": {"cpe": "cpe:2.3:a:sudo_project:sudo:1.9.16:p2:*:*:*:*:*:*"}}, ["app-admin/sudo affected"]),
    ({"database_specific": {"cpe": "cpe:2.3:a:sudo_project:sudo:1.9.16:p1:*:*:*:*:*:*"}}, []),
    # by CPE, with versions of a distribution
    ({"package": {"ecosystem": "Debian:13", "name": "curl"}, "database_specific": _CURL_CPE,
      **_before("8.14.1-2+deb13u1")}, ["net-misc/curl affected 8.14.1-2+deb13u1"]),
    ({"package": {"ecosystem": "Debian:13", "name": "curl"}, "database_specific": _CURL_CPE,
      **_before("8.14.1-1")}, []),
    ({"package": {"ecosystem": "Gentoo", "name": "net-misc/curl-bin"}, "database_specific": _CURL_CPE,
      **_before("8.14.1-r2")}, ["net-misc/curl affected 8.14.1-r2"]),
    # ranges
    ({"package": _CURL, "ranges": [_range(("introduced", "8.14.2"))]}, []),
    ({"package": _CURL, "ranges": [_range(("introduced", "8.14.1-r1"))]}, ["net-misc/curl affected"]),
    ({"package": _CURL, "ranges": [_range(("introduced", "0"), ("last_affected", "8.14.1-r1"))]},
     ["net-misc/curl affected"]),
    ({"package": _CURL, "ranges": [_range(("introduced", "0"), ("last_affected", "8.14.1"))]}, []),
    ({"package": _CURL, "ranges": [_range(
        ("introduced", "8"), ("fixed", "8.2"), ("introduced", "8.10"), ("fixed", "8.16"))]},
     ["net-misc/curl affected 8.16"]),
    ({"package": _CURL, "ranges": [_range(
        ("fixed", "8.16"), ("introduced", "8.10"), ("fixed", "8.2"), ("introduced", "8"))]},
     ["net-misc/curl affected 8.16"]),
    ({"package": _CURL, "ranges": [_range(("introduced", "0"), ("fixed", "8.2")), _range(("introduced", "8.20"))]}, []),
    ({"package": _CURL, "ranges": [_range(("introduced", "0"), ("limit", "8.14"))]}, []),
    ({"package": _CURL, "ranges": [_range(("introduced", "0"), ("limit", "*"))]}, ["net-misc/curl affected"]),
    ({"package": _CURL, **_before("8.14.2", "SEMVER")}, ["net-misc/curl affected 8.14.2"]),
    ({"package": _CURL, **_before("8.14.1", "SEMVER")}, []),
    ({"package": _CURL, "versions": ["8.14.0", "8.14.1-r1"]}, ["net-misc/curl affected"]),
    ({"package": _CURL, "versions": ["8.14.1"]}, []),
    ({"database_specific": _CURL_CPE, "versions": ["8.14.1"]}, ["net-misc/curl affected"]),
    ({"package": _CURL, "versions": ["8.14.1-r1"], **_before("8.15.0")}, ["net-misc/curl affected 8.15.0"]),
    # what cannot be compared is never "not affected"
    ({"package": _CURL, **_before("0123abc", "GIT")}, ["net-misc/curl unknown range of type GIT"]),
    ({"package": _CURL, "versions": ["curl-8_1"], **_before("0123abc", "GIT")},
     ["net-misc/curl unknown range of type GIT"]),
    ({"package": _CURL, **_before("9", "RPM")}, ["net-misc/curl unknown range of type RPM"]),
    ({"package": _CURL, "ranges": [*_before("8.2")["ranges"], *_before("9", "RPM")["ranges"]]},
     ["net-misc/curl unknown range of type RPM"]),
    ({"package": _CURL, "ranges": [*_before("8.15")["ranges"], *_before("9", "RPM")["ranges"]]},
     ["net-misc/curl affected 8.15"]),
    ({"package": _CURL, "ranges": [*_before("8.2")["ranges"], *_before("0123abc", "GIT")["ranges"]]}, []),
    ({"package": _CURL, **_before("curl-8_15")},
     ["net-misc/curl unknown not a version of an upstream project ('curl-8_15')"]),
    ({"database_specific": _CURL_CPE, **_before("curl-8_15")},
     ["net-misc/curl unknown not a version of an upstream project ('curl-8_15')"]),
    ({"package": _CURL, "ranges": [_range(("fixed", "9"))]}, ["net-misc/curl unknown range without a begin"]),
    ({"package": _CURL, "ranges": [_range(("introduced", "0"), ("healed", "9"))]},
     ["net-misc/curl unknown event of type healed"]),
    ({"package": _CURL}, ["net-misc/curl unknown the record has no versions"]),
    ({"package": _CURL, "ranges": None, "versions": None}, ["net-misc/curl unknown the record has no versions"]),
    # the versions that OSV's conversion of the National Vulnerability Database keeps beside the commits
    ({"ranges": [_range(("introduced", "0"), ("fixed", "0123abc"), kind="GIT", database_specific={
        **_CURL_CPE, "extracted_events": [{"introduced": "8.0"}, {"fixed": "8.15"}]})]},
     ["net-misc/curl affected 8.15"]),
    ({"ranges": [_range(("introduced", "0"), ("fixed", "0123abc"), kind="GIT", database_specific={
        **_CURL_CPE, "versions": [{"introduced": "8.0"}, {"fixed": "8.14"}]})]}, []),
]  # fmt: skip


@pytest.mark.parametrize(("affected", "found"), _TABLE)
def test_a_record_affects_the_versions_that_it_names(affected: dict[str, Any], found: list[str]) -> None:
    assert _check([affected]) == found


def _extracted(fixed: str) -> dict[str, Any]:
    return {
        "ranges": [{**_COMMITS, "database_specific": {"extracted_events": [{"introduced": "0"}, {"fixed": fixed}]}}]
    }


_GIT = "net-misc/curl unknown range of type GIT"
_COMMITS = _range(
    ("introduced", "0"), ("fixed", "0123456789abcdef"), kind="GIT", repo="https://github.com/curl/curl.git"
)


@pytest.mark.parametrize(
    ("affected", "found"),
    [
        ({"ranges": [_COMMITS], "versions": ["curl-8_14_0", "curl-8_14_1"]},
         ["net-misc/curl affected commit 0123456789ab"]),
        ({"ranges": [_COMMITS], "versions": ["curl-8_13_0", "curl-8_14_0"]}, []),
        ({"ranges": [_COMMITS], "versions": ["nightly"]}, [_GIT]),
        ({"ranges": [_COMMITS]}, [_GIT]),
        ({"ranges": [{**_COMMITS, "repo": "https://GitHub.com/curl/Curl/"}]}, [_GIT]),
        ({"ranges": [{**_COMMITS, "repo": "https://github.com/curl/curl-www"}]}, []),
        ({"ranges": [{**_COMMITS, "repo": "://["}]}, []),
        (_extracted("8.15"), ["net-misc/curl affected 8.15"]),
        (_extracted("8.2"), []),
    ],
)  # fmt: skip
def test_a_record_may_name_the_repository_of_upstream(affected: dict[str, Any], found: list[str]) -> None:
    assert _check([affected]) == found


def test_a_withdrawn_record_affects_nothing() -> None:
    assert _check([{"package": _CURL, **_before("9")}], withdrawn="2026-01-01T00:00:00Z") == []


def test_a_component_is_named_once_and_affected_counts_more_than_unknown() -> None:
    unknown, affected = {"package": _CURL, **_before("0123abc", "GIT")}, {"package": _CURL, **_before("9")}
    for order in ([unknown, affected], [affected, unknown]):
        assert _check([*order, {"database_specific": _CURL_CPE, **_before("9")}]) == ["net-misc/curl affected 9"]


def test_the_cpe_of_a_record_counts_for_what_has_none() -> None:
    entries = [{**_before("8.15")}, {"database_specific": _SUDO_CPE, **_before("1.9.17")}]
    found = _check(entries, database_specific=_CURL_CPE)
    assert found == ["net-misc/curl affected 8.15", "app-admin/sudo affected 1.9.17"]


@pytest.mark.parametrize(
    ("affected", "record", "severity"),
    [
        ({"database_specific": {"severity": "HIGH"}}, {"database_specific": {"severity": "LOW"}}, "HIGH"),
        ({"ecosystem_specific": {"severity": "not yet assigned"}}, {}, "not yet assigned"),
        ({}, {"database_specific": {"severity": "LOW"}}, "LOW"),
        ({"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/A"}]}, {"severity": [{"type": "CVSS_V4", "score": "B"}]},
         "CVSS:3.1/A"),
        ({}, {"severity": [{"type": "CVSS_V4", "score": "CVSS:4.0/B"}]}, "CVSS:4.0/B"),
        ({"database_specific": {"severity": 9.8}}, {}, ""),
    ],
)  # fmt: skip
def test_the_severity_is_that_of_the_record(affected: dict[str, Any], record: dict[str, Any], severity: str) -> None:
    entry = {"package": _CURL, **_before("9"), **affected}
    (found,) = Index(_COMPONENTS).findings(Record.model_validate({"id": "ALCHEMY-1", "affected": [entry], **record}))
    assert found.severity == severity


@pytest.mark.parametrize(
    ("affected", "problem"),
    [
        ({"package": {"purl": "curl"}}, "purl"),
        ({"database_specific": {"cpe": "curl"}}, "not a CPE"),
        ({"database_specific": {"cpe": "cpe:2.3:x:haxx:curl"}}, "not a CPE"),
        ({"ecosystem_specific": {"cpes": {"curl": 1}}}, "cpes: expected text or a list of it"),
    ],
)
def test_a_malformed_name_is_not_passed_over(affected: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        _check([affected])
