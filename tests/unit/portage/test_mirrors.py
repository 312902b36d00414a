"""Sources come from the mirrors of config.yml, from upstream, from Debian's mirror, and from its snapshot archive."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.errors import BuildError
from alchemy.host.chroot import Chroot
from alchemy.portage import mirrors, sources
from alchemy.portage.sources import Distfile
from tests.lib.mirror import Server
from tests.unit.fakes import FakeRunner

CONTENT = b"the philosopher's stone\n" * 100
HASHED = f"{hashlib.blake2b(b'gold-1.tar.xz').hexdigest()[:2]}/gold-1.tar.xz"


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "web")
    yield server
    server.stop()


def with_mirrors(context: Context, *own: str | Path, offline: bool = False) -> Context:
    return dataclasses.replace(context, config=Config(mirrors=tuple(map(str, own)), offline=offline))


def distfile(context: Context, *uris: str) -> Distfile:
    """A file with the places that Portage names: the mirrors of config.yml, then URIs."""
    places = (*(("mirror", base) for base in mirrors.own(context)), *(("uri", uri) for uri in uris))
    digests = {"BLAKE2B": hashlib.blake2b(CONTENT).hexdigest(), "SHA512": hashlib.sha512(CONTENT).hexdigest()}
    return Distfile.model_validate(
        {"package": "app-misc/gold-1", "file": "gold-1.tar.xz", "size": len(CONTENT), "digests": digests,
         "places": places}
    )  # fmt: skip


def publish(folder: Path, path: str, content: bytes = CONTENT) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(content)


def cached(context: Context) -> bytes:
    return (context.cache / "distfiles/gold-1.tar.xz").read_bytes()


# where a mirror has the file, and its layout.conf
PLACES = {
    "flat": ("distfiles/gold-1.tar.xz", None),
    "hashed": (f"distfiles/{HASHED}", "[structure]\n0=filename-hash BLAKE2B 8\n"),
    "a plain folder": ("gold-1.tar.xz", None),
}


@pytest.mark.parametrize("kind", ["URL", "folder"])
@pytest.mark.parametrize(("path", "layout"), PLACES.values(), ids=PLACES.keys())
def test_a_mirror_of_the_configuration_comes_first(
    context: Context, server: Server, tmp_path: Path, path: str, layout: str | None, kind: str
) -> None:
    folder = server.folder if kind == "URL" else tmp_path / "my files"
    publish(folder, path)
    if layout:
        publish(folder, "distfiles/layout.conf", layout.encode())
    context = with_mirrors(context, server.url if kind == "URL" else folder)
    sources.fetch(context, [distfile(context, f"{server.url}/upstream/gold-1.tar.xz")])
    assert cached(context) == CONTENT
    assert server.asked("upstream/gold-1.tar.xz") == []


BAD = {
    "absent": None,
    "changed": b"x" * len(CONTENT),
    "a page": b"<title>Welcome to our hotel</title>",
    "truncated": CONTENT[:-1],
}


@pytest.mark.parametrize("kind", ["URL", "folder"])
@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_after_a_mirror_that_has_no_good_file_comes_upstream(
    context: Context,
    server: Server,
    tmp_path: Path,
    content: bytes | None,
    kind: str,
    messages: io.StringIO,
) -> None:
    folder = server.folder if kind == "URL" else tmp_path / "files"
    if content is not None:
        publish(folder, "distfiles/gold-1.tar.xz", content)
    publish(server.folder, "upstream/gold-1.tar.xz")
    context = with_mirrors(context, server.url if kind == "URL" else folder)
    sources.fetch(context, [distfile(context, f"{server.url}/upstream/gold-1.tar.xz")])
    assert cached(context) == CONTENT
    warned = [line for line in messages.getvalue().splitlines() if "warning:" in line]
    assert len(warned) == (content is not None)
    assert all(f"fetched from {server.url}/upstream/gold-1.tar.xz instead" in line for line in warned)


def test_a_folder_that_is_not_there_is_told_among_the_places(context: Context, tmp_path: Path) -> None:
    context = with_mirrors(context, tmp_path / "not mounted")
    with pytest.raises(BuildError) as caught:
        sources.fetch(context, [distfile(context)])
    assert f"file://{tmp_path}/not%20mounted/distfiles/gold-1.tar.xz: not found" in caught.value.message


@pytest.mark.parametrize("place", ["file:///etc/passwd", "file:///srv/mine/../../etc/x", "file:///srv/mine/%2e%2e/x"])
def test_an_ebuild_names_no_files_of_the_host(context: Context, place: str) -> None:
    context = with_mirrors(context, "/srv/mine")
    with pytest.raises(BuildError, match="unsupported scheme"):
        sources.fetch(context, [distfile(with_mirrors(context), place)])


def test_a_folder_serves_offline_builds(context: Context, server: Server, tmp_path: Path) -> None:
    publish(tmp_path / "files", "gold-1.tar.xz")
    publish(server.folder, "distfiles/gold-1.tar.xz")
    context = with_mirrors(context, server.url, tmp_path / "files", offline=True)
    wanted = [distfile(context)]
    sources.take(context, wanted)
    assert sources.missing(context, wanted) == []
    assert server.requests == []


APT = """\
Acquire::Snapshots "";
Acquire::Snapshots::URI::Origin::Debian "https://archive.example/debian/@SNAPSHOTID@/";
Acquire::Snapshots::URI::Origin::Ubuntu "https://archive.example/ubuntu/@SNAPSHOTID@/";
"""


@pytest.mark.parametrize(
    ("dumped", "found"),
    [(APT, "https://archive.example/debian/@SNAPSHOTID@/"), ("", None), (APT.replace("https", "file"), None),
     (APT.replace("@SNAPSHOTID@", "today"), None)],
)  # fmt: skip
def test_the_apt_of_the_stage3_knows_the_snapshot_archive(
    context: Context, runner: FakeRunner, tmp_path: Path, dumped: str, found: str | None
) -> None:
    publish(tmp_path / "root", "usr/bin/apt-config")
    runner.answers["bwrap"] = dumped
    assert mirrors.snapshots(context, Chroot(tmp_path / "root"), tmp_path / "log") == found
    assert runner.calls[0].argv[-3:] == ["apt-config", "dump", "Acquire::Snapshots"]


def test_a_stage3_without_apt_knows_no_archive(context: Context, runner: FakeRunner, tmp_path: Path) -> None:
    assert mirrors.snapshots(context, Chroot(tmp_path), tmp_path / "log") is None
    assert runner.calls == []


@pytest.mark.parametrize("told", ["1780315200\n", "", "fatal: no\n"])
def test_the_archive_is_asked_for_the_time_of_the_manifest(
    context: Context, runner: FakeRunner, server: Server, told: str
) -> None:
    manifest = context.root / "overlays/ours/app-misc/gold/Manifest"
    publish(manifest.parent, "Manifest")
    os.utime(manifest, (1780315200, 1780315200))
    runner.answers["git"] = told
    publish(server.folder, "debian/20260601T120000Z/pool/gold-1.tar.xz")
    places = [f"{server.url}/debian/pool/gold-1.tar.xz", f"{server.url}/debian/@SNAPSHOTID@/pool/gold-1.tar.xz"]
    sources.fetch(context, [distfile(context, *places)])
    assert cached(context) == CONTENT


def test_a_package_without_a_manifest_is_looked_for_today(context: Context, runner: FakeRunner, tmp_path: Path) -> None:
    runner.answers["git"] = ""
    assert mirrors.snapshot_time(context, tmp_path).startswith("2")
