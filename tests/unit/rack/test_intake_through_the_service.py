"""alchemy-intake on a recorded machine, through the service, to the stand-in of Collins."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alchemy.rack.collins.manager import Manager
from alchemy.rack.config import RackConfig, builtin_profiles
from alchemy.rack.identity import Keys
from alchemy.rack.records import events, nodes, runs
from alchemy.rack.records.database import Records
from alchemy.rack.service import app
from alchemy_node.burnin.record import Record
from alchemy_node.status import Status
from tests import collins as stand_in
from tests.collins import PASSWORD, Asset, Collins
from tests.collins_parsers import Hardware
from tests.unit.node.burnin import runs as burn_ins
from tests.unit.node.intake_node import TAG, Node
from tests.unit.rack.collins_settings import settings
from tests.unit.rack.loopback import serving


@pytest.fixture
def collins() -> Iterator[Collins]:
    with stand_in.serving(Collins()) as server:
        yield server


@pytest.fixture
def node(tmp_path: Path) -> Node:
    (tmp_path / "node").mkdir()
    return Node(tmp_path / "node")


@pytest.fixture
def url(tmp_path: Path, collins: Collins, records: Records) -> Iterator[str]:
    found = settings(tmp_path, collins.url)
    config = RackConfig(profiles=builtin_profiles("alchemy"), collins=found)
    manager = Manager(found, records)
    # Collins has answered once, so that an unknown machine is known to be unknown
    manager.refresh()
    with serving(app.create(config, records, collins=manager, log=lambda _: None)) as served:
        yield served


def said(records: Records, kind: str) -> list[str]:
    with records.reading() as connection:
        return [event.message for event in events.since(connection) if event.kind == kind]


def test_a_machine_comes_into_collins_without_a_password(
    node: Node, collins: Collins, records: Records, url: str
) -> None:
    assert node.run("--rack", url) == Status.PASS, node.everything()
    asset = collins.assets[TAG]
    assert asset.status == "New"
    assert asset.attributes == {"CHASSIS_TAG": TAG, "BASE_SERIAL": "AB12", "LLDP_PVID": "eth0=100"}
    assert asset.hardware is not None
    assert len(asset.log) == 1
    everything = node.everything()
    assert PASSWORD not in everything
    assert f"collins: the asset {TAG} is New" in everything
    # the decision of the next boot knows it at once
    with records.reading() as connection:
        found = nodes.match(connection, Keys(serial="AB12")).node
    assert found is not None
    assert (found.tag, found.status) == (TAG, "New")
    assert said(records, "intake") == [
        f"PUT asset/{TAG}: done",
        f"POST asset/{TAG}: done",
        f"POST asset/{TAG}: done",
        f"PUT asset/{TAG}/log: done",
    ]


def test_a_machine_in_maintenance_stays_there(node: Node, collins: Collins, url: str) -> None:
    collins.assets[TAG] = Asset("Maintenance", "HW_TESTING")
    assert node.run("--rack", url) == Status.PASS, node.everything()
    assert (collins.assets[TAG].status, collins.assets[TAG].state) == ("Maintenance", "HW_TESTING")
    assert collins.assets[TAG].hardware is not None


def test_a_machine_that_is_new_goes_through_maintenance_and_back(node: Node, collins: Collins, url: str) -> None:
    collins.assets[TAG] = Asset("New", "NEW")
    assert node.run("--rack", url) == Status.PASS, node.everything()
    assert (collins.assets[TAG].status, collins.assets[TAG].state) == ("New", "NEW")
    assert collins.assets[TAG].hardware is not None
    assert "INTAKE_RETURN" not in collins.assets[TAG].attributes
    assert "collins: Maintenance -> New:NEW" in node.out.getvalue()


def test_the_asset_of_another_machine_stays_as_it_is(node: Node, collins: Collins, url: str) -> None:
    collins.assets[TAG] = Asset("Incomplete", hardware=Hardware(serial="ZZ99"))
    assert node.run("--rack", url) == Status.ERROR
    assert "duplicate tag: Collins has serial number 'ZZ99', this is 'AB12'" in node.errors.getvalue()
    assert collins.assets[TAG].neighbors == []


def test_what_the_service_does_not_pass_on_is_said(node: Node, collins: Collins, records: Records, url: str) -> None:
    assert node.run("--rack", url, "--generate-ipmi") == Status.ERROR
    reason = f"asset {TAG}: only a server without IPMI settings is created for a node"
    assert f"422 Unprocessable Entity ({reason})" in node.errors.getvalue()
    assert collins.assets == {}
    assert said(records, "intake") == [f"PUT asset/{TAG}: {reason}"]


def test_a_service_without_collins_takes_the_inventory(node: Node, records: Records) -> None:
    config = RackConfig(profiles=builtin_profiles("alchemy"))
    with serving(app.create(config, records, log=lambda _: None)) as url:
        assert node.run("--rack", url) == Status.PASS, node.everything()
    assert "collins" not in node.out.getvalue()
    assert len(said(records, "inventory")) == 1


@pytest.mark.parametrize(("make", "result"), [(burn_ins.passed, "PASS"), (burn_ins.failed, "FAIL")])
def test_a_burn_in_that_has_ended_is_reported_once(
    node: Node,
    collins: Collins,
    records: Records,
    tmp_path: Path,
    url: str,
    make: Callable[[Path], Record],
    result: str,
) -> None:
    assert node.run("--rack", url) == Status.PASS, node.everything()
    make(tmp_path / "run.jsonl").close()
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text(encoding="utf-8").splitlines()]
    now = datetime.now(UTC)
    with records.begin() as connection:
        found = nodes.match(connection, Keys(serial="AB12")).node
        assert found is not None
        run = runs.open(connection, found.id, "b", profile="burnin", proven=True, now=now)
        runs.append(connection, run.id, lines, now=now)
    manager = Manager(settings(tmp_path, collins.url), records)
    manager.refresh()
    manager.refresh()
    asset = collins.assets[TAG]
    assert asset.attributes["BURNIN_RESULT"] == result
    assert asset.attributes.get("BURNIN_COMPLETE") == ("true" if result == "PASS" else None)
    assert len(asset.log) == 2
    assert asset.log[1]["Message"]["burnin"] == result
    assert f"Collins has the result of run {run.id}: {result}" in said(records, "collins")
