from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.errors import BuildError, UserError, VerificationError
from alchemy.portage import sources
from alchemy.portage.sources import Distfile
from tests.lib.mirror import Server

CONTENT = b"the philosopher's stone\n" * 20_000
OTHER = CONTENT[:-1] + b"\t"


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "mirror")
    yield server
    if not server.stopped.is_set():
        server.stop()


def publish(mirror: Server, content: bytes, *paths: str) -> None:
    for path in paths:
        (mirror.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (mirror.folder / path).write_bytes(content)


def distfile(*places: str, file: str = "gold-1.tar.xz", kind: str = "uri", size: int = len(CONTENT)) -> Distfile:
    digests = {"BLAKE2B": hashlib.blake2b(CONTENT).hexdigest(), "SHA512": hashlib.sha512(CONTENT).hexdigest()}
    entry = {"package": "app-misc/gold-1", "file": file, "size": size, "digests": digests}
    return Distfile.model_validate({**entry, "places": tuple((kind, place) for place in places)})


def cached(context: Context) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (context.cache / "distfiles").glob("[!.]*")}


def test_a_source_is_fetched_and_readable_in_the_chroot(context: Context, mirror: Server) -> None:
    publish(mirror, CONTENT, "gold-1.tar.xz")
    sources.fetch(context, [distfile(f"{mirror.url}/gold-1.tar.xz")])
    assert cached(context) == {"gold-1.tar.xz": CONTENT}
    folder = context.cache / "distfiles"
    assert [oct(path.stat().st_mode & 0o777) for path in (folder, folder / "gold-1.tar.xz")] == ["0o755", "0o644"]


def test_places_are_tried_in_their_order_until_one_has_the_file(context: Context, mirror: Server) -> None:
    publish(mirror, OTHER, "changed/gold-1.tar.xz")
    publish(mirror, CONTENT[:-7], "short/gold-1.tar.xz")
    publish(mirror, CONTENT, "good/gold-1.tar.xz", "late/gold-1.tar.xz")
    names = ("nowhere", "changed", "short", "good", "late")
    sources.fetch(context, [distfile(*(f"{mirror.url}/{name}/gold-1.tar.xz" for name in names))])
    assert [request.path.split("/")[1] for request in mirror.requests] == list(names[:-1])
    assert cached(context)["gold-1.tar.xz"] == CONTENT


FAULTS = {
    "changed": (OTHER, "digest mismatch (expected BLAKE2B"),
    "truncated": (CONTENT[:100], f"truncated (expected {len(CONTENT)} bytes, got 100)"),
    "too large": (CONTENT + b"more", f"size mismatch (expected {len(CONTENT)} bytes, got more)"),
    "a page that says it is gone": (b"<title>404 Not Found</title>", "truncated (expected"),
    "empty": (b"", "truncated (expected"),
}


@pytest.mark.parametrize(("content", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_a_source_that_is_not_as_its_manifest_says_is_kept_aside_and_refused(
    context: Context, mirror: Server, content: bytes, message: str
) -> None:
    publish(mirror, content, "gold-1.tar.xz")
    with pytest.raises(VerificationError, match="digest mismatch") as caught:
        sources.fetch(context, [distfile(f"{mirror.url}/gold-1.tar.xz")])
    assert f"gold-1.tar.xz, of app-misc/gold-1:\n    {mirror.url}/gold-1.tar.xz: {message}" in caught.value.message
    assert cached(context) == {"gold-1.tar.xz.digest-mismatch": content}
    assert ".digest-mismatch" in str(caught.value.hint)


def test_a_source_that_has_changed_is_not_fetched_from_every_place(context: Context, mirror: Server) -> None:
    paths = [f"{number}/gold-1.tar.xz" for number in range(20)]
    publish(mirror, OTHER, *paths)
    with pytest.raises(VerificationError):
        sources.fetch(context, [distfile(*(f"{mirror.url}/{path}" for path in paths))])
    assert len(mirror.requests) == 5


def test_no_more_than_the_size_of_a_source_is_written_to_the_disk(context: Context, mirror: Server) -> None:
    publish(mirror, bytes(64 << 20), "gold-1.tar.xz")
    with pytest.raises(VerificationError, match="size mismatch"):
        sources.fetch(context, [distfile(f"{mirror.url}/gold-1.tar.xz")])
    assert len(cached(context)["gold-1.tar.xz.digest-mismatch"]) < len(CONTENT) + (1 << 20)


@pytest.mark.parametrize("content", [OTHER, CONTENT[:10], b""], ids=["changed", "truncated", "empty"])
def test_a_source_that_is_there_with_other_content_is_fetched_again(
    context: Context, mirror: Server, content: bytes
) -> None:
    publish(mirror, CONTENT, "gold-1.tar.xz")
    (context.cache / "distfiles").mkdir(parents=True)
    (context.cache / "distfiles/gold-1.tar.xz").write_bytes(content)
    sources.fetch(context, [distfile(f"{mirror.url}/gold-1.tar.xz")])
    assert cached(context) == {"gold-1.tar.xz": CONTENT}


@pytest.mark.parametrize("folder", ["cache/distfiles", "distfiles"])
def test_a_source_that_is_there_is_not_fetched(context: Context, mirror: Server, folder: str) -> None:
    publish(mirror, CONTENT, "gold-1.tar.xz")
    (context.root / folder).mkdir(parents=True)
    (context.root / folder / "gold-1.tar.xz").write_bytes(CONTENT)
    wanted = [distfile(f"{mirror.url}/gold-1.tar.xz")]
    assert sources.missing(context, wanted) == []
    sources.fetch(context, wanted)
    assert mirror.requests == []


def test_a_link_is_no_source(context: Context, mirror: Server, tmp_path: Path) -> None:
    publish(mirror, CONTENT, "gold-1.tar.xz")
    (tmp_path / "elsewhere").write_bytes(CONTENT)
    folder = context.cache / "distfiles"
    folder.mkdir(parents=True)
    (folder / "gold-1.tar.xz").symlink_to(tmp_path / "elsewhere")
    sources.fetch(context, [distfile(f"{mirror.url}/gold-1.tar.xz")])
    assert not (folder / "gold-1.tar.xz").is_symlink()


def test_a_file_put_there_by_hand_with_other_content_is_refused_by_name(context: Context) -> None:
    (context.root / "distfiles").mkdir()
    (context.root / "distfiles/gold-1.tar.xz").write_bytes(OTHER)
    with pytest.raises(VerificationError) as caught:
        sources.fetch(context, [distfile()])
    assert f"{context.root}/distfiles/gold-1.tar.xz: digest mismatch (expected BLAKE2B" in caught.value.message


def test_every_source_that_cannot_be_had_is_listed_with_the_reason_of_each_place(
    context: Context, mirror: Server
) -> None:
    publish(mirror, CONTENT, "silver.tar.xz")
    with pytest.raises(BuildError) as caught:
        sources.fetch(
            context,
            [
                distfile(f"{mirror.url}/gold-1.tar.xz", "ftp://example.org/gold-1.tar.xz"),
                distfile(f"{mirror.url}/silver.tar.xz", file="silver.tar.xz"),
                distfile("file:///etc/passwd", file="lead.tar.xz"),
                distfile(file="tin.tar.xz"),
            ],
        )
    assert caught.value.status == 3
    assert caught.value.message.splitlines()[1:] == [
        "  gold-1.tar.xz, of app-misc/gold-1:",
        f"    {mirror.url}/gold-1.tar.xz: the server answers 404 Not Found",
        "    ftp://example.org/gold-1.tar.xz: unsupported scheme (expected http or https)",
        "  lead.tar.xz, of app-misc/gold-1:",
        "    file:///etc/passwd: unsupported scheme (expected http or https)",
        "  tin.tar.xz, of app-misc/gold-1:",
        "    no place to download it from",
    ]
    assert cached(context) == {"silver.tar.xz": CONTENT}
    assert str(context.root / "distfiles") in str(caught.value.hint)


def test_a_digest_mismatch_among_sources_that_cannot_be_had_is_a_failed_verification(
    context: Context, mirror: Server
) -> None:
    publish(mirror, OTHER, "changed.tar.xz")
    wanted = [distfile(f"{mirror.url}/{name}", file=name) for name in ("gone.tar.xz", "changed.tar.xz")]
    with pytest.raises(VerificationError) as caught:
        sources.fetch(context, wanted)
    assert caught.value.status == 4
    assert "gone.tar.xz: the server answers 404" in caught.value.message
    assert "changed.tar.xz: digest mismatch" in caught.value.message


def test_a_host_that_cannot_be_reached_is_asked_once(
    context: Context, mirror: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.stop()
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    wanted = [distfile(f"{mirror.url}/{name}", file=name) for name in ("a.tar.xz", "b.tar.xz", "c.tar.xz")]
    with pytest.raises(BuildError) as caught:
        sources.fetch(context, wanted)
    assert len(waits) == 2
    assert caught.value.message.count("cannot be reached") == 2


def test_a_broken_connection_is_resumed(context: Context, mirror: Server) -> None:
    publish(mirror, CONTENT, "gold-1.tar.xz")
    mirror.goes_down = {"/gold-1.tar.xz": 300_000}
    wanted = [distfile(f"{mirror.url}/gold-1.tar.xz")]
    with pytest.raises(BuildError, match="cannot be fetched"):
        sources.fetch(context, wanted)
    mirror.start()
    sources.fetch(context, wanted)
    assert mirror.asked("gold-1.tar.xz") == [0, 300_000]
    assert cached(context) == {"gold-1.tar.xz": CONTENT}


BLAKE2B_PATH = f"{hashlib.blake2b(b'gold-1.tar.xz').hexdigest()[:2]}/gold-1.tar.xz"
SHA512_NAME = hashlib.sha512(b"gold-1.tar.xz").hexdigest()
LAYOUTS = {
    "Gentoo's": ("[structure]\n0=filename-hash BLAKE2B 8\n1=flat\n", BLAKE2B_PATH),
    "two levels": (
        "[structure]\n0=filename-hash SHA512 8:16\n", f"{SHA512_NAME[:2]}/{SHA512_NAME[2:6]}/gold-1.tar.xz"
    ),
    "flat": ("[structure]\n0=flat\n", "gold-1.tar.xz"),
    "none": (None, "gold-1.tar.xz"),
    "one that is unsupported": ("[structure]\n0=content-hash SHA512 8\n1=filename-hash BLAKE2B 8\n", BLAKE2B_PATH),
    "malformed": ("0=flat\n", "gold-1.tar.xz"),
    "without a structure": ("[other]\n", "gold-1.tar.xz"),
    "with words for numbers": ("[structure]\nfirst=flat\n", "gold-1.tar.xz"),
    "with an invalid cutoff": ("[structure]\n0=filename-hash BLAKE2B x\n", "gold-1.tar.xz"),
    "no text": ("\udcff", "gold-1.tar.xz"),
}  # fmt: skip


@pytest.mark.parametrize(("layout", "path"), LAYOUTS.values(), ids=LAYOUTS.keys())
def test_a_mirror_has_a_source_where_its_layout_says(
    context: Context, mirror: Server, layout: str | None, path: str
) -> None:
    if layout is not None:
        publish(mirror, layout.encode(errors="surrogateescape"), "distfiles/layout.conf")
    publish(mirror, CONTENT, f"distfiles/{path}")
    sources.fetch(context, [distfile(mirror.url, kind="mirror")])
    assert cached(context) == {"gold-1.tar.xz": CONTENT}


def test_the_layout_of_a_mirror_is_looked_up_once(context: Context, mirror: Server) -> None:
    publish(mirror, CONTENT, "distfiles/a", "distfiles/b")
    sources.fetch(context, [distfile(mirror.url, kind="mirror", file=name) for name in ("a", "b")])
    assert len(mirror.asked("layout.conf")) == 1


def test_two_stages_that_need_the_same_source_fetch_it_once(context: Context, mirror: Server) -> None:
    publish(mirror, CONTENT, "gold-1.tar.xz")
    wanted = [distfile(f"{mirror.url}/gold-1.tar.xz")]
    threads = [threading.Thread(target=sources.fetch, args=(context, wanted)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mirror.asked("gold-1.tar.xz") == [0]
    assert cached(context) == {"gold-1.tar.xz": CONTENT}


def test_a_lock_that_is_a_link_is_not_followed(context: Context, tmp_path: Path) -> None:
    folder = context.cache / "distfiles"
    folder.mkdir(parents=True)
    (folder / ".lock").symlink_to(tmp_path / "victim")
    with pytest.raises(UserError, match=r"\.lock: is a link"):
        sources.fetch(context, [])
    assert not (tmp_path / "victim").exists()
