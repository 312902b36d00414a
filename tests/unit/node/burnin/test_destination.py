"""Where the lines of a run go, and where a run without an end comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemy_node import rack, web
from alchemy_node.burnin import destination
from alchemy_node.burnin.journal import Folder, Rack
from alchemy_node.burnin.record import Record
from alchemy_node.machine import Machine
from tests import ocp
from tests.unit.node.burnin import runs, servers


@pytest.fixture
def service() -> Iterator[servers.Service]:
    with servers.serving() as service:
        yield service


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(web, "ATTEMPTS", 1)
    return Machine(tmp_path / "root")


def booted(machine: Machine, service: servers.Service, burnin: dict[str, object]) -> None:
    """Has the machine booted with that rack service, which has said what it knows of burn-ins."""
    said = {"url": service.url, "node": "node-1", "token": "secret", "jobs": ["burnin"], "burnin": burnin}
    for name, text in (("proc/cmdline", f"rack_url={service.url}\n"), (str(rack.SESSION)[1:], json.dumps(said))):
        path = machine.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")


def keep(service: servers.Service, path: Path) -> None:
    """Has the rack service keep the begin of a run."""
    runs.begin(path).close()
    for line in path.read_bytes().splitlines():
        service.lines[json.loads(line)["sequenceNumber"]] = json.loads(line)
    path.unlink()


def test_a_run_of_this_boot_comes_before_one_of_the_rack_service(
    machine: Machine, service: servers.Service, tmp_path: Path
) -> None:
    booted(machine, service, {"run": 7})
    folder = tmp_path / "log"
    (folder / "here").mkdir(parents=True)
    runs.begin(folder / "here" / "run.jsonl").close()
    found = destination.find(machine, folder)
    assert found == destination.OpenRun(folder / "here" / "run.jsonl", reset=False)


def test_an_open_run_of_the_rack_service_is_fetched_and_its_lines_go_on_there(
    machine: Machine, service: servers.Service, tmp_path: Path
) -> None:
    booted(machine, service, {"run": 7})
    keep(service, tmp_path / "run.jsonl")
    found = destination.find(machine, tmp_path / "log")
    assert found == destination.OpenRun(tmp_path / "log" / "7" / "run.jsonl", reset=True)
    record = Record(found.path, runs.Clock())
    assert destination.choose(machine, record, found.path.parent) == Rack(service.url, "secret", "7")


def test_an_open_run_that_cannot_be_fetched_is_an_error(
    machine: Machine, service: servers.Service, tmp_path: Path
) -> None:
    booted(machine, service, {"run": 7})
    service.answers = [503]
    with pytest.raises(web.WebError, match="503"):
        destination.find(machine, tmp_path / "log")


@pytest.mark.parametrize("burnin", [{}, {"run": None}, {"profile": "short"}])
def test_a_node_without_an_open_run_begins_one(
    machine: Machine, service: servers.Service, tmp_path: Path, burnin: dict[str, object]
) -> None:
    booted(machine, service, burnin)
    assert destination.find(machine, tmp_path / "log") is None


def test_a_run_is_begun_once_at_the_rack_service(machine: Machine, service: servers.Service, tmp_path: Path) -> None:
    booted(machine, service, {})
    record = runs.begin(tmp_path / "run.jsonl")
    expected = Rack(service.url, "secret", "7")
    assert destination.choose(machine, record, tmp_path) == expected
    # the supervisor was killed, and goes on: another run at the rack service would have the same lines
    service.document = {"run": 8}
    assert destination.choose(machine, record, tmp_path) == expected


def test_a_rack_service_that_refuses_is_a_line_of_the_record(
    machine: Machine, service: servers.Service, tmp_path: Path
) -> None:
    booted(machine, service, {})
    service.answers = [403]
    record = runs.begin(tmp_path / "run.jsonl")
    assert destination.choose(machine, record, tmp_path) is None
    assert "the lines stay on this machine" in record.run.messages[-1].message
    assert "403 Forbidden" in record.run.messages[-1].message


def test_without_a_rack_service_the_lines_go_to_a_url_or_stay(machine: Machine, tmp_path: Path) -> None:
    record = runs.begin(tmp_path / "run.jsonl")
    assert destination.find(machine, tmp_path / "log") is None
    assert destination.choose(machine, record, tmp_path) is None
    folder = tmp_path / "20261128T033000Z"
    chosen = destination.choose(machine, record, folder, "https://logs.example/burnin/")
    assert chosen == Folder("https://logs.example/burnin/20261128T033000Z")


@pytest.mark.parametrize("fail", [True, False])
def test_a_run_that_breaks_off_is_an_error_or_the_failure_that_it_found(tmp_path: Path, fail: bool) -> None:
    path = tmp_path / "run.jsonl"
    record = runs.begin(path)
    record.step_start("cpu", "cpu")
    record.diagnosis("cpu", "verified", "PASS", "")
    record.step_start("memory", "memory")
    if fail:
        record.diagnosis("memory", "dimm-ce", "FAIL", "replace DIMM A1", "dimm-a1")
    record.abandon("bug", "KeyError: 'x'")
    assert (record.run.status, record.run.result) == (("COMPLETE", "FAIL") if fail else ("ERROR", "NOT_APPLICABLE"))
    ocp.validate(path.read_text(encoding="ascii"))
