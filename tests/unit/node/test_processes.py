"""The process door: bounded in time and in output, whatever the program does."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from alchemy_node import processes

pytestmark = pytest.mark.usefixtures("real_processes")


def shell(script: str, seconds: float = 20, limit: int = processes.MIB) -> processes.Output:
    return processes.run(["sh", "-c", script], seconds, limit)


@pytest.mark.parametrize(
    ("script", "output"),
    [
        pytest.param("echo out; echo err >&2", processes.Output(0, "out\n", "err\n"), id="success"),
        pytest.param("echo out; exit 2", processes.Output(2, "out\n", "", "exit status 2"), id="failure"),
        pytest.param("kill -SEGV $$", processes.Output(None, "", "", "killed by signal 11"), id="signal"),
        pytest.param(r"printf '\377\376'", processes.Output(0, "\ufffd\ufffd"), id="invalid UTF-8"),
        pytest.param("cat", processes.Output(0), id="input is closed"),
    ],
)
def test_what_a_program_did(script: str, output: processes.Output) -> None:
    assert shell(script) == output


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        pytest.param(["no-such-program-here"], "not installed", id="missing"),
        pytest.param(["/"], "cannot be started: Permission denied", id="a folder"),
        pytest.param(["echo", "a\0b"], "cannot be started: embedded null byte", id="NUL in an argument"),
    ],
)
def test_what_cannot_start(argv: list[str], problem: str) -> None:
    assert processes.run(argv) == processes.Output(problem=problem)


def test_a_hanging_program_and_its_children_are_killed(tmp_path: Path) -> None:
    began = time.monotonic()
    output = shell(f"echo begun; (sleep 2; touch {tmp_path}/survived) & sleep 600", seconds=0.3)
    assert output == processes.Output(None, "begun\n", "", "timed out after 0.3 s")
    time.sleep(max(0.0, began + 2.5 - time.monotonic()))
    assert not (tmp_path / "survived").exists()


def test_a_program_that_closes_its_output_and_hangs_is_killed() -> None:
    assert shell("exec >&- 2>&-; sleep 600", seconds=0.3).problem == "timed out after 0.3 s"


STARTER = f"""\
import os, signal, sys
sys.path.insert(0, {str(Path(processes.__file__).parents[1])!r})
from alchemy_node import processes
program = processes.Supervised(["sh", "-c", "trap '' HUP TERM; (sleep 600; :); :"])
print(program.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_supervised_program_and_its_children_die_with_their_starter() -> None:
    output = processes.run([sys.executable, "-I", "-c", STARTER])
    assert output.problem == "killed by signal 9"
    group = int(output.stdout)
    end = time.monotonic() + 20
    while any(_group(status) == group for status in Path("/proc").glob("[0-9]*/stat")):
        assert time.monotonic() < end, "the program outlives its starter"
        time.sleep(0.05)


def _group(status: Path) -> int | None:
    """Returns the process group of a process that runs; None for one that has ended (proc_pid_stat(5))."""
    try:
        state, _, group = status.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:3]
    except OSError:
        return None
    return None if state == "Z" else int(group)


def test_a_flood_is_cut() -> None:
    output = shell("yes", limit=processes.MIB)
    assert output.problem == "more than 1 MiB of output"
    assert len(output.stdout) == processes.MIB
    assert shell("yes >&2", limit=1000).problem == "more than 1000 bytes of output"


def test_output_of_just_the_limit_is_whole() -> None:
    assert shell("printf 12345678", limit=8) == processes.Output(0, "12345678")


def test_nothing_of_our_environment_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLINS_PASSWORD", "secret")
    assert set(processes.run(["env"]).stdout.split()) == {
        "LC_ALL=C",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
