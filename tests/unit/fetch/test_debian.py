from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.errors import BuildError, UserError, VerificationError
from alchemy.fetch import debian
from tests.lib import web
from tests.unit.fakes import FakeRunner

CONTENT = b"gold\0\xff" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """A web server on the loopback. `answers` are the statuses it gives, the last one again and again."""

    def __init__(self) -> None:
        self.answers = [200]
        self.paths: list[str] = []
        self.cut_short = False
        outer = self

        class Handler(web.Quiet, BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.paths.append(self.path)
                self.send_response(outer.answers[min(len(outer.paths), len(outer.answers)) - 1])
                self.send_header("Content-Length", str(len(CONTENT)))
                self.end_headers()
                self.wfile.write(CONTENT[:10] if outer.cut_short else CONTENT)

        self.handler = Handler
        self.port = 0

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    with web.serving(server.handler) as server.port:
        yield server


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited between attempts, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    return waited


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "downloads"
    made.mkdir()
    return made


def test_a_file_is_fetched_under_its_own_name(context: Context, server: Server, folder: Path) -> None:
    path = debian.download(context, server.url("a/linux%2B1.tar.xz?x=/y"), folder, SHA256)
    assert path == folder / "linux+1.tar.xz"
    assert path.read_bytes() == CONTENT
    assert list(folder.iterdir()) == [path]


def test_a_local_file_is_fetched_too(context: Context, tmp_path: Path, folder: Path) -> None:
    (tmp_path / "a b.tar.xz").write_bytes(CONTENT)
    path = debian.download(context, (tmp_path / "a b.tar.xz").as_uri(), folder, SHA256)
    assert path == folder / "a b.tar.xz"
    assert path.read_bytes() == CONTENT


def test_a_wrong_digest_is_refused_and_the_file_removed(context: Context, server: Server, folder: Path) -> None:
    url = server.url("linux.tar.xz")
    with pytest.raises(VerificationError) as caught:
        debian.download(context, url, folder, "0" * 64)
    assert url in caught.value.message
    assert SHA256 in caught.value.message
    assert "0" * 64 in caught.value.message
    assert list(folder.iterdir()) == []


def test_a_local_file_with_a_wrong_digest_stays_where_it_is(context: Context, tmp_path: Path, folder: Path) -> None:
    (tmp_path / "linux.tar.xz").write_bytes(CONTENT)
    with pytest.raises(VerificationError):
        debian.download(context, (tmp_path / "linux.tar.xz").as_uri(), folder, "0" * 64)
    assert (tmp_path / "linux.tar.xz").exists()
    assert list(folder.iterdir()) == []


def test_a_local_file_that_is_not_there_is_the_users_error(context: Context, tmp_path: Path, folder: Path) -> None:
    url = (tmp_path / "missing.tar.xz").as_uri()
    with pytest.raises(UserError, match=f"{url}: not found"):
        debian.download(context, url, folder, SHA256)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_what_the_server_refuses_is_the_users_error_at_once(
    context: Context, server: Server, folder: Path, waits: list[float], status: int
) -> None:
    server.answers = [status]
    url = server.url("linux.tar.xz")
    with pytest.raises(UserError, match=f"{url}: the server answers {status}"):
        debian.download(context, url, folder, SHA256)
    assert len(server.paths) == 1
    assert waits == []
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("answers", [[500, 200], [503, 502, 200], [429, 200]])
def test_what_a_server_cannot_do_now_is_tried_again(
    context: Context, server: Server, folder: Path, waits: list[float], answers: list[int]
) -> None:
    server.answers = answers
    assert debian.download(context, server.url("linux.tar.xz"), folder, SHA256).read_bytes() == CONTENT
    assert len(server.paths) == len(answers)
    assert waits == sorted(waits)


def test_a_server_that_never_can_is_a_failure(
    context: Context, server: Server, folder: Path, waits: list[float]
) -> None:
    server.answers = [500]
    url = server.url("linux.tar.xz")
    with pytest.raises(BuildError, match=f"{url}: cannot be fetched: .*500") as caught:
        debian.download(context, url, folder, SHA256)
    assert len(server.paths) > 2
    assert "network" in str(caught.value.hint)


def test_what_was_cut_short_is_no_file(context: Context, server: Server, folder: Path, waits: list[float]) -> None:
    server.cut_short = True
    with pytest.raises(BuildError, match="cannot be fetched"):
        debian.download(context, server.url("linux.tar.xz"), folder, SHA256)
    assert list(folder.iterdir()) == []


def test_a_server_that_is_not_there_is_a_failure(context: Context, folder: Path, waits: list[float]) -> None:
    with socket.socket() as taken:
        # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/linux.tar.xz"
        with pytest.raises(BuildError, match=f"{url}: cannot be fetched"):
            debian.download(context, url, folder, SHA256)
    assert list(folder.iterdir()) == []


LISTINGS = {
    "none": ("", []),
    "a mirror": (
        "Debian|trixie|http://m/debian/\n",
        ["deb http://m/debian/ sid main", "deb http://m/debian/ sid-updates main"],
    ),
    "a mirror with security": (
        "Debian|trixie|http://m/debian/\nDebian|trixie-updates|http://m/debian/\n"
        "Debian|trixie-security|http://s/debian-security/\n",
        [
            "deb http://m/debian/ sid main",
            "deb http://m/debian/ sid-updates main",
            "deb http://s/debian-security/ sid-security main",
        ],
    ),
    "security alone": ("Debian|trixie-security|http://s/debian-security/\n", []),
    "two mirrors": (
        "Debian|a|https://one/debian/\nDebian|b|https://two/debian/\n",
        ["deb https://one/debian/ sid main", "deb https://one/debian/ sid-updates main"],
    ),
    "a mirror apt has not read yet": (
        "||http://m/debian/\n",
        ["deb http://m/debian/ sid main", "deb http://m/debian/ sid-updates main"],
    ),
    "another distribution": ("Ubuntu|noble|http://m/ubuntu/\n", []),
    "a vendor's repository": ("||https://download.example/linux/\nDocker|x|https://download.example/debian/\n", []),
    "a CD": ("Debian|trixie|cdrom:[debian]/\n", []),
}


@pytest.mark.parametrize(("listing", "lines"), LISTINGS.values(), ids=LISTINGS.keys())
def test_the_mirrors_are_those_of_the_hosts_apt(
    context: Context, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch, listing: str, lines: list[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    runner.answers["apt-get"] = listing
    assert debian.debian_sources(context, "sid") == lines


def test_a_host_without_apt_has_no_mirrors(
    context: Context, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert debian.debian_sources(context, "sid") == []
    assert runner.calls == []
