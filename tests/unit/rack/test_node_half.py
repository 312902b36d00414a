"""The programs of the node against the service: its reports, its jobs, and the lines of a burn-in."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from alchemy.rack.records import events, inventories, nodes, runs
from alchemy.rack.records.database import Records
from alchemy_node import cmdline, rack, web
from alchemy_node.burnin import destination
from alchemy_node.burnin.journal import Journal, Rack
from alchemy_node.burnin.record import Record
from alchemy_node.jobs import program
from alchemy_node.jobs.program import Surroundings
from alchemy_node.machine import Machine
from alchemy_node.manager import ManagerError
from alchemy_node.processes import Output
from alchemy_node.rack import NoRunError, Session
from tests.recorded import Recorded
from tests.unit.node.burnin import runs as examples
from tests.unit.rack import live, rigs
from tests.unit.rack.live import Live
from tests.unit.rack.rigs import MAC, UUID, Rig

PATIENCE = 30.0
DOCUMENT = {"inventory": {}, "alchemy": {"schema": 1}}


@pytest.fixture
def served(rig: Rig) -> Iterator[Live]:
    with live.serving(rig.app) as served:
        yield served


def machine(root: Path, url: str, boot: str = "boot-1") -> Machine:
    """A machine that has booted with rack_url= and nothing else."""
    files = {
        "proc/cmdline": f"console=ttyS0 rack_url={url}\n",
        "proc/sys/kernel/random/boot_id": f"{boot}\n",
        "proc/net/route": "Iface\tDestination\neth0\t00000000\n",
        "proc/uptime": "12.34 40.00\n",
        "sys/class/dmi/id/product_uuid": f"{UUID.upper()}\n",
        "sys/class/dmi/id/product_serial": "SN-0001\n",
        "sys/class/net/eth0/address": f"{MAC}\n",
        "etc/issue": "Alchemy Linux\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return Machine(root, Recorded(root / "tools"))


def session(around: Machine, url: str) -> Session:
    store = around.root / str(rack.SESSION).lstrip("/")
    return rack.open_session(url, rack.identity(around, ""), store, lambda _: None)


def said(rig: Rig) -> list[str]:
    with rig.records.reading() as connection:
        return [f"{event.kind} {event.message}" for event in events.since(connection)]


def test_a_machine_reports_and_sends_its_inventory(rig: Rig, served: Live, tmp_path: Path) -> None:
    around = machine(tmp_path / "root", served.url)
    opened = session(around, served.url)
    assert (opened.jobs, opened.burnin, opened.expect_url) == (("inventory", "intake", "burnin"), {}, "")
    rack.put_inventory(opened, DOCUMENT)
    rack.post_event(opened, "burnin", "started")
    # once a boot, whoever asks
    assert session(around, served.url) == opened
    assert said(rig) == ["boot intake: unknown -> intake", "inventory first inventory", "stage burnin: started"]


def test_a_machine_of_which_no_run_is_expected_hears_why(rig: Rig, served: Live, tmp_path: Path) -> None:
    rack.put_inventory(session(machine(tmp_path / "first", served.url), served.url), DOCUMENT)
    with pytest.raises(NoRunError, match="local: no rule matches a known node"):
        session(machine(tmp_path / "second", served.url, "boot-2"), served.url)


def test_a_refusal_never_shows_the_token(rig: Rig, served: Live, tmp_path: Path) -> None:
    opened = session(machine(tmp_path / "root", served.url), served.url)
    session(machine(tmp_path / "again", served.url, "boot-2"), served.url)
    with pytest.raises(ManagerError, match="token: unknown or expired") as raised:
        rack.post_event(opened, "x", "y", lambda _: None)
    assert opened.token not in str(raised.value)


class Programs:
    """The programs of a node, which all pass."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(self, argv: Sequence[str]) -> Output:
        self.calls.append(" ".join(argv))
        return Output(0, json.dumps(DOCUMENT) if argv[-1] == "--json" else "")


def test_rack_url_alone_runs_the_jobs_and_reports_each_stage(rig: Rig, served: Live, tmp_path: Path) -> None:
    programs = Programs()
    around = machine(tmp_path / "root", served.url)
    assert program.main(Surroundings(around, programs, lambda _: None)) == 0
    assert programs.calls == [
        "alchemy-inventory",
        "alchemy-inventory --json",
        f"alchemy-intake --rack={served.url}",
        "alchemy-burnin --boot",
    ]
    assert said(rig) == [
        "boot intake: unknown -> intake",
        "stage system: jobs: inventory, intake, burnin",
        "stage inventory: started",
        "inventory first inventory",
        "stage inventory: PASS",
        "stage intake: started",
        "stage intake: PASS",
        "stage burnin: started",
        "stage burnin: PASS",
    ]


def test_the_jobs_wait_for_a_service_that_comes_up_late(rig: Rig, tmp_path: Path) -> None:
    late = Live(rig.app)
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        # five attempts, a pause, and one attempt more
        if len(pauses) == 6:
            late.start()

    programs = Programs()
    try:
        assert program.main(Surroundings(machine(tmp_path / "root", late.url), programs, pause)) == 0
    finally:
        late.close()
    assert pauses[:6] == [1, 2, 4, 8, 5, 1]
    assert len(programs.calls) == 4
    assert said(rig)[-1] == "stage burnin: PASS"


class Said:
    """What a journal says, as it says it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.changed = threading.Condition()

    def __call__(self, line: str) -> None:
        with self.changed:
            self.lines.append(line)
            self.changed.notify_all()

    def wait(self, word: str) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: any(word in line for line in self.lines), PATIENCE), self.lines


def test_a_burn_in_survives_a_restart_of_the_service(rig: Rig, served: Live, tmp_path: Path) -> None:
    opened = session(machine(tmp_path / "root", served.url), served.url)
    target = Rack.begin(served.url, opened.token, opened.node)
    record, heard = examples.begin(tmp_path / "run.jsonl"), Said()
    journal = Journal(record.lines, target, heard, interval=0.05)
    journal.start()
    record.step_start("cpu", "cpu")
    served.stop()
    record.diagnosis("cpu", "cpu-verified", "PASS", "every stressor verified its results")
    heard.wait("the journal is not kept")
    served.start()
    record.step_end("cpu", "COMPLETE")
    record.run_end("COMPLETE", "PASS")
    assert journal.stop(PATIENCE)
    written = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text(encoding="utf-8").splitlines()]
    with rig.records.reading() as connection:
        kept = [json.loads(line) for line in runs.lines(connection, target.run)]
        run = runs.get(connection, target.run)
    assert kept == written
    assert run is not None
    assert (run.status, run.result) == ("COMPLETE", "PASS")


def test_a_machine_that_was_reset_goes_on_with_its_run(rig: Rig, served: Live, tmp_path: Path) -> None:
    first = machine(tmp_path / "first", served.url)
    (tmp_path / "log").mkdir()
    record = examples.begin(tmp_path / "log" / "run.jsonl")
    target = destination.choose(first, record, tmp_path / "log")
    assert isinstance(target, Rack)
    target.send(record.lines(0, 1 << 20))
    # the log was in RAM
    second = machine(tmp_path / "second", served.url, "boot-2")
    found = destination.find(second, tmp_path / "new")
    assert found is not None
    assert found.reset
    assert found.path.read_bytes() == record.lines(0, 1 << 20)
    again = Record(found.path, examples.Clock())
    target = destination.choose(second, again, found.path.parent)
    assert isinstance(target, Rack)
    assert target.run == "1"
    target.send(again.lines(0, 1 << 20))
    again.run_end("ERROR", "NOT_APPLICABLE")
    target.send(again.lines(0, 1 << 20))
    with rig.records.reading() as connection:
        run = runs.get(connection, "1")
        node = nodes.get(connection, "1")
    assert run is not None
    assert (run.resumes, run.status, run.lines) == (1, "ERROR", len(again.lines(0, 1 << 20).splitlines()))
    assert node is not None
    assert (node.profile, node.reason) == ("intake", "open run: resume 1 of 10")


def test_100_megabytes_are_refused_before_they_are_read(rig: Rig, served: Live, tmp_path: Path) -> None:
    opened = session(machine(tmp_path / "root", served.url), served.url)
    url = f"{served.url}/v1/nodes/{opened.node}/inventory"
    headers = {"Authorization": f"Bearer {opened.token}"}
    # the connection is closed under the sender, who may not get as far as to read the answer
    with contextlib.suppress(web.WebError):
        assert web.request("PUT", url, body=b"[" * (100 << 20), headers=headers).status == 413
    with rig.records.reading() as connection:
        assert inventories.last(connection, opened.node) is None
    # and it goes on serving
    rack.put_inventory(opened, DOCUMENT)


def test_the_command_line_that_the_service_writes_is_the_one_that_the_node_reads(
    records: Records, tmp_path: Path
) -> None:
    rig = rigs.make(records, tmp_path, url="http://192.0.2.1:8080")
    script = rig.client().get(f"/v1/boot?serial=SN-0001&mac={MAC}").text
    line = next(line for line in script.splitlines() if line.startswith("kernel "))
    around = machine(tmp_path / "root", "")
    (tmp_path / "root/proc/cmdline").write_text(line.removesuffix(" || goto failed") + "\n", encoding="ascii")
    assert cmdline.values(around)["rack_url"] == "http://192.0.2.1:8080"
