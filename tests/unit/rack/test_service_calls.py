"""The calls of a node: each request with its status and body, the refused ones most of all."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from alchemy.rack.records import events, inventories, nodes, runs
from tests.unit.rack.rigs import Rig, bearer

DOCUMENT: dict[str, Any] = {"inventory": {}, "alchemy": {"schema": 1}}
START_LINE = {"sequenceNumber": 0, "timestamp": "2026-11-28T12:00:00Z", "schemaVersion": {"major": 2, "minor": 0}}
PASS_LINE = {"sequenceNumber": 1, "testRunArtifact": {"testRunEnd": {"status": "COMPLETE", "result": "PASS"}}}


def send(rig: Rig, call: str, body: object, session: dict[str, Any] | None = None) -> httpx.Response:
    """Sends `METHOD PATH` with a JSON document, or with bytes as they are."""
    method, path = call.split(" ")
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {} if session is None else bearer(session)
    answer: httpx.Response = rig.client().request(method, path, content=content, headers=headers)
    return answer


def begin(rig: Rig) -> tuple[dict[str, Any], str]:
    session = rig.session()
    answer = send(rig, "POST /v1/runs", {"node": session["node"]}, session)
    assert answer.status_code == 201
    return session, answer.json()["run"]


def test_inventories_are_kept_beside_each_other(rig: Rig) -> None:
    session = rig.session()
    call = f"PUT /v1/nodes/{session['node']}/inventory"
    assert send(rig, call, DOCUMENT, session).json() == {"inventory": "1", "differences": []}
    changed = {**DOCUMENT, "alchemy": {"schema": 1, "asset_tag": "A00002"}}
    assert send(rig, call, changed, session).json()["inventory"] == "2"
    with rig.records.reading() as connection:
        assert len(inventories.history(connection, session["node"])) == 2
        assert [event.kind for event in events.since(connection)] == ["boot", "inventory", "inventory"]


def test_an_event_says_where_a_node_is(rig: Rig) -> None:
    session = rig.session()
    call = f"POST /v1/nodes/{session['node']}/events"
    answer = send(rig, call, {"stage": "burnin", "message": "started\x00\x1b[2J"}, session)
    assert (answer.status_code, answer.json()) == (201, {"event": 2})
    with rig.records.reading() as connection:
        node = nodes.get(connection, session["node"])
        last = events.latest(connection)[0]
    assert node is not None
    assert (node.stage, node.stage_message, node.stage_at) == ("burnin", "started\ufffd\ufffd[2J", rig.clock())
    assert (last.kind, last.message) == ("stage", "burnin: started\ufffd\ufffd[2J")
    assert last.data == {"stage": "burnin", "message": "started\ufffd\ufffd[2J"}


def test_a_run_from_its_beginning_to_its_end(rig: Rig) -> None:
    session, run = begin(rig)
    # the answer may have been lost
    assert send(rig, "POST /v1/runs", {"node": session["node"]}, session).json() == {"run": run}
    lines = f"POST /v1/runs/{run}/lines"
    assert send(rig, lines, [START_LINE], session).json() == {"run": run, "lines": 1}
    assert send(rig, lines, [START_LINE, PASS_LINE], session).json() == {"run": run, "lines": 2}
    assert send(rig, lines, [PASS_LINE], session).json() == {"run": run, "lines": 2}
    for first, expected in ((0, [START_LINE, PASS_LINE]), (1, [PASS_LINE]), (2, [])):
        answer = rig.client().get(f"/v1/runs/{run}/lines?from={first}", headers=bearer(session))
        assert (answer.status_code, answer.json()) == (200, expected)
    with rig.records.reading() as connection:
        said = [event.message for event in events.since(connection) if event.kind == "run"]
    assert said == [f"run {run}: begun", f"run {run}: begun", f"run {run}: COMPLETE PASS"]


def test_after_pass_nothing_is_run_again(rig: Rig) -> None:
    session, run = begin(rig)
    send(rig, f"PUT /v1/nodes/{session['node']}/inventory", DOCUMENT, session)
    send(rig, f"POST /v1/runs/{run}/lines", [START_LINE, PASS_LINE], session)
    for boot in ("boot-2", "boot-3"):
        assert rig.boot(boot_id=boot).status_code == 403


def test_lines_come_in_pages(rig: Rig) -> None:
    session, run = begin(rig)
    lines = [{"sequenceNumber": number, "log": "x" * 50} for number in range(2500)]
    for at in range(0, len(lines), 500):
        assert send(rig, f"POST /v1/runs/{run}/lines", lines[at : at + 500], session).status_code == 200
    got: list[object] = []
    while page := rig.client().get(f"/v1/runs/{run}/lines?from={len(got)}", headers=bearer(session)).json():
        assert len(page) <= 1000
        got += page
    assert got == lines


def test_a_page_is_bounded_in_size(rig: Rig) -> None:
    session, run = begin(rig)
    lines = [{"sequenceNumber": number, "log": ["x" * 60_000] * 30} for number in range(4)]
    for line in lines:
        assert send(rig, f"POST /v1/runs/{run}/lines", [line], session).status_code == 200
    answer = rig.client().get(f"/v1/runs/{run}/lines", headers=bearer(session))
    assert answer.json() == lines[:2]


NODE_CALLS = (
    ("PUT /v1/nodes/1/inventory", DOCUMENT),
    ("POST /v1/nodes/1/events", {"stage": "x"}),
    ("POST /v1/runs", {"node": "1"}),
    ("POST /v1/runs/1/lines", [START_LINE]),
    ("GET /v1/runs/1/lines", b""),
)


@pytest.mark.parametrize(("call", "body"), NODE_CALLS)
@pytest.mark.parametrize(
    ("header", "error"),
    [
        (None, "token: missing (expected `Authorization: Bearer TOKEN`)"),
        ("Bearer", "token: missing (expected `Authorization: Bearer TOKEN`)"),
        ("Basic b3A6cHc=", "token: missing (expected `Authorization: Bearer TOKEN`)"),
        ("Bearer " + "x" * 600, "token: missing (expected `Authorization: Bearer TOKEN`)"),
        ("Bearer wrong", "token: unknown or expired"),
    ],
)
def test_without_a_valid_token_nothing_is_kept(
    rig: Rig, call: str, body: object, header: str | None, error: str
) -> None:
    begin(rig)
    method, path = call.split(" ")
    headers = {} if header is None else {"Authorization": header}
    answer = rig.client().request(method, path, json=body if body != b"" else None, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (401, error)
    assert answer.headers["www-authenticate"] == "Bearer"
    with rig.records.reading() as connection:
        assert [event.kind for event in events.since(connection)] == ["boot", "run"]
        assert runs.lines(connection, "1") == []


@pytest.mark.parametrize(
    ("call", "body", "error"),
    [
        ("PUT /v1/nodes/1/inventory", DOCUMENT, "token: wrong node (expected that of node 1)"),
        ("POST /v1/nodes/1/events", {"stage": "x"}, "token: wrong node (expected that of node 1)"),
        ("POST /v1/runs", {"node": "1"}, "token: wrong node (expected that of node 1)"),
        ("POST /v1/nodes/99/events", {"stage": "x"}, "token: wrong node (expected that of node 99)"),
        ("POST /v1/runs/1/lines", [START_LINE], "token: wrong node (run 1 belongs to another one)"),
        ("GET /v1/runs/1/lines", b"", "token: wrong node (run 1 belongs to another one)"),
    ],
)
def test_another_nodes_token_is_refused(rig: Rig, call: str, body: object, error: str) -> None:
    begin(rig)
    other = rig.session("192.0.2.8", serial="SN-0002", uuid="", macs=["52:54:00:00:00:02"])
    answer = send(rig, call, body, other)
    assert (answer.status_code, answer.json()["error"]) == (403, error)


def test_a_token_expires(rig: Rig) -> None:
    session = rig.session()
    rig.clock.turn(days=7)
    answer = send(rig, "POST /v1/nodes/1/events", {"stage": "x"}, session)
    assert (answer.status_code, answer.json()["error"]) == (401, "token: unknown or expired")


DEEP = b"[" * 100_000 + b"]" * 100_000
GARBAGE = [
    (b"", "body: not JSON (line 1, column 1)"),
    (b"\x00\xff\xfe", "body: not UTF-8"),
    (b"{", "body: not JSON (line 1, column 2)"),
    (b'{"stage": NaN}', "body: NaN is not a JSON number"),
    (b'{"stage": -Infinity}', "body: -Infinity is not a JSON number"),
    (b'{"stage": 1e999}', "body: a number is too large"),
    (b'{"stage": 9223372036854775808}', "body: an integer does not fit into 64 bits"),
    (b'{"stage": ' + b"9" * 5000 + b"}", "body: a number is too long"),
    (b'{"stage": "a", "stage": "b"}', "body: duplicate key"),
    (b'{"stage": {"a": 1, "a": 2}}', "body: duplicate key"),
    (DEEP[:50] + DEEP[-50:], "body: too deep (expected at most 40 levels)"),
    (b"[1]", "body: expected an object"),
    (b'"x"', "body: expected an object"),
    (b'{"stage": 7}', "stage: expected a string, got int"),
    (b'{"stage": "  "}', "stage: missing (expected a word)"),
    (b"{}", "stage: missing (expected a word)"),
    (b'{"stage": "x", "message": []}', "message: expected a string, got list"),
]


@pytest.mark.parametrize(("body", "error"), GARBAGE)
def test_garbage_is_refused_with_the_reason(rig: Rig, body: bytes, error: str) -> None:
    session = rig.session()
    answer = send(rig, "POST /v1/nodes/1/events", body, session)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert set(answer.json()) == {"error", "hint"}


def test_a_bottomless_document_is_refused(rig: Rig) -> None:
    session = rig.session()
    answer = send(rig, "PUT /v1/nodes/1/inventory", DEEP, session)
    assert (answer.status_code, answer.json()["error"]) == (400, "body: too deep (expected at most 40 levels)")


@pytest.mark.parametrize(
    ("call", "body", "status", "error"),
    [
        ("PUT /v1/nodes/1/inventory", {}, 400, "inventory: missing (expected an object)"),
        ("PUT /v1/nodes/1/inventory", {"inventory": {}}, 400, "alchemy: missing (expected an object)"),
        ("PUT /v1/nodes/1/inventory", {"inventory": [], "alchemy": {}}, 400, "inventory: missing (expected an object)"),
        ("POST /v1/runs", {}, 400, "node: missing (expected the id of a node)"),
        ("POST /v1/runs", {"node": True}, 400, "node: missing (expected the id of a node)"),
        ("POST /v1/runs/1/lines", {}, 400, "lines: expected a list of at most 10000 objects"),
        ("POST /v1/runs/1/lines", [1], 400, "lines: not a list of objects"),
        ("POST /v1/runs/1/lines", [{}], 400, "sequenceNumber: missing or not a whole number from 0 on"),
        (
            "POST /v1/runs/1/lines",
            [{"sequenceNumber": -1}],
            400,
            "sequenceNumber: missing or not a whole number from 0 on",
        ),
        (
            "POST /v1/runs/1/lines",
            [{"sequenceNumber": 0}] * 10001,
            400,
            "lines: expected a list of at most 10000 objects",
        ),
        ("POST /v1/runs/99/lines", [], 404, "run 99: unknown"),
        ("POST /v1/runs/x/lines", [], 404, "run x: unknown"),
        ("GET /v1/runs/1/lines?from=-1", b"", 400, "from: expected a sequenceNumber"),
        ("GET /v1/runs/1/lines?from=x", b"", 400, "from: expected a sequenceNumber"),
        ("GET /v1/runs/1/lines?from=" + "9" * 17, b"", 400, "from: expected a sequenceNumber"),
        ("GET /v1/none", b"", 404, "/v1/none: unknown path"),
        ("DELETE /v1/boots", b"", 405, "/v1/boots: DELETE is not allowed"),
    ],
)
def test_what_a_call_does_not_take(rig: Rig, call: str, body: object, status: int, error: str) -> None:
    session, _ = begin(rig)
    answer = send(rig, call, body, session)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert set(answer.json()) == {"error", "hint"}
    with rig.records.reading() as connection:
        assert runs.lines(connection, "1") == []


@pytest.mark.parametrize(
    ("call", "limit"),
    [
        ("POST /v1/boots", 65536),
        ("POST /v1/nodes/1/events", 65536),
        ("POST /v1/runs", 65536),
        ("PUT /v1/nodes/1/inventory", 4194304),
        ("POST /v1/runs/1/lines", 4194304),
        ("GET /healthz", 0),
    ],
)
def test_a_body_is_bounded(rig: Rig, call: str, limit: int) -> None:
    session, _ = begin(rig)
    expected = (413, {"error": f"body: too large (expected at most {limit} bytes)", "hint": ""})
    answer = send(rig, call, b"x" * (limit + 1), session)
    assert (answer.status_code, answer.json()) == expected
    # as large as it says it is: nothing of it is read
    method, path = call.split(" ")
    answer = rig.client().request(method, path, content=b"{}", headers={"content-length": str(100 << 20)})
    assert (answer.status_code, answer.json()) == expected


def test_html_of_a_node_is_kept_as_text(rig: Rig) -> None:
    session = rig.session()
    document = {"inventory": {"hostname": "<script>alert(1)</script>"}, "alchemy": {"schema": 1}}
    assert send(rig, "PUT /v1/nodes/1/inventory", document, session).status_code == 200
    with rig.records.reading() as connection:
        assert inventories.read(connection, "1") == document
