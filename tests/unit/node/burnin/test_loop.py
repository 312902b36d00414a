"""The loop that drives activities, with small programs that misbehave."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from alchemy_node.burnin import limits, loop
from alchemy_node.burnin.activity import Activity, Pause, Program
from alchemy_node.burnin.loop import Loop
from alchemy_node.machine import Machine
from alchemy_node.processes import Output

pytestmark = pytest.mark.usefixtures("real_processes")


@pytest.fixture
def driver(tmp_path: Path) -> Loop:
    return Loop(Machine(tmp_path), logs=tmp_path)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_TERM_SECONDS", "_KILL_SECONDS", "_DRAIN_SECONDS"):
        monkeypatch.setattr(loop, name, 0.3)


def one(program: Program) -> Activity[Output]:
    return (yield program)


def sh(script: str, seconds: float = 20) -> Program:
    return Program(("sh", "-c", script), seconds)


def run(driver: Loop, *programs: Program) -> list[Output]:
    results: dict[int, Output] = {}

    def take(number: int) -> loop.Result:
        return lambda result: results.__setitem__(number, result)

    for number, program in enumerate(programs):
        driver.add(f"step {number}", one(program), take(number))
    end = time.monotonic() + 30
    while driver.busy and time.monotonic() < end:
        driver.turn(1)
    assert not driver.busy
    return [results[number] for number in range(len(programs))]


@pytest.mark.parametrize(
    ("script", "output"),
    [
        ("echo out; echo err >&2", Output(0, "out\n", "err\n")),
        ("exit 2", Output(2, problem="exit status 2")),
        ("kill -SEGV $$", Output(None, problem="killed by signal 11")),
        ("cat", Output(0)),
    ],
)
def test_what_a_program_did(driver: Loop, script: str, output: Output) -> None:
    assert run(driver, sh(script)) == [output]


def test_programs_run_beside_each_other(driver: Loop) -> None:
    started = time.monotonic()
    assert [output.status for output in run(driver, sh("sleep 1"), sh("sleep 1"), sh("sleep 1"))] == [0, 0, 0]
    assert time.monotonic() - started < 2.5


@pytest.mark.usefixtures("impatient")
def test_a_program_that_hangs_is_ended(driver: Loop) -> None:
    [output] = run(driver, sh("echo before; sleep 60", seconds=0.3))
    assert output == Output(None, "before\n", "", "timed out after 0.3 s")


@pytest.mark.usefixtures("impatient")
def test_a_program_that_ignores_sigterm_is_killed_with_its_children(driver: Loop, tmp_path: Path) -> None:
    script = f"trap '' TERM; (trap '' TERM; sleep 60) & echo $! >{tmp_path}/pid; while :; do sleep 60; done"
    [output] = run(driver, sh(script, seconds=0.5))
    assert output.problem == "timed out after 0.5 s"
    child = (tmp_path / "pid").read_text(encoding="ascii").strip()
    for _ in range(50):
        state = Path(f"/proc/{child}/stat")
        if not state.exists() or state.read_text(encoding="ascii").split()[2] == "Z":
            break
        time.sleep(0.1)
    else:
        pytest.fail("the child is still there")


@pytest.mark.usefixtures("impatient")
def test_a_program_whose_child_holds_the_pipe_is_over_when_it_ends(driver: Loop) -> None:
    started = time.monotonic()
    [output] = run(driver, sh("sleep 60 & echo done"))
    assert output == Output(0, "done\n")
    assert time.monotonic() - started < 10


def test_a_flood_is_cut_in_its_middle(driver: Loop, tmp_path: Path) -> None:
    [output] = run(driver, sh("echo first; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last"))
    assert output.status == 0
    assert output.stdout.startswith("first\n")
    assert output.stdout.endswith("\nlast\n")
    assert "bytes left out]" in output.stdout
    assert len(output.stdout) < 1_100_000
    assert (tmp_path / "step_0-1.log").stat().st_size < 1_100_000


@pytest.mark.usefixtures("impatient")
def test_a_flood_without_end_is_ended(driver: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_MOST_OUTPUT", 1 << 20)
    [output] = run(driver, sh("exec yes"))
    assert output.problem == "more than 1 MiB of output"


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        (Program(("no-such-program-here",), 5), "not installed"),
        (Program(("no-such-program-here",), 5, memory=1 << 30), "not installed"),
        (Program(("echo", "a\0b"), 5), "cannot be started: embedded null byte"),
    ],
)
def test_a_program_that_does_not_start(driver: Loop, program: Program, problem: str) -> None:
    assert run(driver, program) == [Output(problem=problem)]


def test_without_cgroups_memory_is_held_by_an_rlimit(driver: Loop) -> None:
    [output] = run(driver, Program(("sh", "-c", "ulimit -d"), 5, memory=1 << 30))
    assert output.stdout == f"{(1 << 30) // 1024}\n"


def test_cpus_are_held_without_cgroups_too(driver: Loop) -> None:
    [output] = run(driver, Program(("sh", "-c", "grep Cpus_allowed_list /proc/self/status"), 5, cpus="0"))
    assert output.stdout.split() == ["Cpus_allowed_list:", "0"]


def test_a_program_is_killed_first_for_memory_and_its_supervisor_not_even_while_it_starts_it(tmp_path: Path) -> None:
    score = tmp_path / "proc/self/oom_score_adj"
    score.parent.mkdir(parents=True)
    score.write_text("-1000", encoding="ascii")
    before = score.stat().st_mtime_ns
    [output] = run(Loop(Machine(tmp_path), shielded=True), Program(("cat", "/proc/self/oom_score_adj"), 20))
    assert output.stdout == "1000\n"
    assert score.stat().st_mtime_ns == before


@pytest.mark.usefixtures("impatient")
def test_stop_ends_everything_soon(driver: Loop) -> None:
    ended: list[object] = []
    driver.add("a", one(sh("sleep 60")), ended.append)
    driver.add("b", one(sh("trap '' TERM; while :; do sleep 60; done")), ended.append)

    def waits() -> Activity[None]:
        yield Pause(60)

    driver.add("c", waits(), ended.append)
    driver.turn(0.1)
    started = time.monotonic()
    driver.stop("interrupted")
    assert time.monotonic() - started < 3
    assert not driver.busy
    assert ended == []


def test_a_bug_in_an_activity_ends_that_activity_only(driver: Loop) -> None:
    def broken() -> Activity[None]:
        yield Pause(0)
        raise ZeroDivisionError

    ended: list[object] = []
    driver.add("broken", broken(), ended.append)
    assert [output.status for output in run(driver, sh("sleep 0.3"))] == [0]
    assert [type(result) for result in ended] == [ZeroDivisionError]


def test_a_pause_wakes_in_time(driver: Loop) -> None:
    def naps() -> Activity[str]:
        for _ in range(3):
            yield Pause(0.1)
        return "awake"

    ended: list[object] = []
    started = time.monotonic()
    driver.add("naps", naps(), ended.append)
    while driver.busy:
        driver.turn(5)
    assert ended == ["awake"]
    assert 0.3 <= time.monotonic() - started < 2


def test_a_full_disk_of_logs_ends_nothing(tmp_path: Path) -> None:
    [output] = run(Loop(Machine(tmp_path), logs=tmp_path / "absent"), sh("echo said"))
    assert output == Output(0, "said\n")


class Counted:
    """A group like a cgroup's whose memory ran out."""

    def __init__(self, place: Path) -> None:
        (place / "memory.events").write_text("low 0\noom 1\noom_kill 1\n", encoding="ascii")
        self.group = limits.Group(place, place)


def test_out_of_memory_is_told_from_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "group"
    place.mkdir()
    groups = limits.Groups(tmp_path, tmp_path, frozenset({"memory"}))
    monkeypatch.setattr(groups, "create", lambda _: Counted(place).group)
    [output] = run(Loop(Machine(tmp_path), groups), sh("kill -KILL $$"))
    assert output.problem == "out of memory"
