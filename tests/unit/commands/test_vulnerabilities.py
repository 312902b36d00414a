"""sbom.check: the packages of the image that a feed of vulnerabilities concerns."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from invoke.exceptions import Exit

from alchemy.commands import vulnerabilities
from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.fetch import download
from alchemy.parts import osv_feed
from cli import sbom

_BOM = {
    "bomFormat": "CycloneDX",
    "components": [
        {
            "type": "application",
            "group": "net-misc",
            "name": "curl",
            "version": "8.14.1",
            "purl": "pkg:ebuild/net-misc/curl@8.14.1",
            "cpe": "cpe:2.3:a:haxx:curl:8.14.1:*:*:*:*:*:*:*",
        },
        {"type": "application", "group": "sys-apps", "name": "less", "version": "668"},
        {"type": "file", "name": "alchemy.img"},
    ],
}


def _record(number: int = 1, fixed: str = "8.15.0", **more: Any) -> dict[str, Any]:
    events = [{"introduced": "0"}, {"fixed": fixed}]
    package = {"ecosystem": "Gentoo", "name": "net-misc/curl"}
    affected = [{"package": package, "ranges": [{"type": "ECOSYSTEM", "events": events}]}]
    return {"id": f"GHSA-{number}", "aliases": [f"CVE-2026-{number}"], "affected": affected, **more}


@pytest.fixture
def image(context: Context) -> Context:
    """A context with the bill of materials of an image."""
    context.bin.mkdir(parents=True, exist_ok=True)
    (context.bin / "alchemy.cdx.json").write_text(json.dumps(_BOM), encoding="utf-8")
    return context


def _found(context: Context, *feeds: Path | str) -> list[str]:
    result = vulnerabilities.check(context, [str(feed) for feed in feeds])
    return [finding.id for finding in result.findings]


def test_a_line_names_package_version_vulnerability_severity_and_fix(image: Context, tmp_path: Path) -> None:
    (tmp_path / "feed.json").write_text(
        json.dumps(
            [_record(1, database_specific={"severity": "HIGH"}), _record(2, fixed="8.14.1"), _record(3, fixed="x")]
        )
    )
    result = vulnerabilities.check(image, [str(tmp_path / "feed.json")])
    assert vulnerabilities.text(result).splitlines() == [
        "net-misc/curl 8.14.1: GHSA-1 (CVE-2026-1): severity HIGH: fixed in 8.15.0",
        "net-misc/curl 8.14.1: GHSA-3 (CVE-2026-3): severity unknown: "
        "unknown whether affected: not a version of an upstream project ('x')",
        "2 packages, 3 records: 1 affected",
    ]
    assert result.as_json()["findings"][0]["fixed"] == ("8.15.0",)


def _write_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("GHSA-1.json", json.dumps(_record(1)))
        archive.writestr("deep/GHSA-2.json", json.dumps(_record(2)))
        archive.writestr("README.md", "not a record")


def _write_folder(path: Path) -> None:
    (path / "deep").mkdir(parents=True)
    (path / "GHSA-1.json").write_text(json.dumps(_record(1), indent=2))
    (path / "deep/2.jsonl").write_text(json.dumps(_record(2)) + "\n")
    (path / "README.md").write_text("not a record")


_FORMS: dict[str, Callable[[Path], Any]] = {
    "list": lambda path: path.write_text(json.dumps([_record(1), _record(2)])),
    "indented list": lambda path: path.write_text(json.dumps([_record(1), _record(2)], indent=2)),
    "lines": lambda path: path.write_text(f"{json.dumps(_record(1))}\n\n{json.dumps(_record(2))}\n"),
    "byte order mark": lambda path: path.write_text(json.dumps([_record(1), _record(2)]), encoding="utf-8-sig"),
    "answer of the API": lambda path: path.write_text(json.dumps({"vulns": [_record(1), _record(2)]})),
    "zip file": _write_zip,
    "folder": _write_folder,
}


@pytest.mark.parametrize("form", _FORMS)
def test_a_feed_has_many_forms(image: Context, tmp_path: Path, form: str) -> None:
    _FORMS[form](tmp_path / "feed")
    assert _found(image, tmp_path / "feed") == ["GHSA-1", "GHSA-2"]


def test_a_feed_may_be_a_url(image: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "fetch", lambda _context, url, target, *, most: _write_zip(target))
    assert _found(image, "https://feed.example/all.zip") == ["GHSA-1", "GHSA-2"]
    assert not (image.work / "feeds").exists()


def test_several_feeds_count_a_vulnerability_once(image: Context, tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(_record(1)))
    assert _found(image, tmp_path / "a.json", tmp_path / "b.json") == ["GHSA-1"]


_ZIP = b"PK\x03\x04" + b"\0" * 60 + b"PK\x05\x06" + b"\0" * 18


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "invalid JSON"),
        (b"<html>404</html>", "invalid JSON"),
        (b"\xff\xfe\x00", "invalid JSON"),
        (b"[" * 100_000, "invalid JSON"),
        (json.dumps(_record()).encode()[:-9], "invalid JSON"),
        (b'{"id": "A-1"}\n{"id": "A-2"', "invalid JSON"),
        (b"[]", "no OSV records"),
        (b'{"vulns": []}', "no OSV records"),
        (_ZIP, "no OSV records"),
        (b"{}", r"malformed OSV record \(id: Field required\)"),
        (b"17", "malformed OSV record"),
        (b'[["A-1"]]', "malformed OSV record"),
        (json.dumps(_BOM).encode(), r"malformed OSV record \(id: Field required\)"),
        (b'{"id": 1}', r"malformed OSV record \(id: "),
        (b'{"id": "A-1", "affected": {"a": 1}}', r"malformed OSV record A-1 \(affected: "),
        (b'{"id": "A-1", "affected": [{"ranges": [{"type": "X", "events": [{"fixed": 9}]}]}]}',
         r"malformed OSV record A-1 \(affected.0.ranges.0.events.0.fixed: "),
        (b'{"id": "A-1", "affected": [{"package": {"purl": "x"}}]}', r"malformed OSV record A-1 \(purl"),
        (b'{"id": "A-1", "affected": [{"database_specific": {"cpe": 1}}]}', "malformed OSV record A-1"),
    ],
)  # fmt: skip
def test_what_is_not_a_feed_is_refused(image: Context, tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "feed").write_bytes(content)
    with pytest.raises(UserError, match=problem):
        _found(image, tmp_path / "feed")


def test_a_corrupt_zip_file_is_refused(image: Context, tmp_path: Path) -> None:
    _write_zip(tmp_path / "feed.zip")
    data = bytearray((tmp_path / "feed.zip").read_bytes())
    data[60:70] = b"\xff" * 10
    (tmp_path / "feed.zip").write_bytes(data)
    with pytest.raises(UserError, match="corrupt zip file"):
        _found(image, tmp_path / "feed.zip")


def test_json_has_a_largest_size(image: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(osv_feed, "_LARGEST", 1000)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.json", b" " * 100_000)
    with pytest.raises(UserError, match=r"bomb.json: JSON too large"):
        _found(image, tmp_path / "bomb.zip")


@pytest.mark.parametrize(
    ("feeds", "problem"), [([], "FEED: missing"), (["absent.json"], "absent.json: not a file, folder or URL")]
)
def test_a_feed_has_to_be_there(image: Context, feeds: list[str], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        vulnerabilities.check(image, feeds)


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"components": [{}]}', '{"components": [{"type": "x", "name": "a", "version": "1", "purl": "a"}]}'],
)
def test_a_malformed_bill_of_materials_is_refused(context: Context, tmp_path: Path, content: str) -> None:
    context.bin.mkdir(parents=True, exist_ok=True)
    (context.bin / "alchemy.cdx.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match="not a CycloneDX bill of materials"):
        vulnerabilities.check(context, ["feed"])


def test_an_image_has_to_be_built_first(context: Context) -> None:
    with pytest.raises(UserError, match="no such file"):
        vulnerabilities.check(context, ["feed"])


@pytest.mark.parametrize(("fixed", "code"), [("8.15.0", 1), ("8.14.1", 0), ("commit", 1)])
def test_the_exit_status_says_whether_a_package_is_concerned(
    image: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fixed: str, code: int
) -> None:
    (tmp_path / "feed.json").write_text(json.dumps(_record(fixed=fixed)))
    monkeypatch.setattr(sbom, "checked", lambda: image)
    try:
        sbom.check.body(None, [str(tmp_path / "feed.json")])
        found = 0
    except Exit as error:
        found = error.code
    assert found == code
