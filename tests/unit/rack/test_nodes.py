"""Nodes: found by any key, kept apart where two machines say the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alchemy.rack.identity import Keys
from alchemy.rack.records import nodes
from alchemy.rack.records.database import Records, RecordsError
from alchemy.rack.records.nodes import Conflict, Match
from tests.unit.rack.samples import HOUR, NOW, keys, mac, node

ONE, TWO = keys(1), keys(2)


@pytest.mark.parametrize("said", [Keys(ONE.uuid), Keys(None, ONE.serial), Keys(macs=ONE.macs), ONE])
def test_a_node_is_found_by_each_key(records: Records, said: Keys) -> None:
    with records.begin() as connection:
        known = node(connection)
        node(connection, 2)
    with records.reading() as connection:
        assert nodes.match(connection, said) == Match(known)


def test_a_machine_that_nobody_knows(records: Records) -> None:
    with records.begin() as connection:
        node(connection)
        assert nodes.match(connection, Keys(None, "S-9", "T1", (mac(9),))) == Match(None)


@pytest.mark.parametrize(
    ("said", "conflicts"),
    [
        (Keys(ONE.uuid, TWO.serial), ["serial S-2 belongs to node 2", f"uuid {ONE.uuid} belongs to node 1"]),
        (
            Keys(None, ONE.serial, None, TWO.macs),
            ["mac 52:54:00:00:00:02 belongs to node 2", "serial S-1 belongs to node 1"],
        ),
        (Keys(ONE.uuid, "S-9", None, (mac(9),)), [f"uuid {ONE.uuid} belongs to node 1"]),
        (Keys(None, "S-9", None, ONE.macs), ["mac 52:54:00:00:00:01 belongs to node 1"]),
    ],
)
def test_machines_that_share_a_key(records: Records, said: Keys, conflicts: list[str]) -> None:
    with records.begin() as connection:
        node(connection, 1)
        node(connection, 2)
        found = nodes.match(connection, said)
    assert found.node is None
    assert [str(conflict) for conflict in found.conflicts] == conflicts


def test_a_part_has_moved_to_another_machine(records: Records) -> None:
    moved = Keys(None, "S-9", None, ONE.macs)
    with records.begin() as connection:
        known = node(connection)
        assert nodes.match(connection, moved).conflicts == (Conflict(known.id, "mac", ONE.macs[0]),)
        assert nodes.release(connection, known.id, "mac", ONE.macs[0])
        assert nodes.match(connection, moved) == Match(None)
        other = nodes.create(connection, moved, now=NOW)
        assert nodes.match(connection, moved) == Match(other)
        assert nodes.match(connection, ONE) == Match(known)
        # the card alone says nothing now
        assert nodes.match(connection, Keys(macs=ONE.macs)).conflicts == (Conflict(known.id, "mac", ONE.macs[0]),)


def test_a_board_was_replaced(records: Records) -> None:
    replaced = Keys(TWO.uuid, ONE.serial, None, TWO.macs)
    with records.begin() as connection:
        known = node(connection)
        assert nodes.match(connection, replaced).conflicts == (Conflict(known.id, "serial", "S-1"),)
        for kind, value in (("uuid", ONE.uuid or ""), ("mac", ONE.macs[0])):
            assert nodes.release(connection, known.id, kind, value)
        assert nodes.match(connection, replaced) == Match(known)
        learnt = nodes.learn(connection, known, replaced, now=NOW)
        assert learnt.keys == replaced
        assert nodes.match(connection, replaced) == Match(learnt)


def test_all_machines_of_a_chassis_have_one_serial(records: Records) -> None:
    machines = [replace(keys(number), serial="CHASSIS") for number in (1, 2, 3)]
    with records.begin() as connection:
        known = [nodes.create(connection, machines[0], now=NOW)]
        assert nodes.match(connection, machines[1]).conflicts == (Conflict(known[0].id, "serial", "CHASSIS"),)
        assert nodes.release(connection, known[0].id, "serial", "CHASSIS")
        known += [nodes.create(connection, machine, now=NOW) for machine in machines[1:]]
        for machine, its in zip(machines, known, strict=True):
            assert nodes.match(connection, machine) == Match(its)
            assert nodes.learn(connection, its, machine, now=NOW).keys.serial == "CHASSIS"
        grown = replace(machines[1], macs=(*machines[1].macs, mac(9)))
        learnt = nodes.learn(connection, known[1], grown, now=NOW)
        assert nodes.match(connection, Keys(None, "CHASSIS", None, (mac(9),))) == Match(learnt)


def test_a_key_that_a_node_does_not_say_cannot_be_released(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        node(connection, 2)
        for kind, value in (("serial", "S-2"), ("mac", "S-1"), ("tag", "S-1"), ("serial", ""), ("", "")):
            assert not nodes.release(connection, known.id, kind, value)
        assert not nodes.release(connection, "7", "serial", "S-1")
        for _ in range(2):
            assert nodes.release(connection, known.id, "serial", "S-1")


def test_a_node_learns_the_keys_that_its_machine_says(records: Records) -> None:
    newer = Keys(None, ONE.serial, "T1", (mac(8), mac(9)))
    with records.begin() as connection:
        known = node(connection)
        learnt = nodes.learn(connection, known, newer, now=NOW + HOUR)
        assert learnt.keys == Keys(ONE.uuid, ONE.serial, "T1", (mac(8), mac(9)))
        assert (learnt.first_seen, learnt.last_seen) == (NOW, NOW + HOUR)
        assert nodes.match(connection, Keys(macs=(mac(9),))) == Match(learnt)
        assert nodes.match(connection, Keys(macs=ONE.macs)) == Match(None)


def test_a_key_belongs_to_one_node(records: Records) -> None:
    with records.begin() as connection:
        node(connection)
    with pytest.raises(RecordsError, match=r"^database: "), records.begin() as connection:
        nodes.create(connection, Keys(None, "S-9", None, ONE.macs), now=NOW)
    with records.reading() as connection:
        assert nodes.match(connection, Keys(None, "S-9")) == Match(None)
        assert nodes.get(connection, "2") is None


def test_fields_are_changed_and_read_again(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        nodes.update(connection, known.id, status="New", status_at=NOW, alarm="two machines", alarm_at=NOW + HOUR)
        nodes.update(connection, known.id, stage="system", stage_at=NOW)
        found = nodes.get(connection, known.id)
    assert found is not None
    assert (found.status, found.status_at, found.stage, found.stage_at) == ("New", NOW, "system", NOW)
    assert (found.alarm, found.alarm_at) == ("two machines", NOW + HOUR)


@pytest.mark.parametrize("node_id", ["", "no number", "-1", "1 OR 1=1", "9" * 19, "9" * 400, "\u0661"])
def test_an_id_that_is_none(records: Records, node_id: str) -> None:
    with records.begin() as connection:
        node(connection)
        assert nodes.get(connection, node_id) is None


@pytest.mark.parametrize(
    ("keys", "tag", "name"),
    [
        (ONE, "T-7", "T-7"),
        (ONE, None, "S-1"),
        (Keys(ONE.uuid, None, "A-1", ONE.macs), None, "A-1"),
        (Keys(ONE.uuid, None, None, ONE.macs), None, "52:54:00:00:00:01"),
        (Keys(ONE.uuid), None, ONE.uuid),
        (Keys(), None, "7"),
    ],
)
def test_what_a_person_calls_it(keys: Keys, tag: str | None, name: str) -> None:
    assert nodes.Node("7", keys, NOW, NOW, tag=tag).name == name
