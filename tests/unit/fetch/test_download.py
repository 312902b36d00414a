from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.errors import BuildError, UserError
from alchemy.fetch import download
from tests.lib import web

CONTENT = bytes(range(256)) * 4096


class Server:
    """A web server that knows ranges. It breaks the connection after `cuts` bytes, one cut an answer."""

    def __init__(self) -> None:
        self.etag: str | None = '"1"'
        self.cuts: list[int] = []
        self.ranges: list[str | None] = []
        self.sent = 0
        outer = self

        class Handler(web.Quiet, BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/endless":
                    self.send_endlessly()
                    return
                wanted = self.headers["Range"]
                outer.ranges.append(wanted)
                begin = 0
                if wanted and self.headers["If-Range"] == outer.etag:
                    begin = int(wanted.removeprefix("bytes=").rstrip("-"))
                self.send_response(206 if begin else 200)
                if begin:
                    self.send_header("Content-Range", f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}")
                if outer.etag:
                    self.send_header("ETag", outer.etag)
                self.send_header("Content-Length", str(len(CONTENT) - begin))
                self.end_headers()
                self.wfile.write(CONTENT[begin:][: outer.cuts.pop(0) if outer.cuts else None])

            def send_endlessly(self) -> None:
                self.send_response(200)
                self.end_headers()
                with suppress(OSError):
                    while outer.sent < 1 << 30:
                        outer.sent += self.wfile.write(CONTENT)

        self.handler = Handler
        self.url = ""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    made = Server()
    with web.serving(made.handler) as port:
        made.url = f"http://127.0.0.1:{port}/stage3.tar.xz"
        yield made


def test_a_broken_connection_is_gone_on_with(context: Context, server: Server, tmp_path: Path) -> None:
    server.cuts = [500_001, 2]
    download.fetch(context, server.url, tmp_path / "t")
    assert (tmp_path / "t").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=500001-", "bytes=500003-"]
    assert list((context.work / "downloads").iterdir()) == []


def test_the_next_build_goes_on_where_the_last_one_failed(context: Context, server: Server, tmp_path: Path) -> None:
    server.cuts = [1 << 19] + [0] * 5
    with pytest.raises(BuildError, match="cannot be fetched"):
        download.fetch(context, server.url, tmp_path / "t")
    assert not (tmp_path / "t").exists()
    download.fetch(context, server.url, tmp_path / "t")
    assert server.ranges[-1] == f"bytes={1 << 19}-"
    assert (tmp_path / "t").read_bytes() == CONTENT


@pytest.mark.parametrize("etag", [None, 'W/"1"'], ids=["none", "weak"])
def test_what_may_be_another_file_by_now_is_fetched_from_its_begin(
    context: Context, server: Server, tmp_path: Path, etag: str | None
) -> None:
    server.etag, server.cuts = etag, [1 << 19]
    download.fetch(context, server.url, tmp_path / "t")
    assert server.ranges == [None, None]
    assert (tmp_path / "t").read_bytes() == CONTENT


def test_what_has_changed_on_the_server_is_fetched_from_its_begin(
    context: Context, server: Server, tmp_path: Path
) -> None:
    server.cuts = [1 << 19] + [0] * 5
    with pytest.raises(BuildError):
        download.fetch(context, server.url, tmp_path / "t")
    server.etag = '"2"'
    download.fetch(context, server.url, tmp_path / "t")
    assert (tmp_path / "t").read_bytes() == CONTENT


def test_progress_has_the_speed_and_the_time_left(
    context: Context, server: Server, tmp_path: Path, messages: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alchemy.fetch.download._PROGRESS_INTERVAL", 0.0)
    download.fetch(context, server.url, tmp_path / "t")
    assert re.search(r"stage3\.tar\.xz: [\d.]+ [kKM]?B of 1\.0 MB, [\d.]+ \wB/s, \d+.* s left", messages.getvalue())


def test_offline_nobody_is_asked(context: Context, server: Server, tmp_path: Path) -> None:
    offline = dataclasses.replace(context, config=Config(offline=True))
    with pytest.raises(UserError, match=f"{server.url}: is not in the cache, and this build is offline"):
        download.fetch(offline, server.url, tmp_path / "t")
    assert server.ranges == []


def test_a_large_file_is_not_a_pointer(context: Context, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(UserError, match="too large for a pointer"):
        download.small(context, (tmp_path / "big").as_uri())


def test_an_endless_file_is_not_a_pointer_and_fills_no_disk(context: Context, server: Server) -> None:
    with pytest.raises(UserError, match="too large for a pointer"):
        download.small(context, f"{server.url.rpartition('/')[0]}/endless")
    assert server.sent < 64 << 20
