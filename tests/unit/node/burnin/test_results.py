"""A burn-in's results in Collins, put to the stand-in that refuses what Collins refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from alchemy_node.burnin import results
from alchemy_node.burnin.record import Record
from alchemy_node.intake import collins as client
from alchemy_node.manager import Login, ManagerError, Server
from tests import collins as stand_in
from tests.collins import PASSWORD, Asset, Collins
from tests.unit.node.burnin import runs
from tests.unit.node.burnin.test_reports import RECORDS, erroneous

TAG = "node-1"


@pytest.fixture
def collins() -> Iterator[Collins]:
    with stand_in.serving(Collins()) as server:
        yield server


def report(collins: Collins, record: Record) -> None:
    login = Login(stand_in.USER, PASSWORD)
    server = Server(collins.url, login.headers(), pause=lambda _: None)
    run = record.run
    client.Collins(server, login, lambda _: None).report(
        TAG, results.attributes(run), results.entry(run), results.kind(run)
    )


@pytest.mark.parametrize("status", ["Incomplete", "New", "Unallocated", "Allocated", "Maintenance"])
def test_a_result_is_taken_in_every_status_and_changes_none(collins: Collins, tmp_path: Path, status: str) -> None:
    asset = collins.assets[TAG] = Asset(status=status)
    report(collins, runs.passed(tmp_path / "run.jsonl"))
    assert asset.status == status
    assert asset.attributes == {
        "BURNIN_COMPLETE": "true",
        "BURNIN_RESULT": "PASS",
        "BURNIN_PROFILE": "short",
        "BURNIN_ENDED": "2026-11-28T03:30:14Z",
        "BURNIN_SECONDS": "13",
        "BURNIN_VERSION": "1.2",
    }
    assert asset.log == [
        {"Type": "NOTICE", "Message": {"burnin": "PASS", "profile": "short", "findings": [], "steps": {"cpu": "PASS"}}}
    ]


@pytest.mark.parametrize(
    ("make", "result", "kind"), [(runs.failed, "FAIL", "CRITICAL"), (erroneous, "ERROR", "WARNING")]
)
def test_what_did_not_pass_is_no_longer_complete(
    collins: Collins, tmp_path: Path, make: Callable[[Path], Record], result: str, kind: str
) -> None:
    asset = collins.assets[TAG] = Asset(status="New", attributes={"BURNIN_COMPLETE": "true"})
    report(collins, make(tmp_path / "run.jsonl"))
    assert "BURNIN_COMPLETE" not in asset.attributes
    assert asset.attributes["BURNIN_RESULT"] == result
    assert asset.log[0]["Type"] == kind
    if result == "FAIL":
        assert asset.attributes["BURNIN_FINDINGS"] == "replace DIMM A1, serial 00AB: 3 corrected errors"


@pytest.mark.parametrize("make", RECORDS)
def test_any_text_of_the_machine_is_sent(collins: Collins, tmp_path: Path, make: Callable[[Path], Record]) -> None:
    asset = collins.assets[TAG] = Asset(status="New")
    report(collins, make(tmp_path / "run.jsonl"))
    assert all(value.isascii() and value.isprintable() for value in asset.attributes.values())
    assert len(asset.log) == 1


def test_an_asset_that_collins_does_not_know_is_an_error(collins: Collins, tmp_path: Path) -> None:
    with pytest.raises(ManagerError, match="does not exist"):
        report(collins, runs.passed(tmp_path / "run.jsonl"))
