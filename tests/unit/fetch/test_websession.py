from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.fetch import download
from alchemy.fetch.websession import WebSession


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs that are asked for. A server answers /to/URL with a redirect there, and anything else with its path."""
    urls: list[str] = []

    def send(_: HTTPAdapter, request: requests.PreparedRequest, **__: Any) -> requests.Response:
        urls.append(str(request.url))
        response = requests.Response()
        response.url, response.request, response.status_code = str(request.url), request, 200
        target = response.url.partition("/to/")[2]
        if target:
            response.status_code, response.headers["Location"] = 302, target
        response._content = b"content"
        return response

    monkeypatch.setattr(HTTPAdapter, "send", send)
    return urls


@pytest.mark.parametrize("target", ["http://h/x", "http://other/x", "ftp://h/x", "HTTP://h/x", "file:///etc/passwd"])
def test_https_is_never_redirected_to_anything_else(
    context: Context, asked: list[str], tmp_path: Path, target: str
) -> None:
    with pytest.raises(UserError, match=r"^https://h/to/.*: refused: it redirects to [a-z]+ \(expected https\)"):
        download.fetch(context, f"https://h/to/{target}", tmp_path / "x")
    assert asked == [f"https://h/to/{target}"]
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("url", "final"),
    [
        ("https://h/to/https://other/x", "https://other/x"),
        ("https://h/to//x", "https://h/x"),
        ("http://h/to/https://h/x", "https://h/x"),
        ("http://h/to/http://other/x", "http://other/x"),
    ],
)
def test_other_redirects_are_followed(asked: list[str], url: str, final: str) -> None:
    with WebSession() as session:
        assert session.get(url).url == final
    assert asked == [url, final]
