"""What survives: lines that are sent away and sent again, a run that goes on after a reset, the kernel's last words."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from alchemy_node import web
from alchemy_node.burnin import findings, journal, reader, resume
from alchemy_node.burnin.attendance import Attendance
from alchemy_node.burnin.journal import Folder, Journal, Rack
from alchemy_node.burnin.presenter import Presenter
from alchemy_node.burnin.progress import progress
from alchemy_node.burnin.record import Record
from alchemy_node.burnin.terminal import Terminal
from alchemy_node.machine import Machine
from alchemy_node.processes import Output
from tests import ocp
from tests.unit.node.burnin import runs, servers


@pytest.fixture
def service() -> Iterator[servers.Service]:
    with servers.serving() as service:
        yield service


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "log" / "7"
    folder.mkdir(parents=True)
    return folder / "run.jsonl"


def write(record: Record) -> None:
    record.step_start("memory", "memory")
    record.diagnosis("memory", "memory-verified", "PASS", "")
    record.step_end("memory", "COMPLETE")


@pytest.mark.parametrize(
    ("answers", "lost"),
    [([], []), ([503, 503], []), ([0], []), ([], [1, 0, 1]), ([500, 0, 429], [1]), ([404], [])],
)
def test_every_line_arrives_once_whatever_the_server_does(
    path: Path, service: servers.Service, answers: list[int], lost: list[int]
) -> None:
    record = runs.begin(path)
    service.answers, service.lost = list(answers), list(lost)
    told: list[str] = []
    sender = Journal(record.lines, Rack(service.url, "secret", "7"), told.append, interval=0.01)
    sender.start()
    write(record)
    record.run_end("COMPLETE", "PASS")
    assert sender.stop(20)
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [service.lines[number] for number in sorted(service.lines)] == lines
    assert told == [] if not (answers or lost) else "the journal is not kept" in told[0]
    assert not any("secret" in message for message in told)


def test_a_server_that_is_away_is_told_once_and_never_holds_up_the_run(path: Path) -> None:
    with servers.serving() as service:
        url = service.url
    record = runs.begin(path)
    told: list[str] = []
    sender = Journal(record.lines, Rack(url, "secret", "7"), told.append, interval=0.01)
    sender.start()
    start = time.monotonic()
    write(record)
    assert time.monotonic() - start < 1
    assert not sender.stop(0.2)
    assert len(told) == 1
    assert "connection refused" in told[0]


def test_large_records_are_sent_in_pieces(
    path: Path, service: servers.Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "CHUNK", 300)
    record = runs.passed(path)
    sender = Journal(record.lines, Rack(service.url, "secret", "7"), lambda _: None, interval=0.01)
    sender.start()
    assert sender.stop(20)
    assert len(service.posts) > 3
    assert sorted(service.lines) == list(range(record.run.next_sequence))


def test_a_folder_gets_files_named_by_their_first_line(path: Path, service: servers.Service) -> None:
    record = runs.passed(path)
    service.answers = [503]
    sender = Journal(record.lines, Folder(f"{service.url}/runs/7/"), lambda _: None, interval=0.01)
    sender.start()
    assert sender.stop(20)
    assert service.files == {"/runs/7/lines-00000000.jsonl": path.read_bytes()}


def test_a_run_of_the_rack_service_is_begun(service: servers.Service) -> None:
    assert Rack.begin(service.url, "secret", "node-1") == Rack(service.url, "secret", "7")
    assert "secret" not in repr(Rack.begin(service.url, "secret", "node-1"))


@pytest.mark.parametrize("document", [{}, [], {"run": None}, {"run": "../x"}, {"run": "a/b"}, {"run": ""}, {"run": {}}])
def test_an_answer_that_names_no_run_is_refused(service: servers.Service, document: object) -> None:
    service.document = document
    with pytest.raises(web.WebError, match="names no run"):
        Rack.begin(service.url, "secret", "node-1")


def lost(path: Path, service: servers.Service) -> None:
    """Records the begin of a run, which only the rack service still has after the reset."""
    record = runs.begin(path)
    record.step_start("memory", "memory")
    record.close()
    for line in path.read_bytes().splitlines():
        service.lines[json.loads(line)["sequenceNumber"]] = json.loads(line)
    path.unlink()
    path.parent.rmdir()


@pytest.mark.parametrize("page", [1, 2, 1000])
def test_a_run_goes_on_after_a_reset(path: Path, service: servers.Service, tmp_path: Path, page: int) -> None:
    lost(path, service)
    service.page = page
    found = resume.fetch(service.url, "secret", "7", path.parent.parent)
    assert found == path
    later = runs.START + timedelta(hours=3)
    record = Record(path, runs.Clock(later))
    resume.go_on(record, Machine(tmp_path), reset=True)
    assert progress(record.run, record.run.latest or later).elapsed < 10
    record.step_start("memory", "memory")
    record.diagnosis("memory", "memory-verified", "PASS", "")
    record.step_end("memory", "COMPLETE")
    assert record.outcome() == ("COMPLETE", "FAIL")
    record.run_end("COMPLETE", "FAIL")
    record.close()
    ocp.validate(path.read_text(encoding="ascii"))
    (failed,) = record.run.failed()
    assert failed.verdict == "unexpected-reset"
    assert failed.message == (
        "unexpected reset during memory (last sign of life 2026-11-28 03:30:02 UTC, 1 s into the run); "
        "the kernel left no last words"
    )


@pytest.mark.parametrize("document", [[], [None], ["x"], [[]], [{"sequenceNumber": 0}]])
def test_what_is_no_run_is_not_gone_on_with(service: servers.Service, tmp_path: Path, document: object) -> None:
    service.document = document
    assert resume.fetch(service.url, "secret", "7", tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("document", [{}, "x", 3])
def test_an_answer_that_is_no_list_is_refused(service: servers.Service, tmp_path: Path, document: object) -> None:
    service.document = document
    with pytest.raises(web.WebError, match="not a list of lines"):
        resume.fetch(service.url, "secret", "7", tmp_path)


def test_a_run_that_has_ended_is_not_gone_on_with(path: Path, service: servers.Service, tmp_path: Path) -> None:
    for line in runs.passed(path).lines(0, 1 << 20).splitlines():
        service.lines[json.loads(line)["sequenceNumber"]] = json.loads(line)
    assert resume.fetch(service.url, "secret", "7", tmp_path / "other") is None


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "x" * 65, "ä", "."])
def test_a_run_whose_name_is_a_path_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(web.WebError, match="not the name of a run"):
        resume.fetch("http://127.0.0.1:1", "secret", name, tmp_path)


def test_a_supervisor_that_was_killed_is_no_failure_of_the_hardware(path: Path, tmp_path: Path) -> None:
    record = runs.begin(path)
    record.step_start("memory", "memory")
    record.close()
    assert resume.open_record(path.parent.parent) == path
    record = Record(path, runs.Clock(runs.START + timedelta(hours=1)))
    resume.go_on(record, Machine(tmp_path), reset=False)
    assert record.run.failures == 0
    assert record.run.active < 10


def test_a_reboot_on_purpose_is_no_failure(path: Path, tmp_path: Path) -> None:
    record = runs.begin(path)
    record.step_start("reboot", "reboot")
    record.log("INFO", f"{resume.REBOOTING}1 of 3", "reboot")
    record.note("WARNING", "the journal is not kept")
    record.close()
    record = Record(path, runs.Clock(runs.START + timedelta(hours=1)))
    resume.go_on(record, Machine(tmp_path), reset=True)
    assert record.run.failures == 0
    # the next reset was not ordered
    resume.go_on(record, Machine(tmp_path), reset=True)
    assert record.run.failures == 1


def test_a_reset_long_after_an_ordered_reboot_is_a_failure(path: Path, tmp_path: Path) -> None:
    clock = runs.Clock()
    record = runs.begin(path, clock)
    record.log("INFO", f"{resume.REBOOTING}1 of 3")
    clock.moment += timedelta(minutes=10)
    record.log("INFO", "the machine did not go down")
    resume.go_on(record, Machine(tmp_path), reset=True)
    assert record.run.failures == 1


def test_only_an_open_run_is_found(path: Path, tmp_path: Path) -> None:
    folder = path.parent.parent
    assert resume.open_record(tmp_path / "absent") is None
    path.write_bytes(b"garbled")
    assert resume.open_record(folder) is None
    path.unlink()
    runs.passed(path).close()
    assert resume.open_record(folder) is None


def dump(root: Path, name: str, text: str, moment: float) -> None:
    place = root / "sys/fs/pstore" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="latin-1")
    os.utime(place, (moment, moment))


def test_last_words_are_those_of_the_last_dump_in_order(tmp_path: Path) -> None:
    now = 1_800_000_000
    dump(tmp_path, "dmesg-erst-1", "Panic#1 Part1\n<0>[ 9.1] Kernel panic - not syncing: of last week\n", now - 9999)
    parameters = "<6>[    0.0] Command line: panic=1\n<5>[    0.1] Kernel command line: nmi_watchdog=0\n"
    parameters += "<6>[    0.2] NMI watchdog: Perf NMI watchdog permanently disabled\n"
    error = "<0>[  100.1] mce: [Hardware Error]: CPU 0: Bank 5: be00\n"
    dump(tmp_path, "dmesg-erst-2", f"Panic#1 Part2\n{parameters}{error}", now)
    trace = "<4>[  100.2] Call Trace:\n"
    panic = "<0>[  100.3] Kernel panic - not syncing: Fatal machine check\x1b[2J\n"
    dump(tmp_path, "dmesg-erst-3", f"Panic#1 Part1\n{trace}{panic}", now + 1)
    words = "mce: [Hardware Error]: CPU 0: Bank 5: be00 | Kernel panic - not syncing: Fatal machine check?[2J"
    assert resume.last_words(Machine(tmp_path), now - 60) == words
    assert resume.last_words(Machine(tmp_path), now + 60) == ""


def test_last_words_of_a_machine_that_has_just_booted_are_not_those_of_the_boot(tmp_path: Path) -> None:
    boot = "<6>[    0.4] mce: CPU0: supports 10 MCE banks\n<15>[    5.1] alchemy: handing over to /sbin/init\n"
    panic = "<0>[   40.0] Kernel panic - not syncing: Fatal local machine check\n"
    dump(tmp_path, "dmesg-erst-1", f"Panic#1 Part1\n{boot}{panic}", 1000)
    assert resume.last_words(Machine(tmp_path), 0) == "Kernel panic - not syncing: Fatal local machine check"


@pytest.mark.parametrize(
    "text", ["", "Panic", "Panic#1 Part1", "\xff\xfe", "Panic#x Part1\nx\n", "Restart#1 Part1\nx\n"]
)
def test_garbled_dumps_are_no_last_words(tmp_path: Path, text: str) -> None:
    dump(tmp_path, "dmesg-erst-1", text, 1000)
    assert resume.last_words(Machine(tmp_path), 0) == ""


def test_last_words_are_bounded(tmp_path: Path) -> None:
    dump(tmp_path, "dmesg-efi-1", "Oops#1 Part1\n" + "BUG: x\n" * 5000 + "y" * 9000, 1000)
    assert 0 < len(resume.last_words(Machine(tmp_path), 0)) < 3000


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with a watchdog, whose BMC does what it is told."""
    root = tmp_path / "root"
    (root / "dev").mkdir(parents=True)
    (root / "dev" / "watchdog").touch()
    return Machine(root, lambda argv, seconds, limit: Output(0))


def said(machine: Machine, name: str) -> str:
    return (machine.root / name).read_text(encoding="ascii")


def test_the_presenter_shows_the_run_on_terminals_in_files_and_by_the_light(path: Path, machine: Machine) -> None:
    asked: list[str] = []

    def programs(argv: Sequence[str], seconds: float, limit: int) -> Output:
        asked.append(argv[-1])
        return Output(problem="not installed")

    read, write_end = os.pipe()
    record = runs.begin(path)
    machine = Machine(machine.root, programs)
    with Presenter(record, machine, {"": Terminal(write_end, dumb=True)}, tick=0.01):
        record.step_start("memory", "memory")
        limit = time.monotonic() + 20
        while not (machine.root / "run/alchemy/verdict").exists() and time.monotonic() < limit:
            time.sleep(0.01)
        assert said(machine, "run/alchemy/verdict") == "RUNNING\n"
        record.diagnosis("memory", "dimm-ce", "FAIL", "replace DIMM A1: 3 errors in bank \\d", "dimm-a1")
        record.step_end("memory", "COMPLETE")
        record.run_end("COMPLETE", "FAIL")
    assert said(machine, "run/alchemy/verdict") == "FAIL\n"
    assert 'BURNIN_TOTAL_FAIL_QTY="1"' in said(machine, "var/run/breakin.dat")
    issue = said(machine, "etc/issue.d/alchemy-burnin.issue")
    assert issue == "Burn-in: FAIL\nreplace DIMM A1: 3 errors in bank /d\n\n"
    assert asked[0] in {"255", "force"}
    assert asked[-1] == "force"
    text = os.read(read, 1 << 16).decode("ascii")
    os.close(read)
    assert "FAIL replace DIMM A1" in text
    told = [message for message in record.run.messages if "identify light" in message.message]
    assert len(told) <= 1


def test_a_light_that_hangs_holds_up_nothing(path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alchemy_node.burnin.presenter._PATIENCE", 0.2)
    hung = threading.Event()

    def programs(argv: Sequence[str], seconds: float, limit: int) -> Output:
        hung.wait(10)
        return Output(problem="timed out after 20 s")

    record = runs.begin(path)
    with Presenter(record, Machine(machine.root, programs), {}, tick=0.01):
        write(record)
        record.run_end("COMPLETE", "PASS")
    assert said(machine, "run/alchemy/verdict") == "PASS\n"
    hung.set()


def test_files_that_cannot_be_written_are_tried_again(path: Path, machine: Machine) -> None:
    record = runs.begin(path)
    blocked = machine.root / "run"
    blocked.touch()
    shown = Presenter(record, machine, {})
    shown.show()
    assert said(machine, "var/run/breakin.dat")
    blocked.unlink()
    shown.show()
    assert said(machine, "run/alchemy/verdict") == "RUNNING\n"


def test_time_that_the_machine_was_down_does_not_count(path: Path, tmp_path: Path) -> None:
    record = runs.begin(path)
    record.step_start("memory", "memory")
    record.log("INFO", "x", "memory")
    record.close()
    before = reader.read(path).active
    record = Record(path, runs.Clock(runs.START + timedelta(days=1)))
    resume.go_on(record, Machine(tmp_path), reset=False)
    record.log("INFO", "x", "memory")
    assert before < record.run.active < before + 5
    assert record.run.steps["memory"].active < 10
    assert findings.verdict(record.run) == "RUNNING"


def test_attendance_shows_sends_and_reports(
    path: Path, machine: Machine, service: servers.Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "ioctl", lambda file, request, packed: packed)
    record = runs.begin(path)
    with Attendance(record, machine, path.parent, {}, Rack(service.url, "secret", "7")) as attendance:
        write(record)
        attendance.alive()
        runs.wait_for(lambda: said(machine, "dev/watchdog") == "\0")
        record.run_end("COMPLETE", "PASS")
    assert said(machine, "dev/watchdog") == "\0V"
    assert said(machine, "run/alchemy/verdict") == "PASS\n"
    assert sorted(name.name for name in path.parent.iterdir()) == [
        "junit.xml",
        "report.html",
        "report.txt",
        "run.jsonl",
    ]
    assert sorted(service.lines) == list(range(record.run.next_sequence))
    assert "watchdog: armed, it resets the machine after 300 s" in [m.message for m in record.run.messages]


def test_attendance_disarms_the_watchdog_when_the_run_breaks_off(
    path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "ioctl", lambda file, request, packed: packed)
    record = runs.begin(path)
    with pytest.raises(KeyboardInterrupt), Attendance(record, machine, machine.root / "absent", {}):
        raise KeyboardInterrupt
    assert said(machine, "dev/watchdog") == "V"
    assert any("the reports cannot be written" in message.message for message in record.run.messages)


def test_a_clock_that_is_set_makes_no_run_long(path: Path) -> None:
    clock = runs.Clock()
    record = runs.begin(path, clock)
    for jump in (timedelta(days=400), timedelta(days=-900)):
        clock.moment += jump
        record.log("INFO", "x")
    assert record.run.active < 4000
