from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemy.errors import BuildError
from alchemy.rack.serving import supervisor
from alchemy.rack.serving.supervisor import Program, Supervisor
from alchemy.run import Runner
from alchemy.ui import views
from alchemy.ui.events import Log

pytestmark = pytest.mark.usefixtures("real_processes")

_PATIENCE = 30.0


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(said: io.StringIO) -> Log:
    return Log(views.Lines(said))


@pytest.fixture
def real_runner() -> Iterator[Runner]:
    runner = Runner()
    yield runner
    runner.stop()


def shell(tmp_path: Path, name: str, script: str) -> Program:
    """A program that is ready when it has written its own pid into the file NAME.pid."""
    ready = tmp_path / f"{name}.pid"
    argv = ["sh", "-c", f"echo $$ > {ready}.new; mv {ready}.new {ready}; {script}"]
    return Program(name, argv, (tmp_path / f"{name}.log",), ready.exists)


def pid(tmp_path: Path, name: str) -> int:
    return int((tmp_path / f"{name}.pid").read_text(encoding="ascii"))


def is_alive(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_programs_start_one_after_the_other_and_stop_together(tmp_path: Path, real_runner: Runner, log: Log) -> None:
    one = shell(tmp_path, "one", "exec sleep 600")
    two = shell(tmp_path, "two", "exec sleep 600")
    watched = Supervisor(real_runner, [one, two], log)
    watched.start()
    pids = [pid(tmp_path, name) for name in ("one", "two")]
    assert all(map(is_alive, pids))
    watched.stop()
    assert not any(map(is_alive, pids))


def test_one_that_dies_at_its_start_is_an_error_with_its_last_words(
    tmp_path: Path, real_runner: Runner, log: Log
) -> None:
    path = tmp_path / "lead.log"
    program = Program("lead", ["sh", "-c", "echo no gold here; exit 7"], (path,), lambda: False)
    with pytest.raises(BuildError) as caught:
        Supervisor(real_runner, [program], log).start()
    message = caught.value.message
    assert message == f"lead: died at its start (ended with status 7)\n  no gold here\nlog: {path}"


def test_one_that_never_serves_is_an_error(
    tmp_path: Path, real_runner: Runner, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_START_SECONDS", 0.3)
    program = Program("lead", ["sleep", "600"], (tmp_path / "lead.log",), lambda: False)
    with pytest.raises(BuildError, match=r"^lead: does not answer 0 s after its start \(still running\)"):
        Supervisor(real_runner, [program], log).start()


def test_one_that_ignores_sigterm_is_killed(
    tmp_path: Path, real_runner: Runner, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_STOP_SECONDS", 0.3)
    watched = Supervisor(real_runner, [shell(tmp_path, "deaf", "trap '' TERM; while :; do sleep 600; done")], log)
    watched.start()
    number = pid(tmp_path, "deaf")
    watched.stop()
    assert not is_alive(number)


def test_one_that_dies_is_started_again_and_its_workers_go_with_it(
    tmp_path: Path, real_runner: Runner, log: Log, said: io.StringIO
) -> None:
    # the worker outlives its parent, as those of nginx do, and keeps the log open
    script = f"setsid sleep 600 & echo $! > {tmp_path}/worker; wait"
    watched = Supervisor(real_runner, [shell(tmp_path, "gold", script)], log)
    watched.start()
    wait_for(lambda: (tmp_path / "worker").exists() and (tmp_path / "worker").read_text() != "")
    first, worker = pid(tmp_path, "gold"), int((tmp_path / "worker").read_text(encoding="ascii"))

    def kill() -> None:
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: pid(tmp_path, "gold") != first and not is_alive(worker))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        watched.watch()
    thread.join()
    assert is_alive(pid(tmp_path, "gold"))
    watched.stop()
    assert f"gold killed by signal 9; it is started again (log: {tmp_path}/gold.log)" in said.getvalue()


def test_one_that_keeps_dying_ends_the_watch(tmp_path: Path, real_runner: Runner, log: Log) -> None:
    watched = Supervisor(real_runner, [shell(tmp_path, "lead", "echo heavy; exit 1")], log)
    watched.start()
    with pytest.raises(BuildError) as caught:
        watched.watch()
    assert caught.value.message.startswith("lead: died 6 times within 60 s (ended with status 1)\n")
    assert "  heavy\n" in caught.value.message


def wait_for(condition: object) -> None:
    end = time.monotonic() + _PATIENCE
    assert callable(condition)
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
