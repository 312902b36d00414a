"""Reports to Ironic and to the rack service."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from alchemy_node import rack
from alchemy_node.intake import ironic
from alchemy_node.machine import Machine
from alchemy_node.manager import ManagerError
from alchemy_node.rack import Session
from tests import web_stand_in
from tests.web_stand_in import Request

DOCUMENT = {"inventory": {"hostname": "node1"}, "alchemy": {"schema": 1}}
TOKEN = "t0k3n-of_this.boot="
WHO = {"serial": "AB12", "boot_id": "b"}


def _no_pause(_: float) -> None:
    pass


def test_ironic_gets_the_document_as_it_is() -> None:
    with web_stand_in.serving(lambda _: (202, {"uuid": "1be26c0b-03f2-4d2e-ae87-c02d7f33c123"})) as served:
        assert ironic.report(served.url, DOCUMENT) == "1be26c0b-03f2-4d2e-ae87-c02d7f33c123"
    (request,) = served.requests
    assert (request.method, request.path) == ("POST", "/v1/continue_inspection")
    assert request.document == {**DOCUMENT, "error": None}
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-openstack-ironic-api-version"] == "1.84"


@pytest.mark.parametrize("status", [409, 500, 503])
def test_ironic_is_asked_five_times(status: int) -> None:
    answers = iter([status] * 4 + [202])
    with web_stand_in.serving(lambda _: (next(answers), {})) as served:
        assert ironic.report(served.url, DOCUMENT, _no_pause) == ""
    assert len(served.requests) == 5


@pytest.mark.parametrize(
    ("status", "message", "hint"),
    [
        (400, r"400 Bad Request \(no interfaces\)", ""),
        (404, "404 Not Found", "auto_discovery"),
        (409, "409 Conflict", ""),
    ],
)
def test_what_ironic_refuses(status: int, message: str, hint: str) -> None:
    said = {"error_message": {"faultstring": "no interfaces"}}
    with (
        web_stand_in.serving(lambda _: (status, said)) as served,
        pytest.raises(ManagerError, match=message) as caught,
    ):
        ironic.report(served.url, DOCUMENT, _no_pause)
    assert hint in caught.value.hint


def _rack(request: Request) -> tuple[int, object]:
    if request.path == "/v1/boots":
        return 201, {"node": 7, "token": TOKEN, "jobs": ["inventory", 3], "burnin": {"profile": "quick"}}
    return (204, {}) if request.headers.get("authorization") == f"Bearer {TOKEN}" else (401, {"error": "no token"})


def test_the_rack_service_is_asked_once_a_boot(tmp_path: Path) -> None:
    store = tmp_path / "run" / "rack.json"
    with web_stand_in.serving(_rack) as served:
        session = rack.open_session(served.url, WHO, store)
        assert rack.open_session(served.url, WHO, store) == session
        rack.put_inventory(session, DOCUMENT)
        rack.post_event(session, "intake", "a\x1b[2Jb")
    assert session == Session(served.url, "7", TOKEN, ("inventory",), {"profile": "quick"})
    calls = [(request.method, request.path, request.document) for request in served.requests]
    assert calls == [
        ("POST", "/v1/boots", WHO),
        ("PUT", "/v1/nodes/7/inventory", DOCUMENT),
        ("POST", "/v1/nodes/7/events", {"stage": "intake", "message": "a?[2Jb"}),
    ]
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    assert TOKEN not in repr(session)


@pytest.mark.parametrize("stored", ["", "[]", "{", '{"url": "http://127.0.0.1:9", "node": "1", "token": "x"}'])
def test_a_session_of_another_server_or_none_is_not_used(tmp_path: Path, stored: str) -> None:
    store = tmp_path / "rack.json"
    store.write_text(stored, encoding="utf-8")
    with web_stand_in.serving(_rack) as served:
        assert rack.open_session(served.url, WHO, store).node == "7"


@pytest.mark.parametrize(
    ("status", "document", "message"),
    [
        (403, {"error": "profile local has no jobs"}, r"no run is expected of this machine: .*\(profile local has no"),
        (400, {"error": "no serial"}, r"the boot is refused: 400 Bad Request \(no serial\)"),
        (201, {}, "expected `node` and `token`"),
        (201, {"node": "../x", "token": "t"}, "expected `node` and `token`"),
        (201, {"node": "1", "token": "a\r\nb: c"}, "expected `node` and `token`"),
        (201, ["node"], "expected `node` and `token`"),
    ],
)
def test_what_is_no_session(tmp_path: Path, status: int, document: object, message: str) -> None:
    with (
        web_stand_in.serving(lambda _: (status, document)) as served,
        pytest.raises(ManagerError, match=message),
    ):
        rack.open_session(served.url, WHO, tmp_path / "rack.json", _no_pause)
    assert not (tmp_path / "rack.json").exists()


def test_a_token_that_the_server_echoes_is_not_shown() -> None:
    with (
        web_stand_in.serving(lambda _: (401, {"error": f"dead token {TOKEN}"})) as served,
        pytest.raises(ManagerError) as caught,
    ):
        rack.put_inventory(Session(served.url, "7", TOKEN), DOCUMENT)
    assert TOKEN not in str(caught.value)
    assert "dead token (removed)" in str(caught.value)


def test_who_the_machine_is(tmp_path: Path) -> None:
    files = {
        "etc/os-release": 'NAME="Alchemy Linux"\nVERSION_ID="1.2"\n',
        "sys/class/dmi/id/product_uuid": "4C4C4544-0031-3110-8052-B4C04F564432\n",
        "sys/class/dmi/id/product_serial": " AB\x1b12 \n",
        "sys/class/dmi/id/sys_vendor": "Example Inc.\n",
        "sys/class/dmi/id/product_name": "EX-1000\n",
        "sys/class/net/eth0/address": "02:00:00:00:00:0A\n",
        "sys/class/net/lo/address": "00:00:00:00:00:00\n",
        "proc/sys/kernel/random/boot_id": "0b5b6d54-87c9-4f4e-a3f7-8d8bb0a9ab4f\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert rack.identity(Machine(tmp_path), "T1") == {
        "uuid": "4c4c4544-0031-3110-8052-b4c04f564432",
        "serial": "AB?12",
        "asset_tag": "T1",
        "vendor": "Example Inc.",
        "model": "EX-1000",
        "macs": ["02:00:00:00:00:0a"],
        "version": "1.2",
        "boot_id": "0b5b6d54-87c9-4f4e-a3f7-8d8bb0a9ab4f",
    }
