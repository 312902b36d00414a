"""Orders and what else operators change, as forms and as JSON."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from starlette.testclient import TestClient

from alchemy.rack.identity import Keys
from alchemy.rack.records import nodes, orders
from alchemy.rack.records.database import Records
from tests.unit.rack.scenes import NOW

HTML = {"Accept": "text/html"}
LATER = "2026-11-28T13:00:00Z"
WIPE = {"profile": "wipe", "confirm": "EX0014", "expires": LATER}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "profile: unknown (expected one of: burnin, intake, local, local-efi-disk, rescue, wipe)"),
        ({"profile": "wipes"}, "profile: unknown (expected one of: "),
        ({"profile": ["local"]}, "profile: unknown (expected one of: "),
        ({"profile": "local", "once": "yes"}, "once: invalid (expected true or false)"),
        ({"profile": "local", "expires": "tomorrow"}, "expires: invalid (expected a time of RFC 3339"),
        ({"profile": "local", "expires": "2026-11-28T13:00:00"}, "expires: invalid (expected a time of RFC 3339"),
        ({"profile": "local", "expires": 7}, "expires: invalid (expected a time of RFC 3339"),
        ({"profile": "local", "expires": "0001-01-01T00:00:00+23:59"}, "expires: invalid"),
        ({"profile": "local", "expires": "2026-11-28T04:59:59Z"}, "expires: in the past"),
        ({"profile": "local", "expires": "2028-01-01T00:00:00Z"}, "expires: too late (expected at most 366 days"),
        ({"profile": "local", "confirm": 7}, "confirm: invalid (expected the serial of the node)"),
        ({"profile": "local", "force": True}, "force: unknown field (expected confirm, expires, once, profile)"),
        ({"profile": "wipe"}, "expires: missing"),
        ({"profile": "wipe", "confirm": "EX0014"}, "expires: missing"),
        ({"profile": "wipe", "expires": LATER}, "confirm: not the serial of the node"),
        ({**WIPE, "confirm": "EX0012"}, "confirm: not the serial of the node"),
        ({**WIPE, "confirm": ""}, "confirm: not the serial of the node"),
    ],
)
def test_an_order_that_is_refused(
    operator: TestClient, records: Records, filled: Mapping[str, str], body: Mapping[str, object], error: str
) -> None:
    answer = operator.post(f"/v1/nodes/{filled['failed']}/orders", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)
    with records.reading() as connection:
        assert orders.history(connection, filled["failed"]) == []


@pytest.mark.parametrize("content", ["", "[]", "{", '{"profile":"local","profile":"wipe"}', "[" * 100_000, "\xff"])
def test_a_malformed_body_is_refused(operator: TestClient, filled: Mapping[str, str], content: str) -> None:
    answer = operator.post(f"/v1/nodes/{filled['failed']}/orders", content=content.encode("latin-1"))
    assert answer.status_code in (400, 413)
    assert answer.json()["error"].startswith("body: ")


def test_an_order_by_json(operator: TestClient, filled: Mapping[str, str]) -> None:
    node = filled["failed"]
    answer = operator.post(f"/v1/nodes/{node}/orders", json={"profile": "rescue"})
    assert answer.status_code == 201
    made = answer.json()
    assert {"profile": "rescue", "once": True, "destructive": False, "operator": "alice"}.items() <= made.items()
    assert operator.get(f"/v1/nodes/{node}").json()["order"] == made
    replaced = operator.post(f"/v1/nodes/{node}/orders", json={**WIPE, "once": False}).json()
    assert (replaced["once"], replaced["destructive"], replaced["expires"]) == (False, True, "2026-11-28T13:00:00.000Z")
    history = operator.get(f"/v1/nodes/{node}").json()["orders"]
    assert [order["outcome"] for order in history] == [None, "replaced"]
    events = operator.get(f"/v1/events?node={node}").json()["events"]
    assert events[0]["message"] == "alice ordered wipe until it is cancelled, until 2026-11-28 13:00 UTC"
    assert operator.post("/v1/nodes/99/orders", json={"profile": "local"}).status_code == 404


def test_an_order_by_forms(operator: TestClient, records: Records, filled: Mapping[str, str]) -> None:
    url = f"/nodes/{filled['failed']}/orders"
    question = operator.get(f"{url}?profile=wipe", headers=HTML).text
    for shown in ("DESTRUCTIVE", "net burnin_disks=blank", "EX0014", "Type the serial"):
        assert shown in question
    assert "never" not in question
    wrong = operator.post(url, headers=HTML, data={"profile": "wipe", "hours": "8", "confirm": "EX0012"})
    assert wrong.status_code == 400
    assert "confirm: not the serial of the node" in wrong.text
    assert '<option value="8" selected>' in wrong.text
    form = {"profile": "wipe", "hours": "8", "confirm": " EX0014 ", "once": "no"}
    done = operator.post(url, headers=HTML, data=form)
    assert (done.status_code, done.headers["location"]) == (303, f"/nodes/{filled['failed']}#orders")
    with records.reading() as connection:
        order = orders.current(connection, filled["failed"], now=NOW)
    assert order is not None
    assert (order.profile, order.once, order.operator, str(order.expires)) == (
        "wipe", False, "alice", "2026-11-28 13:00:00+00:00",
    )  # fmt: skip
    page = operator.get(f"/nodes/{filled['failed']}", headers=HTML).text
    assert "ordered by alice" in page
    assert operator.post(f"{url}/cancel", data={"x": ""}).status_code == 303
    assert "No order: rack.yml decides." in operator.get(f"/nodes/{filled['failed']}", headers=HTML).text


def test_an_order_that_is_not_destructive_needs_no_serial(operator: TestClient, filled: Mapping[str, str]) -> None:
    url = f"/nodes/{filled['unknown']}/orders"
    question = operator.get(f"{url}?profile=rescue", headers=HTML).text
    assert "Type the serial" not in question
    assert operator.post(url, data={"profile": "rescue", "hours": "", "once": "yes"}).status_code == 303
    order = operator.get(f"/v1/nodes/{filled['unknown']}").json()["order"]
    assert (order["profile"], order["once"], order["expires"]) == ("rescue", True, None)


@pytest.mark.parametrize("profile", ["", "nothing", "<script>"])
def test_an_unknown_profile_has_no_form(operator: TestClient, filled: Mapping[str, str], profile: str) -> None:
    url = f"/nodes/{filled['failed']}/orders"
    assert operator.get(url, params={"profile": profile}).status_code == 404
    assert operator.post(url, data={"profile": profile}).status_code == 400


def test_an_alarm_is_cleared(operator: TestClient, filled: Mapping[str, str]) -> None:
    node = filled["alarm"]
    assert operator.post(f"/nodes/{node}/alarm", data={"x": ""}).status_code == 303
    assert operator.get(f"/v1/nodes/{node}").json()["alarm"] is None
    event = operator.get(f"/v1/events?node={node}").json()["events"][0]
    assert event["message"].startswith("alice cleared: 192.0.2.77 asks with the keys")
    assert operator.post(f"/nodes/{node}/alarm", data={"x": ""}).status_code == 303
    assert operator.get(f"/v1/events?node={node}").json()["events"][0] == event


def test_a_key_is_released(operator: TestClient, records: Records, filled: Mapping[str, str]) -> None:
    node = filled["passed"]
    key = {"kind": "serial", "value": "EX0012"}
    assert operator.post(f"/nodes/{filled['failed']}/keys", data=key).status_code == 400
    assert operator.post(f"/nodes/{node}/keys", data={"kind": "\u202e", "value": ""}).status_code == 400
    assert operator.post(f"/nodes/{node}/keys", data=key).status_code == 303
    with records.reading() as connection:
        assert nodes.match(connection, Keys(serial="EX0012")).node is None
    messages = [event["message"] for event in operator.get(f"/v1/events?node={node}").json()["events"]]
    assert messages[0] == "alice released the serial EX0012"
