from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from alchemy.errors import BuildError, UserError
from alchemy.run import Runner, child_environment, tail

# so long may a test wait for another process before it fails
PATIENCE = 20


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log" / "stage.log"


@pytest.fixture
def runner(real_processes: None) -> Runner:
    return Runner()


def test_a_process_that_no_test_asked_for_fails_the_test() -> None:
    with pytest.raises(pytest.fail.Exception, match="started a process"):
        subprocess.run(["true"], check=False)
    with pytest.raises(pytest.fail.Exception, match="started a process"):
        os.posix_spawn("/bin/true", ["true"], {})


def test_the_log_has_the_command_line_and_the_output(runner: Runner, log: Path) -> None:
    runner.run(["sh", "-c", "echo one; echo two >&2"], log=log)
    assert log.read_text(encoding="utf-8") == "$ sh -c 'echo one; echo two >&2'\none\ntwo\n"


def test_a_log_is_appended_to(runner: Runner, log: Path) -> None:
    for word in ("one", "two"):
        runner.run(["echo", word], log=log)
    assert log.read_text(encoding="utf-8") == "$ echo one\none\n$ echo two\ntwo\n"


def test_without_a_log_a_program_is_silent(runner: Runner, capfd: pytest.CaptureFixture[str]) -> None:
    runner.run(["sh", "-c", "echo one; echo two >&2"])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("method", ["run", "capture"])
def test_a_failure_has_its_last_lines_its_log_and_its_command(runner: Runner, log: Path, method: str) -> None:
    argv = ["sh", "-c", "seq 100 >&2; exit 3", "a b"]
    with pytest.raises(BuildError) as caught:
        getattr(runner, method)(argv, log=log, what="counting")
    lines = caught.value.message.splitlines()
    assert lines[0] == "counting failed with status 3"
    assert lines[1:21] == [f"  {number}" for number in range(81, 101)]
    assert lines[21:] == [f"log: {log}", f"by hand: {shlex.join(argv)}"]


def test_a_failure_without_a_name_has_that_of_the_program(runner: Runner) -> None:
    with pytest.raises(BuildError, match=r"^false failed with status 1\nby hand: false$"):
        runner.run(["false"])


def test_the_command_to_repeat_is_the_command(runner: Runner) -> None:
    argv = ["sh", "-c", 'exit 1 # it\'s "quoted" $HOME', ""]
    with pytest.raises(BuildError) as caught:
        runner.run(argv)
    assert shlex.split(caught.value.message.split("by hand: ")[1]) == argv


def test_a_program_killed_by_a_signal_is_reported_so(runner: Runner) -> None:
    with pytest.raises(BuildError, match="was killed by signal 15"):
        runner.run(["sh", "-c", "kill -TERM $$"])


def test_a_secret_command_line_is_in_neither_log_nor_message(runner: Runner, log: Path) -> None:
    with pytest.raises(BuildError) as caught:
        runner.run(["sh", "-c", "echo failing; exit 1", "hunter2"], log=log, secret=True)
    assert "hunter2" not in caught.value.message + log.read_text(encoding="utf-8")
    assert "  failing" in caught.value.message


def test_capture_returns_stdout_and_logs_stderr(runner: Runner, log: Path) -> None:
    assert runner.capture(["sh", "-c", "echo one; echo two >&2"], log=log) == "one\n"
    assert log.read_text(encoding="utf-8") == "two\n"


def test_a_captured_byte_that_is_not_utf8_is_replaced(runner: Runner) -> None:
    assert runner.capture(["printf", r"a\377b"]) == "a\N{REPLACEMENT CHARACTER}b"


def test_a_program_reads_its_stdin(runner: Runner) -> None:
    assert runner.capture(["cat"], stdin=b"text") == "text"


def test_stdin_is_empty_by_default(runner: Runner) -> None:
    assert runner.capture(["cat"]) == ""


def test_a_program_runs_in_the_given_folder(runner: Runner, tmp_path: Path) -> None:
    assert runner.capture(["pwd"], cwd=tmp_path) == f"{tmp_path}\n"


def test_a_program_inherits_only_listed_variables(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CFLAGS", "LD_PRELOAD_X", "PYTHONPATH", "https_proxy", "LC_ALL", "SECRET"):
        monkeypatch.setenv(name, "from outside")
    found = dict(line.split("=", 1) for line in runner.capture(["env"], env={"MAKEOPTS": "-j2"}).splitlines())
    assert found["https_proxy"] == "from outside"
    assert found["PATH"] == os.environ["PATH"]
    assert found["LC_ALL"] == "C.UTF-8"
    assert found["MAKEOPTS"] == "-j2"
    assert not {"CFLAGS", "LD_PRELOAD_X", "PYTHONPATH", "SECRET"} & found.keys()


def test_given_variables_override_inherited_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/from/outside")
    assert child_environment({"TMPDIR": "/given"})["TMPDIR"] == "/given"


@pytest.mark.parametrize("method", ["run", "capture", "foreground"])
def test_a_missing_program_is_a_user_error(method: str, tmp_path: Path) -> None:
    (tmp_path / "not-executable").touch()
    for name in ("no-such-program", str(tmp_path / "missing"), str(tmp_path / "not-executable")):
        with pytest.raises(UserError, match=f"^{name}: program not found") as caught:
            getattr(Runner(), method)([name, "argument"])
        assert "check-depends" in str(caught.value.hint)


def test_a_program_in_the_foreground_gives_its_status(runner: Runner) -> None:
    assert runner.foreground(["sh", "-c", "exit 7"]) == 7


def test_a_program_leads_a_process_group_so_that_ctrl_c_does_not_reach_it(runner: Runner) -> None:
    fields = runner.capture(["cat", "/proc/self/stat"]).split()
    assert fields[0] == fields[4] != str(os.getpgrp())


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or only waits for its parent to notice."""
    for _ in range(PATIENCE * 20):
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def read_pid(path: Path) -> int:
    """The process id that a child writes into a file as soon as it runs."""
    for _ in range(PATIENCE * 20):
        if path.exists() and path.read_text(encoding="ascii").endswith("\n"):
            return int(path.read_text(encoding="ascii"))
        time.sleep(0.05)
    pytest.fail(f"{path} was not written")


def test_stop_kills_programs_with_their_children_and_prevents_new_ones(runner: Runner, tmp_path: Path) -> None:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            runner.run(["sh", "-c", f"sleep 600 & echo $! >{tmp_path}/pid; wait"])
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    grandchild = read_pid(tmp_path / "pid")
    runner.stop()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert has_ended(grandchild)
    # not a BuildError: it did not fail, it was stopped
    assert [type(error) for error in raised] == [KeyboardInterrupt]
    with pytest.raises(KeyboardInterrupt):
        runner.run(["true"])


def test_stop_kills_background_programs(runner: Runner, log: Path) -> None:
    process = runner.start(["sleep", "600"], log=log)
    runner.stop()
    assert process.wait(PATIENCE) == -signal.SIGKILL


def test_stop_may_be_called_twice_and_after_the_end(runner: Runner, log: Path) -> None:
    runner.start(["true"], log=log).wait(PATIENCE)
    runner.run(["true"])
    runner.stop()
    runner.stop()


KILLED = """
import os, sys
from pathlib import Path
from alchemy.run import Runner
Runner().run(["sh", "-c", f"echo $$ >{sys.argv[1]}; exec sleep 600"])
"""


def test_a_program_dies_with_us_when_we_are_killed(real_processes: None, tmp_path: Path) -> None:
    ours = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "pid")])
    child = read_pid(tmp_path / "pid")
    ours.kill()
    ours.wait(PATIENCE)
    assert has_ended(child)


@pytest.mark.parametrize(
    ("text", "lines", "last"),
    [
        ("", 2, ""),
        ("one\n", 2, "one"),
        ("one\ntwo\nthree", 2, "two\nthree"),
        ("one\n" * 40000, 2, "one\none"),
    ],
)
def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path, text: str, lines: int, last: str) -> None:
    (tmp_path / "log").write_text(text, encoding="utf-8")
    assert tail(tmp_path / "log", lines) == last


def test_the_tail_of_a_log_that_is_not_utf8_is_readable(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"\xff one\n")
    assert tail(tmp_path / "log") == "\N{REPLACEMENT CHARACTER} one"
