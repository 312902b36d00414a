"""ebuild.manifest and ebuild.bump: a package moves to another version, without root and without a chroot."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemy.commands import docs, ebuilds
from alchemy.context import Context
from alchemy.errors import BuildError, UserError
from alchemy.portage import settings
from alchemy.run import Runner
from tests.lib.mirror import Server

pytestmark = pytest.mark.usefixtures("real_processes")

_EBUILD = """\
EAPI=8
SRC_URI="{url}/up/${{P}}.tar.gz mirror://debian/pool/gold_${{PV}}.orig.tar.gz -> ${{P}}.tar.gz"
HOMEPAGE="https://gold.example"
LICENSE="MIT"
SLOT="{slot}"
RESTRICT="{restrict}"
"""
_NEW = gzip.compress(b"gold, of the new version\n")
_OLD_ENTRY = "DIST gold-1.tar.gz 3 BLAKE2B aa SHA512 bb"


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "web")
    yield server
    server.stop()


def _publish(web: Server, path: str, content: bytes = _NEW) -> None:
    (web.folder / path).parent.mkdir(parents=True, exist_ok=True)
    (web.folder / path).write_bytes(content)


@pytest.fixture
def package(context: Context, web: Server, monkeypatch: pytest.MonkeyPatch) -> Context:
    """The context of a repository with app-misc/gold-1, which sys-apps/ring uses and a set has."""
    monkeypatch.setattr(settings, "debian_mirror", lambda _: f"{web.url}/debian")
    monkeypatch.setattr(docs, "parts", lambda _: [])
    _write(context, "app-misc/gold/gold-1.ebuild", _EBUILD.format(url=web.url, slot="0", restrict=""))
    _write(context, "app-misc/gold/Manifest", f"{_OLD_ENTRY}\n")
    _write(context, "sys-apps/ring/ring-3.ebuild", 'EAPI=8\nRDEPEND="app-misc/gold:= app-misc/gold-leaf"\n')
    (context.root / "packages/packages.util").write_text("app-misc/gold\n", encoding="utf-8")
    return dataclasses.replace(context, runner=Runner())


def _write(context: Context, path: str, text: str) -> None:
    (context.root / "overlays/embedded" / path).parent.mkdir(parents=True, exist_ok=True)
    (context.root / "overlays/embedded" / path).write_text(text, encoding="utf-8")


def _files(context: Context) -> dict[str, str]:
    folder = context.root / "overlays/embedded/app-misc/gold"
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def _entry(name: str, content: bytes = _NEW) -> str:
    digests = f"BLAKE2B {hashlib.blake2b(content).hexdigest()} SHA512 {hashlib.sha512(content).hexdigest()}"
    return f"DIST {name} {len(content)} {digests}\n"


@pytest.mark.parametrize("place", ["up/gold-2.tar.gz", "debian/pool/gold_2.orig.tar.gz"])
def test_a_bump_moves_the_ebuild_and_makes_its_manifest(package: Context, web: Server, place: str) -> None:
    _publish(web, place)
    before = _files(package)["gold-1.ebuild"]
    told = ebuilds.bump(package, "app-misc/gold", "2")
    assert _files(package) == {"gold-2.ebuild": before, "Manifest": _entry("gold-2.tar.gz")}
    assert (package.cache / "distfiles/gold-2.tar.gz").read_bytes() == _NEW
    assert told.splitlines()[0] == "app-misc/gold: 1 → 2"
    assert "  ./run build.all, with packages: [core, util] in config.yml" in told.splitlines()
    assert "it is used by sys-apps/ring" in told.splitlines()


def test_a_manifest_keeps_what_it_has_and_fetches_what_is_new(package: Context, web: Server) -> None:
    text = _files(package)["gold-1.ebuild"]
    _write(package, "app-misc/gold/gold-2.ebuild", text.replace('SLOT="0"', 'SLOT="2"'))
    _write(package, "app-misc/gold/Manifest", f"{_OLD_ENTRY}\nDIST gold-0.tar.gz 3 BLAKE2B aa SHA512 bb\n")
    _publish(web, "up/gold-2.tar.gz")
    assert "new: gold-2.tar.gz" in ebuilds.manifest(package, "app-misc/gold")
    assert _files(package)["Manifest"] == f"{_OLD_ENTRY}\n{_entry('gold-2.tar.gz')}"
    assert web.asked("gold-1.tar.gz") == []
    assert "no new file" in ebuilds.manifest(package, "app-misc/gold")


def test_a_file_in_distfiles_needs_no_network(package: Context, web: Server) -> None:
    (package.root / "distfiles").mkdir()
    (package.root / "distfiles/gold-2.tar.gz").write_bytes(_NEW)
    ebuilds.bump(package, "app-misc/gold", "2")
    assert _files(package)["Manifest"] == _entry("gold-2.tar.gz")
    assert web.requests == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "the server answers 404 Not Found"),
        (b"<title>moved</title>", "not a .gz file (it begins with b'<t')"),
        (b"", "not a .gz file (it begins with b'')"),
    ],
)
def test_a_version_whose_source_cannot_be_had_changes_nothing(
    package: Context, web: Server, content: bytes | None, reason: str
) -> None:
    if content is not None:
        _publish(web, "up/gold-2.tar.gz", content)
    before = _files(package)
    with pytest.raises(BuildError) as caught:
        ebuilds.bump(package, "app-misc/gold", "2")
    assert caught.value.message.splitlines()[1:] == [
        "  gold-2.tar.gz, of app-misc/gold-2:",
        f"    {web.url}/up/gold-2.tar.gz: {reason}",
        f"    {web.url}/debian/pool/gold_2.orig.tar.gz: the server answers 404 Not Found",
    ]
    assert _files(package) == before
    assert list((package.cache / "distfiles").glob("*gold*")) == []


def test_a_file_that_only_a_person_may_fetch_is_asked_for(package: Context, web: Server) -> None:
    _write(package, "app-misc/gold/gold-1.ebuild", _EBUILD.format(url=web.url, slot="0", restrict="fetch"))
    before = _files(package)
    with pytest.raises(UserError, match=r"app-misc/gold: gold-2.tar.gz, from https://gold.example"):
        ebuilds.bump(package, "app-misc/gold", "2")
    assert _files(package) == before
    assert web.requests == []


@pytest.mark.parametrize(
    ("atom", "version", "problem"),
    [
        ("app-misc/lead", "2", "no such ebuild"),
        ("app-misc/gold", "2p1", "VERSION: not a version of an ebuild"),
        ("app-misc/gold", "../2", "VERSION: not a version of an ebuild"),
        ("app-misc/gold", "1", r"gold-1.ebuild: exists \(expected a version other than 1\)"),
    ],
)
def test_a_bump_to_nowhere_is_refused(package: Context, atom: str, version: str, problem: str) -> None:
    before = _files(package)
    with pytest.raises(UserError, match=problem):
        ebuilds.bump(package, atom, version)
    assert _files(package) == before


def test_one_of_several_ebuilds_is_named_by_its_slot(package: Context, web: Server) -> None:
    text = _files(package)["gold-1.ebuild"]
    _write(package, "app-misc/gold/gold-5.ebuild", text.replace('SLOT="0"', 'SLOT="5"'))
    _publish(web, "up/gold-6.tar.gz")
    _publish(web, "up/gold-5.tar.gz")
    with pytest.raises(UserError, match=r"several ebuilds \(expected the slot of one: app-misc/gold:0 \(1\), "):
        ebuilds.bump(package, "app-misc/gold", "6")
    ebuilds.bump(package, "app-misc/gold:5", "6")
    assert set(_files(package)) == {"gold-1.ebuild", "gold-6.ebuild", "Manifest"}
    assert _files(package)["Manifest"] == f"{_OLD_ENTRY}\n{_entry('gold-6.tar.gz')}"


def test_an_older_version_is_said_to_be_older(package: Context, web: Server) -> None:
    _publish(web, "up/gold-0.9.tar.gz")
    assert ebuilds.bump(package, "app-misc/gold", "0.9").splitlines()[0] == "app-misc/gold: 1 → 0.9 (older)"
