"""Portage's source, fetched from the package index that pip is configured for: real pip, a real server, no code run."""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.errors import AlchemyError, UserError, VerificationError
from alchemy.fetch import debian, python_index
from alchemy.run import Runner
from tests.lib import web

FILE = "portage-3.0.83.tar.gz"


def hostile(proof: Path) -> bytes:
    """An sdist whose build backend says that it ran."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as file:
        for name, text in {
            "PKG-INFO": "Metadata-Version: 2.1\nName: portage\nVersion: 3.0.83\n",
            "setup.py": f"open({str(proof)!r}, 'w')",
            "evil.py": f"open({str(proof)!r}, 'w')",
            "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "evil"\nbackend-path = ["."]\n',
        }.items():
            member = tarfile.TarInfo(f"portage-3.0.83/{name}")
            member.size = len(text)
            file.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


@pytest.fixture
def sdist(tmp_path: Path) -> bytes:
    return hostile(tmp_path / "proof")


@pytest.fixture
def digest(sdist: bytes) -> str:
    return hashlib.sha256(sdist).hexdigest()


@pytest.fixture
def served() -> Iterator[tuple[str, dict[str, bytes]]]:
    """The URL of a server on the loopback, and what it has, by path."""
    files: dict[str, bytes] = {}

    class Handler(web.Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = files.get(self.path)
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Length", str(len(found or b"")))
            self.end_headers()
            self.wfile.write(found or b"")

    with web.serving(Handler) as port:
        yield f"http://127.0.0.1:{port}", files


@pytest.fixture
def real(context: Context, real_processes: None, monkeypatch: pytest.MonkeyPatch) -> Context:
    """A context with a pip that has no configuration yet, and no proxy."""
    for name in list(os.environ):
        if name.startswith("PIP_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return dataclasses.replace(context, runner=Runner())


def html(*names: str) -> bytes:
    anchors = "".join(f'<a href="../../files/{name}#sha256=00" data-yanked>{name}</a><br>' for name in names)
    return f"<!DOCTYPE html><html><body><a>no link</a>{anchors}</body></html>".encode()


PAGES: dict[str, Callable[[str], bytes]] = {
    "HTML": lambda url: html("portage-3.0.83-py3-none-any.whl", "portage-3.0.8.tar.gz", FILE),
    "JSON": lambda url: json.dumps(
        {"meta": {"api-version": "1.1"}, "files": [{"filename": FILE, "url": f"{url}/files/{FILE}", "hashes": {}}]}
    ).encode(),
    "an invalid link": lambda url: b'<a href="http://[">' + html(FILE),
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())
def test_a_source_is_fetched_and_nothing_of_it_runs(
    real: Context, served: tuple[str, dict[str, bytes]], sdist: bytes, digest: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, page: Callable[[str], bytes],
) -> None:  # fmt: skip
    url, files = served
    files |= {"/simple/portage/": page(url), f"/files/{FILE}": sdist}
    monkeypatch.setenv("PIP_INDEX_URL", f"{url}/simple/")
    (tmp_path / "folder").mkdir()
    path = debian.python_source(real, "portage", "3.0.83", digest, tmp_path / "folder")
    assert path == tmp_path / "folder" / FILE
    assert path.read_bytes() == sdist
    assert not (tmp_path / "proof").exists()


def test_the_configuration_is_that_of_pip_s_file_too(
    real: Context, served: tuple[str, dict[str, bytes]], sdist: bytes, digest: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    url, files = served
    files |= {"/other/portage/": html(FILE), f"/files/{FILE}": sdist}
    (tmp_path / "pip.conf").write_text(
        f"[global]\nindex-url = {url}/simple\nextra-index-url =\n    {url}/none\n    {url}/other\n", encoding="ascii"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    assert debian.python_source(real, "portage", "3.0.83", digest, tmp_path).read_bytes() == sdist


@pytest.mark.parametrize("as_url", [False, True])
@pytest.mark.parametrize("kind", ["links", "page", "index"])
def test_a_source_is_found_on_this_host(
    real: Context, sdist: bytes, digest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, as_url: bool
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / FILE).write_bytes(sdist)
    project = tmp_path / "simple" / "portage"
    project.mkdir(parents=True)
    (project / "index.html").write_bytes(html(FILE))
    place = {"links": files, "page": project / "index.html", "index": tmp_path / "simple"}[kind]
    if kind == "index":
        monkeypatch.setenv("PIP_INDEX_URL", place.as_uri())
    else:
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", place.as_uri() if as_url else str(place))
    (tmp_path / "folder").mkdir()
    assert debian.python_source(real, "portage", "3.0.83", digest, tmp_path / "folder").read_bytes() == sdist


def test_a_place_with_another_file_of_that_name_is_passed_over(
    real: Context, served: tuple[str, dict[str, bytes]], sdist: bytes, digest: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    url, files = served
    files |= {"/bad/portage/": html(FILE).replace(b"files", b"bad"), f"/bad/{FILE}": b"forged"}
    files |= {"/good/portage/": html(FILE), f"/files/{FILE}": sdist}
    monkeypatch.setenv("PIP_INDEX_URL", f"{url}/bad")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{url}/good")
    assert debian.python_source(real, "portage", "3.0.83", digest, tmp_path).read_bytes() == sdist


REFUSED: dict[str, tuple[dict[str, bytes], type[AlchemyError], str]] = {
    "a project that is not there": ({}, UserError, "not found in the Python package index"),
    "a version that is not there": ({"/simple/portage/": html("portage-3.0.8.tar.gz")}, UserError, "not found in"),
    "a page that is neither": ({"/simple/portage/": b"\xff\0{}"}, UserError, "not found in"),
    "broken JSON": ({"/simple/portage/": b'{"files": [{"url'}, UserError, "malformed index page"),
    "JSON of another kind": ({"/simple/portage/": b'{"files": 7}'}, UserError, "malformed index page"),
    "JSON that nests too deep": ({"/simple/portage/": b'{"a":' * 100_000}, UserError, "malformed index page"),
    "an endless page": ({"/simple/portage/": b" " * ((1 << 20) + 1)}, UserError, "too large for a pointer"),
    "another digest": (
        {"/simple/portage/": html(FILE), f"/files/{FILE}": b"forged"}, VerificationError, "has the SHA-256",
    ),
    "an endless file": (
        {"/simple/portage/": html(FILE), f"/files/{FILE}": b"0" * 4096}, VerificationError, "has the SHA-256",
    ),
}  # fmt: skip


@pytest.fixture
def _no_collection() -> Iterator[None]:
    """Deep inside a parser the finalizers of the server's connections would fail, which pytest reports as an error."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_collection")
@pytest.mark.parametrize(("answers", "kind", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_source_is_refused(
    real: Context, served: tuple[str, dict[str, bytes]], digest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    answers: dict[str, bytes], kind: type[AlchemyError], message: str,
) -> None:  # fmt: skip
    url, files = served
    files |= answers
    monkeypatch.setattr(debian, "_SOURCE_SIZE", 1024)
    monkeypatch.setenv("PIP_INDEX_URL", f"{url}/simple")
    (tmp_path / "folder").mkdir()
    with pytest.raises(kind, match=message):
        debian.python_source(real, "portage", "3.0.83", digest, tmp_path / "folder")
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_server_cannot_name_a_file_of_this_host() -> None:
    page = b'<a href="file:///etc/shadow">x</a><a href="/files/x">x</a><a href="data:,x">x</a>'
    assert python_index.parse_page(page, "https://example.org/simple/x/") == ["https://example.org/files/x"]
    assert python_index.parse_page(page, "file:///srv/simple/x/index.html")[0] == "file:///etc/shadow"


def test_credentials_in_a_url_are_refused_and_not_shown(real: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://ci:hunter2@example.org/simple")
    with pytest.raises(UserError, match=r"the URL of example\.org has credentials in it") as caught:
        python_index.configured(real, real.logfile("stage3"))
    assert "hunter2" not in str(caught.value)
    assert "netrc" in str(caught.value.hint)


def test_certificates_and_the_proxy_are_pip_s(real: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"CERT": "/ca.pem", "CLIENT_CERT": "/me.pem", "PROXY": "http://proxy:3128"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    index = python_index.configured(real, real.logfile("stage3"))
    assert index.settings == {
        "verify": "/ca.pem",
        "cert": "/me.pem",
        "proxies": {"http": "http://proxy:3128", "https": "http://proxy:3128"},
    }


def test_without_a_configuration_the_index_is_pip_s_own(real: Context) -> None:
    (page,) = python_index.configured(real, real.logfile("stage3")).pages
    assert page.startswith("https://")


def test_the_environment_comes_before_the_command_and_that_before_all_commands() -> None:
    listing = (
        ":env:.cert='/env'\ndownload.cert='/download'\nglobal.cert='/global'\n"
        "download.proxy='http://p'\nglobal.proxy='http://q'\ninstall.no-index='true'\nglobal.timeout='9'\n"
    )
    assert python_index.parse_configuration(listing) == {"cert": "/env", "proxy": "http://p", "timeout": "9"}
