"""--debug-shell: when a shell is opened, and in what."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from alchemy.commands import debug
from alchemy.context import Context
from alchemy.errors import BuildError
from alchemy.host.chroot import Chroot, Inside
from alchemy.run import Runner
from alchemy.ui.events import Event, Log
from tests.unit.fakes import Told

CHROOT = Chroot(Path("/srv/root"), writable=True, capabilities=("CHOWN",))


@pytest.fixture
def shells(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The command lines of the shells that were opened."""
    opened: list[list[str]] = []

    def foreground(_: Runner, argv: Sequence[str | Path], *, env: object = None) -> int:
        opened.append([str(word) for word in argv])
        return 0

    monkeypatch.setattr(Runner, "foreground", foreground)
    return opened


def failing(argv: list[str]) -> list[str]:
    """A command line with the same type as `argv` that fails on the host."""
    if isinstance(argv, Inside):
        return Inside(["sh", "-c", "echo reason; exit 3"], argv.chroot, argv.command, argv.cwd)
    return ["sh", "-c", "exit 3"]


@pytest.mark.usefixtures("real_processes")
def test_the_shell_is_in_the_chroot_of_the_command_that_failed(
    context: Context, shells: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    runner = debug.with_shell(context).runner
    argv = failing(CHROOT.argv(["make", "a b"], cwd="/usr/src/linux"))
    with pytest.raises(BuildError, match="the kernel failed with status 3"):
        runner.run(argv, log=context.logfile("kernel"), what="the kernel")
    (shell,) = shells
    wanted = CHROOT.argv(["x"], cwd="/usr/src/linux", interactive=True)[:-2]
    assert shell[: wanted.index("--clearenv")] == wanted[: wanted.index("--clearenv")]
    assert shell[shell.index("--chdir") :][:4] == ["--chdir", "/usr/src/linux", "--", "/bin/sh"]
    said = capsys.readouterr().err
    assert "the kernel failed with status 3\n  $ sh -c" in said
    assert "  reason\n" in said
    assert "\n  cd /usr/src/linux && make 'a b'\n" in said


@pytest.mark.usefixtures("real_processes")
def test_only_the_first_failure_in_a_chroot_opens_one(context: Context, shells: list[list[str]]) -> None:
    runner = debug.with_shell(context).runner
    for argv, count in ((["false"], 0), (failing(CHROOT.argv(["x"])), 1), (failing(CHROOT.argv(["y"])), 1)):
        with pytest.raises(BuildError):
            runner.run(argv)
        assert len(shells) == count


@pytest.mark.usefixtures("real_processes")
def test_a_failure_that_is_expected_or_secret_opens_none(context: Context, shells: list[list[str]]) -> None:
    runner = debug.with_shell(context).runner
    with pytest.raises(BuildError):
        runner.capture(failing(CHROOT.argv(["x"])))
    with pytest.raises(BuildError):
        runner.run(failing(CHROOT.argv(["x"])), secret=True)
    runner.run(["true"])
    assert shells == []


def test_events_wait_while_the_shell_is_open(context: Context) -> None:
    view = Told()
    log = Log(view)
    thread = threading.Thread(target=log.info, args=("later",))
    with log.paused():
        assert view.closed
        thread.start()
        thread.join(0.2)
        assert view.events == []
    thread.join()
    assert view.events == [Event("info", "later")]


def test_a_command_line_in_a_chroot_knows_its_chroot_and_command() -> None:
    argv = dataclasses.replace(CHROOT, network=False).argv(["make", "all"], cwd="/x")
    assert (argv.chroot, argv.command, argv.cwd) == (CHROOT, ["make", "all"], "/x")
    assert argv[-2:] == ["make", "all"]
