"""POST /v1/boots: who gets a token, who gets none and why, and what is recorded of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from alchemy.rack.collins.assets import Asset
from alchemy.rack.config import Profile, Rule
from alchemy.rack.identity import Keys
from alchemy.rack.records import events, nodes, orders, runs
from alchemy.rack.records.database import Records
from tests.unit.rack import rigs
from tests.unit.rack.rigs import MAC, START, UUID, Rig, bearer


def order(rig: Rig, node_id: str, profile: str, **changes: Any) -> None:
    values: dict[str, Any] = {"once": True, "destructive": False, "expires": None, "confirm": None, **changes}
    with rig.records.begin() as connection:
        node = nodes.get(connection, node_id)
        assert node is not None
        orders.set(connection, node, profile, operator="op", now=rig.clock(), **values)


def kinds(rig: Rig, node_id: str | None = None) -> list[tuple[str, str]]:
    with rig.records.reading() as connection:
        return [(event.kind, event.message) for event in events.since(connection, node_id=node_id)]


def node(rig: Rig, node_id: str) -> nodes.Node:
    with rig.records.reading() as connection:
        found = nodes.get(connection, node_id)
    assert found is not None
    return found


def inventory(rig: Rig, session: dict[str, Any], address: str = rigs.HERE) -> None:
    document = {"inventory": {}, "alchemy": {"schema": 1}}
    url = f"/v1/nodes/{session['node']}/inventory"
    assert rig.client(address).put(url, json=document, headers=bearer(session)).status_code == 200


def test_an_unknown_node_gets_a_token_and_the_jobs_of_intake(rig: Rig) -> None:
    answer = rig.boot()
    assert answer.status_code == 201
    body = answer.json()
    assert sorted(body) == ["burnin", "expect_url", "jobs", "node", "token"]
    assert (body["jobs"], body["burnin"], body["expect_url"]) == (["inventory", "intake", "burnin"], {}, "")
    assert len(body["token"]) >= 43  # 256 bits
    assert answer.headers["cache-control"] == "no-store"
    assert kinds(rig) == [("boot", "intake: unknown -> intake")]
    found = node(rig, body["node"])
    assert (found.profile, found.reason, found.stage) == ("intake", "unknown -> intake", "system")
    assert (found.address, found.version, found.keys.serial) == (rigs.HERE, "2.0", "SN-0001")


def test_a_node_with_an_inventory_gets_no_token_and_the_reason(rig: Rig) -> None:
    session = rig.session()
    inventory(rig, session)
    answer = rig.boot(boot_id="boot-2")
    assert answer.status_code == 403
    assert answer.json()["error"] == "local: no rule matches a known node"
    assert answer.json()["hint"]
    # an event, too
    assert kinds(rig, session["node"])[-1] == ("boot", "local: no rule matches a known node")


def test_the_token_of_the_boot_before_is_dead(rig: Rig) -> None:
    first = rig.session()
    second = rig.session(boot_id="boot-2")
    assert first["node"] == second["node"]
    url = f"/v1/nodes/{first['node']}/events"
    assert rig.client().post(url, json={"stage": "x"}, headers=bearer(first)).status_code == 401
    assert rig.client().post(url, json={"stage": "x"}, headers=bearer(second)).status_code == 201


def test_the_answer_to_a_boot_can_be_asked_for_again(rig: Rig) -> None:
    """It may have been lost: the order is spent, and still the node hears of it."""
    node_id = rig.session()["node"]
    inventory(rig, rig.session())
    order(rig, node_id, "burnin")
    assert rig.session(boot_id="boot-2")["jobs"] == ["inventory", "burnin"]
    assert rig.session(boot_id="boot-2")["jobs"] == ["inventory", "burnin"]
    # the next boot is another matter
    assert rig.boot(boot_id="boot-3").status_code == 403


def test_a_refusal_can_be_asked_for_again(rig: Rig) -> None:
    """A machine that booted the rescue system must not begin its intake there."""
    session = rig.session()
    order(rig, session["node"], "rescue")
    for _ in range(2):
        assert rig.boot(boot_id="boot-2").json()["error"] == "rescue: order of an operator"
    assert rig.session(boot_id="boot-3")["jobs"] == ["inventory", "intake", "burnin"]


def test_the_same_boot_is_decided_again_once_it_has_reported_something(rig: Rig) -> None:
    inventory(rig, rig.session())
    assert rig.boot().json()["error"] == "local: no rule matches a known node"


@pytest.mark.parametrize(
    ("profile", "status"), [("burnin", 201), ("rescue", 403), ("local", 403), ("local-efi-disk", 403)]
)
def test_an_order_counts_once_whatever_the_answer(rig: Rig, profile: str, status: int) -> None:
    session = rig.session()
    inventory(rig, session)
    order(rig, session["node"], profile)
    answer = rig.boot(boot_id="boot-2")
    assert answer.status_code == status
    assert kinds(rig)[-1] == ("boot", f"{profile}: order of an operator")
    assert rig.boot(boot_id="boot-3").json()["error"] == "local: no rule matches a known node"


def test_an_order_that_stays_counts_until_it_expires(rig: Rig) -> None:
    session = rig.session()
    inventory(rig, session)
    order(rig, session["node"], "burnin", once=False, expires=START + timedelta(hours=1))
    assert rig.boot(boot_id="boot-2").status_code == 201
    assert rig.boot(boot_id="boot-3").status_code == 201
    rig.clock.turn(hours=1)
    assert rig.boot(boot_id="boot-4").status_code == 403


def test_a_destructive_profile_needs_an_order_that_was_confirmed(records: Records, tmp_path: Path) -> None:
    wipe = Profile(name="wipe", image="alchemy", jobs=("burnin",), destructive=True)
    rig = rigs.make(records, tmp_path, profiles=[wipe])
    session = rig.session()
    inventory(rig, session)
    # the profile was harmless when it was ordered
    order(rig, session["node"], "wipe")
    assert "not confirmed" in rig.boot(boot_id="boot-2").json()["error"]
    expires = START + timedelta(hours=1)
    order(rig, session["node"], "wipe", destructive=True, confirm="SN-0001", expires=expires)
    assert rig.session(boot_id="boot-3")["jobs"] == ["burnin"]
    # a machine that resets while it wipes does not go on by itself
    rig.client().post("/v1/runs", json={"node": session["node"]}, headers=bearer(rig.session(boot_id="boot-3")))
    assert "needs another order" in rig.boot(boot_id="boot-4").json()["error"]


def test_an_open_run_resumes_ten_times(rig: Rig) -> None:
    session = rig.session()
    inventory(rig, session)
    run = rig.client().post("/v1/runs", json={"node": session["node"]}, headers=bearer(session)).json()["run"]
    for count in range(1, 11):
        again = rig.session(boot_id=f"reset-{count}")
        assert again["burnin"] == {"run": run}
        assert kinds(rig)[-1] == ("boot", f"intake: open run: resume {count} of 10")
    assert rig.boot(boot_id="reset-11").json()["error"] == "local: open run: already resumed 10 times"
    # asking again is not a reset
    with rig.records.reading() as connection:
        found = runs.get(connection, run)
    assert found is not None
    assert found.resumes == 10


def test_asking_again_does_not_count_as_a_reset(rig: Rig) -> None:
    session = rig.session()
    rig.client().post("/v1/runs", json={"node": session["node"]}, headers=bearer(session))
    for _ in range(3):
        rig.session(boot_id="boot-2")
    assert kinds(rig)[-1] == ("boot", "intake: open run: resume 1 of 10")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"uuid": UUID, "serial": "SN-0002", "macs": ["52:54:00:00:00:02"]}, f"uuid {UUID} belongs to node 1"),
        ({"uuid": "", "serial": "SN-0002", "macs": [MAC]}, f"mac {MAC} belongs to node 1"),
    ],
)
def test_another_machine_with_a_nodes_key_gets_no_token_and_raises_the_alarm(
    rig: Rig, changes: dict[str, object], message: str
) -> None:
    assert rig.session()["node"] == "1"
    answer = rig.boot("192.0.2.66", boot_id="boot-2", **changes)
    assert answer.status_code == 403
    assert answer.json()["error"] == f"conflict: {message}"
    assert kinds(rig)[-2:] == [
        ("alarm", f"duplicate key, reported from 192.0.2.66: {message}"),
        ("boot", f"local: conflict: {message}"),
    ]
    assert node(rig, "1").alarm == f"duplicate key, reported from 192.0.2.66: {message}"
    assert node(rig, "1").address == rigs.HERE


@pytest.mark.parametrize("boot_id", ["boot-1", "boot-2"])
def test_the_same_keys_from_another_address_get_no_token_and_raise_the_alarm(rig: Rig, boot_id: str) -> None:
    session = rig.session()
    answer = rig.boot("192.0.2.66", boot_id=boot_id)
    assert answer.status_code == 403
    assert answer.json()["error"] == ("conflict: 192.0.2.66 reports the keys of node 1, which is running at 192.0.2.7")
    assert [kind for kind, _ in kinds(rig)] == ["boot", "alarm", "boot"]
    assert node(rig, "1").alarm
    # the node itself goes on
    url = f"/v1/nodes/{session['node']}/events"
    assert rig.client().post(url, json={"stage": "x"}, headers=bearer(session)).status_code == 201


def test_such_a_machine_spends_no_order(rig: Rig) -> None:
    session = rig.session()
    order(rig, session["node"], "burnin")
    assert rig.boot("192.0.2.66", boot_id="boot-2").status_code == 403
    assert rig.session(boot_id="boot-3")["jobs"] == ["inventory", "burnin"]


def test_a_silent_node_may_boot_again_with_another_address(rig: Rig) -> None:
    rig.session()
    rig.clock.turn(minutes=4)
    assert rig.boot("192.0.2.8", boot_id="boot-2").status_code == 403
    rig.clock.turn(minutes=2)
    assert rig.boot("192.0.2.8", boot_id="boot-3").status_code == 201


def test_a_machine_that_only_collins_knows_has_its_status_there(records: Records, tmp_path: Path) -> None:
    """One in service must not be taken for an unknown one by a rack that sees it for the first time."""
    rig = rigs.make(records, tmp_path, collins=True)
    for status, answer in (
        ("Allocated", "local: no rule matches Allocated"),
        ("Maintenance", "rescue: Maintenance -> rescue"),
    ):
        rig.collins.assets["SN-0001"] = Asset("A00001", status)
        assert rig.boot(boot_id=status).json()["error"] == answer
    rig.collins.assets["SN-0001"] = Asset("A00001", "New")
    assert rig.session(boot_id="New")["jobs"] == ["inventory", "burnin"]


def test_a_status_counts_only_while_there_is_a_collins(records: Records, tmp_path: Path) -> None:
    """Without `collins` in rack.yml nobody would ever change it again."""
    for collins, answer in ((True, "rescue: Maintenance -> rescue"), (False, "local: no rule matches a known node")):
        rig = rigs.make(records, tmp_path, collins=collins)
        if collins:
            inventory(rig, rig.session())
            with records.begin() as connection:
                nodes.update(connection, "1", status="Maintenance", status_at=START)
        assert rig.boot(boot_id=f"boot-{collins}").json()["error"] == answer


def test_after_a_restart_a_status_counts_and_an_unknown_machine_waits_for_collins(
    records: Records, tmp_path: Path
) -> None:
    """Collins may know a machine that is not in the records."""
    rig = rigs.make(records, tmp_path, collins=True)
    with records.begin() as connection:
        known = nodes.create(connection, Keys(serial="SN-0002"), now=rig.clock.now)
        nodes.update(connection, known.id, status="Maintenance", state="HW_TESTING", status_at=rig.clock.now)
    rig.collins.at, rig.collins.before = None, rig.clock.now
    assert rig.boot(uuid="", macs=[], serial="SN-0002").status_code == 201
    assert rig.boot().json()["error"] == "local: Collins has not answered yet"


def test_collins_that_does_not_answer_boots_the_local_disk(records: Records, tmp_path: Path) -> None:
    rig = rigs.make(records, tmp_path, collins=True)
    rig.collins.at = None
    assert rig.boot().json()["error"] == "local: Collins has not answered yet"


def test_the_preliminary_init_is_a_stage_and_decides_nothing(rig: Rig) -> None:
    answer = rig.boot(stage="init")
    assert (answer.status_code, answer.json()) == (202, {"node": "1"})
    assert (kinds(rig), node(rig, "1").stage, node(rig, "1").profile) == ([("stage", "init")], "init", None)
    order(rig, "1", "rescue")
    # its lease may be another one than that of the system
    assert rig.boot("192.0.2.99", stage="init").status_code == 202
    assert rig.boot().json()["error"] == "rescue: order of an operator"
    assert node(rig, "1").stage == "system"
    assert rig.session(boot_id="boot-2")["node"] == "1"
    assert rig.boot("192.0.2.99", stage="init").status_code == 202
    assert node(rig, "1").alarm is None


def test_a_preliminary_init_with_anothers_keys_changes_nothing(rig: Rig) -> None:
    rig.session()
    answer = rig.boot(stage="init", serial="SN-0002", macs=["52:54:00:00:00:02"])
    assert (answer.status_code, answer.json()["error"]) == (403, f"conflict: uuid {UUID} belongs to node 1")
    assert kinds(rig) == [("boot", "intake: unknown -> intake")]


def test_known_bad_keys_are_ignored(rig: Rig) -> None:
    """Boards with the maker's placeholder for a UUID and a serial are as many nodes as they have ports."""
    bad = {"uuid": "03000200-0400-0500-0006-000700080009", "serial": "To Be Filled By O.E.M."}
    first = rig.session(**bad, macs=["52:54:00:00:00:0a"])
    second = rig.session(**bad, macs=["52:54:00:00:00:0b"])
    assert first["node"] != second["node"]


def test_a_rule_of_the_user_decides(records: Records, tmp_path: Path) -> None:
    rig = rigs.make(records, tmp_path, decisions=[Rule(serial="SN-0001", profile="burnin")])
    assert rig.session()["jobs"] == ["inventory", "burnin"]
    other = rig.boot(serial="SN-0002", uuid="", macs=["52:54:00:00:00:02"])
    assert other.json()["error"] == "local: no rule matches an unknown node"


def test_a_rule_about_a_model_counts_for_a_machine_without_an_inventory(records: Records, tmp_path: Path) -> None:
    rig = rigs.make(records, tmp_path, decisions=[Rule(vendor="Example Inc.", model="EX-1000", profile="burnin")])
    query = "/v1/boot?serial=SN-0001&vendor=example%20inc.&model=EX-1000"
    assert "# burnin: model EX-1000, vendor Example Inc. -> burnin" in rig.client().get(query).text
    assert rig.session(vendor="Example Inc.", model="EX-1000")["jobs"] == ["inventory", "burnin"]
    assert (node(rig, "1").vendor, node(rig, "1").model) == ("Example Inc.", "EX-1000")
    # what the inventory says counts from then on
    document = {
        "inventory": {},
        "alchemy": {"schema": 1, "system": {"manufacturer": "Example Inc.", "product": "EX-2"}},
    }
    headers = bearer(rig.session(boot_id="boot-2", vendor="Example Inc.", model="EX-1000"))
    assert rig.client().put("/v1/nodes/1/inventory", json=document, headers=headers).status_code == 200
    assert "# local: no rule matches a known node" in rig.client().get(query).text


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "keys: missing (expected a serial, a uuid or a MAC that only this machine has)"),
        ({"serial": 7}, "serial: not text"),
        ({"serial": "S" * 200}, "serial: too long (expected at most 128 characters, got 200)"),
        ({"uuid": "x"}, "uuid: not a UUID (expected 32 hexadecimal digits)"),
        ({"macs": MAC}, "macs: not a list"),
        ({"serial": "S1", "boot_id": 5}, "boot_id: expected a string, got int"),
        ({"serial": "S1", "version": []}, "version: expected a string, got list"),
    ],
)
def test_a_malformed_identity_is_refused(rig: Rig, body: dict[str, object], error: str) -> None:
    answer = rig.client().post("/v1/boots", json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    with rig.records.reading() as connection:
        assert events.last_id(connection) == 0
        assert nodes.get(connection, "1") is None


def test_the_records_hold_no_token(rig: Rig) -> None:
    session = rig.session()
    text = "\n".join(rigs.dump(rig.records))
    assert rigs.HERE in text
    assert session["token"] not in text
    assert session["token"] not in "".join(rig.log)
