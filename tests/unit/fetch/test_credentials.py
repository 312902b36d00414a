"""Where credentials are, and where they are not: in ~/.netrc, and in no message."""

from __future__ import annotations

import base64
import dataclasses
import functools
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.errors import AlchemyError
from alchemy.fetch import download, git
from alchemy.run import Runner
from tests.lib import gits, web

LOGIN = "Basic " + base64.b64encode(b"ci:s3cret").decode()


class Handler(web.Quiet, SimpleHTTPRequestHandler):
    """Files for who logs in, `/moved` to a URL with credentials and a token, and `/teapot` with a hostile reason."""

    def do_GET(self) -> None:
        if self.path == "/teapot":
            self.wfile.write(b"HTTP/1.1 403 \x1b]52;c;AAAA\x07\x1b[2J\x9b1mall signatures verified\r\n\r\n")
            self.close_connection = True
        elif self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", f"http://ci:s3cret@{self.headers['Host']}/missing?token=t0ken")
            self.end_headers()
        elif self.path.startswith("/missing"):
            self.send_error(400)
        elif self.headers["Authorization"] != LOGIN:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="gold"')
            self.end_headers()
        else:
            super().do_GET()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a server of the folder `site`, and a home whose .netrc logs in there."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    (tmp_path / "site").mkdir()
    (tmp_path / "home").mkdir()
    netrc = tmp_path / "home" / ".netrc"
    netrc.write_text("machine 127.0.0.1 login ci password s3cret\n", encoding="ascii")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with web.serving(functools.partial(Handler, directory=str(tmp_path / "site"))) as port:
        yield f"http://127.0.0.1:{port}"


def test_a_download_logs_in_by_netrc(context: Context, site: str, tmp_path: Path) -> None:
    (tmp_path / "site" / "stage3.tar.xz").write_bytes(b"gold")
    download.fetch(context, f"{site}/stage3.tar.xz", tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == b"gold"


def test_git_logs_in_by_netrc(context: Context, site: str, tmp_path: Path, real_processes: None) -> None:
    repository = gits.make(tmp_path / "site" / "overlay")
    commit = repository.commit("file", "gold")
    repository.git("update-server-info")
    context = dataclasses.replace(context, runner=Runner())
    assert git.tip(context, f"{site}/overlay/.git", "main", tmp_path / "log") == commit


def test_credentials_and_tokens_of_a_redirection_are_in_no_message(context: Context, site: str, tmp_path: Path) -> None:
    with pytest.raises(AlchemyError) as caught:
        download.fetch(context, f"{site}/moved", tmp_path / "fetched")
    assert "400" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "t0ken" not in str(caught.value)


def test_what_a_server_answers_cannot_act_on_the_terminal(context: Context, site: str, tmp_path: Path) -> None:
    with pytest.raises(AlchemyError) as caught:
        download.fetch(context, f"{site}/teapot", tmp_path / "fetched")
    assert r"403 \x1b]52;c;AAAA\x07\x1b[2J\x9b1mall signatures verified" in str(caught.value)
