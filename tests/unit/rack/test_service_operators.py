"""The operators' calls as the whole application answers them."""

from __future__ import annotations

from pathlib import Path

import pytest

from alchemy.rack.pages import passwords
from alchemy.rack.records.database import Records
from tests.unit.rack import rigs
from tests.unit.rack.rigs import Rig

LOGIN = ("op", "correct horse")


@pytest.fixture
def operated(records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """A service with an operator; a password is right where it is the hash."""
    monkeypatch.setattr(passwords, "matches", lambda password, hashed: password == hashed)
    monkeypatch.setattr(passwords, "check", lambda hashed: None)
    return rigs.make(records, tmp_path, operators={"op": "correct horse", "eye:view": "correct horse"})


@pytest.mark.parametrize("path", ["/", "/nodes/1", "/v1/nodes", "/v1/nodes/1", "/v1/events", "/v1/runs/1"])
def test_the_records_need_a_login(operated: Rig, path: str) -> None:
    operated.session()
    answer = operated.client().get(path, headers={"accept": "application/json"})
    assert answer.status_code == 401
    assert set(answer.json()) == {"error", "hint"}


def test_the_records_as_json(operated: Rig) -> None:
    session = operated.session()
    client = operated.client()
    client.auth = LOGIN
    client.post("/v1/runs", json={"node": session["node"]}, headers=rigs.bearer(session), auth=None)
    listed = client.get("/v1/nodes").json()
    assert [node["serial"] for node in listed["nodes"]] == ["SN-0001"]
    assert client.get("/v1/nodes/1").json()["reason"] == "unknown -> intake"
    assert client.get("/v1/runs/1").json()["verdict"] == "RUNNING"
    assert [event["kind"] for event in client.get("/v1/events").json()["events"]][-1] == "boot"
    assert client.get("/v1/nodes?format=csv").headers["content-type"].startswith("text/csv")
    assert client.get("/").status_code == 200


def test_an_order_decides_the_next_boot(operated: Rig) -> None:
    operated.session()
    client = operated.client()
    client.auth = LOGIN
    answer = client.post("/v1/nodes/1/orders", json={"profile": "rescue"})
    assert answer.status_code == 201, answer.text
    assert "# rescue: order of an operator" in client.get("/v1/boot?serial=SN-0001").text
    assert operated.boot(boot_id="boot-2").json()["error"] == "rescue: order of an operator"


def test_who_may_look_gives_no_order(operated: Rig) -> None:
    operated.session()
    answer = operated.client().post("/v1/nodes/1/orders", json={"profile": "rescue"}, auth=("eye", "correct horse"))
    assert answer.status_code == 403
