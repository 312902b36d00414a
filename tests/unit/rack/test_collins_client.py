from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from alchemy.rack.collins import assets, sse
from alchemy.rack.collins.assets import Asset, Assets
from alchemy.rack.collins.client import Client, CollinsError
from alchemy.rack.identity import Keys
from tests import collins
from tests.collins_parsers import Hardware
from tests.unit.rack.collins_settings import settings

MAC = "52:54:00:12:34:56"


@pytest.fixture
def server() -> Iterator[collins.Collins]:
    with collins.serving(collins.Collins()) as running:
        yield running


def client_of(folder: Path, answer: Callable[[httpx.Request], httpx.Response]) -> Client:
    return Client(settings(folder, "http://collins.example"), httpx.MockTransport(answer))


def test_an_asset_is_read_with_its_keys(server: collins.Collins, tmp_path: Path) -> None:
    hardware = Hardware(nics=[(1, MAC.upper()), (1, "")], serial="S1")
    server.assets["R1-07"] = collins.Asset("Maintenance", "HW_TESTING", attributes={"X": "1"}, hardware=hardware)
    client = Client(settings(tmp_path, server.url))
    assert client.asset("R1-07") == Asset(
        "R1-07", "Maintenance", "HW_TESTING", serial="S1", macs=(MAC,), attributes={"X": "1"}
    )
    assert client.asset("R1-08") is None


def test_all_servers_are_read_page_by_page(server: collins.Collins, tmp_path: Path) -> None:
    server.assets = {f"T{number}": collins.Asset("New") for number in range(250)}
    server.assets["rack"] = collins.Asset("New", kind="RACK")
    found = Client(settings(tmp_path, server.url)).servers()
    assert {asset.tag for asset in found} == {f"T{number}" for number in range(250)}
    assert len(server.requests) == 3


def test_no_server_is_an_answer(server: collins.Collins, tmp_path: Path) -> None:
    assert Client(settings(tmp_path, server.url)).servers() == []


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (500, r"/api/asset/T: refused: 500 Internal Server Error \(on demand\)$"),
        ("half", r"/api/asset/T: truncated, or not HTTP$"),
    ],
)
def test_a_broken_answer_is_an_error(server: collins.Collins, tmp_path: Path, fault: int | str, message: str) -> None:
    server.assets["T"] = collins.Asset()
    server.faults = [fault]
    client = Client(settings(tmp_path, server.url))
    with pytest.raises(CollinsError, match=message):
        client.asset("T")
    assert client.asset("T") is not None


def test_a_password_is_in_no_message_and_no_log(
    server: collins.Collins, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = Client(settings(tmp_path, server.url, password="hunter2"))
    with pytest.raises(CollinsError, match="refused: 401 Unauthorized") as caught:
        client.servers()
    secrets = ("hunter2", "Ymxha2U6aHVudGVyMg==")
    # the stand-in echoes the header
    assert "(Invalid credentials Basic (removed))" in str(caught.value)
    assert not any(
        secret in text
        for secret in secrets
        for text in (str(caught.value), caplog.text, repr(client), repr(vars(client)))
    )


def test_a_new_password_counts_at_once(server: collins.Collins, tmp_path: Path) -> None:
    client = Client(settings(tmp_path, server.url, password="old"))
    with pytest.raises(CollinsError, match="401"):
        client.servers()
    settings(tmp_path, server.url)
    assert client.servers() == []
    (tmp_path / "collins.password").unlink()
    with pytest.raises(CollinsError, match=r"collins\.password: No such file or directory"):
        client.servers()


def raw(status: int, body: object, **headers: str) -> httpx.Response:
    """A response as it comes over a network: not read yet."""
    text = body if isinstance(body, str) else json.dumps(body)
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(text.encode()))


HOSTILE: dict[str, tuple[httpx.Response, str]] = {
    "a redirect": (raw(302, "", Location="http://other.example"), "it redirects"),
    "a compressed answer": (raw(200, "x", **{"Content-Encoding": "gzip"}), "a compressed answer"),
    "HTML": (raw(200, "<html>"), "not a page of assets"),
    "a list": (raw(200, [1]), "not a page of assets"),
    "deep JSON": (raw(200, "[" * 100000), "not a page of assets"),
    "an asset without a status": (raw(200, {"data": {"Data": [{"TAG": "x"}]}}), "not an asset"),
    "a tag that is a path": (raw(200, {"data": {"Data": [{"TAG": "../x", "STATUS": "New"}]}}), "not an asset"),
    "a refusal with control characters": (
        raw(400, {"data": {"message": "a\x1b]2;b\nc"}}),
        r"refused: 400 Bad Request \(a\\x1b\]2;b c\)",
    ),
}


@pytest.mark.parametrize(("answer", "message"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_answer_is_refused(tmp_path: Path, answer: httpx.Response, message: str) -> None:
    with pytest.raises(CollinsError, match=message):
        client_of(tmp_path, lambda _: answer).servers()


def test_an_answer_that_is_too_large_is_refused(tmp_path: Path) -> None:
    client = client_of(tmp_path, lambda _: httpx.Response(200, stream=httpx.ByteStream(b"x" * 1025)))
    with pytest.raises(CollinsError, match=r"/api: too large \(expected at most 1024 bytes\)"):
        client.call("GET", "/api", most=1024)


def test_pages_without_an_end_are_an_error(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        item = {"TAG": "T", "STATUS": "New"}
        return raw(200, {"data": {"Pagination": {"NextPage": page + 1}, "Data": [item]}})

    with pytest.raises(CollinsError, match="too many"):
        client_of(tmp_path, answer).servers()


def test_nobody_listens(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("[Errno 111] Connection refused")

    with pytest.raises(CollinsError, match=r"^http://collins\.example/api/asset/T: no connection: .* refused$"):
        client_of(tmp_path, answer).asset("T")


EVENTS = [
    (b"data: a\n\ndata: b\n\n", ["a", "b"]),
    (b"event: x\nid: 1\ndata: a\ndata:b\n\n", ["a\nb"]),
    (b": comment\n\ndata: a\r\n\r\ndata: b\r\r", ["a", "b"]),
    (b"data: a\n", []),
    (b"data\n\n", [""]),
    (b"retry: 1\n\n", []),
    ("data: \u00e9\n\n".encode(), ["\u00e9"]),
]


@pytest.mark.parametrize(("text", "wanted"), EVENTS)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_events_are_read_however_they_are_cut(text: bytes, wanted: list[str], size: int) -> None:
    blocks = [text[at : at + size] for at in range(0, len(text), size)]
    assert list(sse.data([*blocks, b": end\n"])) == wanted


@pytest.mark.parametrize("text", [b"data: " + b"x" * sse.MOST_BYTES + b"x\n", b"x" * (sse.MOST_BYTES + 1)])
def test_an_event_that_is_too_large_is_an_error(text: bytes) -> None:
    with pytest.raises(ValueError, match="too large"):
        list(sse.data([text]))


def test_a_machine_is_found_by_its_keys() -> None:
    known = Assets()
    known.replace(
        [
            Asset("A", "New"),
            Asset("B", "New", serial="S2", macs=(MAC,)),
            Asset("C", "New", serial="S3"),
            Asset("D", "New", serial="S3"),
        ]
    )

    def found(keys: Keys) -> str | None:
        asset = known.find(keys)
        return None if asset is None else asset.tag

    assert found(Keys(asset_tag="A", serial="S1")) == "A"
    assert found(Keys(serial="S2")) == "B"
    assert found(Keys(macs=("52:54:00:00:00:01", MAC))) == "B"
    # the tag is that of another machine
    assert found(Keys(asset_tag="B", serial="S9", macs=(MAC,))) is None
    assert found(Keys(asset_tag="B", serial="S2")) == "B"
    # two assets have this serial number
    assert found(Keys(serial="S3")) is None
    assert found(Keys(serial="S3", asset_tag="D")) == "D"
    known.put(Asset("D", "New", serial="S4"))
    assert found(Keys(serial="S3")) == "C"
    known.remove("C")
    assert found(Keys(serial="S3")) is None
    assert sorted(known.tags()) == ["A", "B", "D"]


def test_an_asset_is_bounded_and_printable() -> None:
    found = assets.parse({"ASSET": {"TAG": "T", "STATUS": "New", "STATE": {"NAME": "a\nb"}}, "HARDWARE": {"NIC": "x"}})
    assert found == Asset("T", "New")
