"""kill -9 in the midst of a build, again and again: nothing is left in the way, and the image comes out the same."""

from __future__ import annotations

import dataclasses
import itertools
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pexpect
import pytest

from alchemy.context import Context
from alchemy.host import files, mounts
from tests import repository
from tests.lib import tables
from tests.lib.clones import Clone, small_clone


def wait_for_step(process: subprocess.Popen[str], number: int) -> None:
    """Waits until the n-th step of a build begins, or the build ends."""
    assert process.stderr is not None
    for _ in itertools.islice((line for line in process.stderr if line.endswith("…\n")), number):
        continue


def kill(process: subprocess.Popen[str], steps: int, delay: float) -> bool:
    """Kills the whole group of a build `delay` seconds into its n-th step; returns whether it still ran."""
    wait_for_step(process, steps)
    time.sleep(delay)
    ran = process.poll() is None
    if ran:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return ran


def left_running(folder: Path) -> list[bytes]:
    """The command lines of processes that have to do with a folder."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = file.read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in command and int(file.parent.name) != os.getpid():
            found.append(command)
    return found


def assert_nothing_runs(folder: Path) -> None:
    """Fails when a process that has to do with the folder is there for long."""
    deadline = time.monotonic() + 10
    while left_running(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left_running(folder) == []


@pytest.fixture(scope="module")
def built(build_context: Context, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone that has been built."""
    clone = small_clone(tmp_path_factory.mktemp("built") / "clone")
    clone.build()
    return clone


@pytest.mark.parametrize("moments", [6, pytest.param(20, marks=pytest.mark.exhaustive)])
def test_a_build_that_is_killed_leaves_nothing_in_the_way(built: Clone, moments: int) -> None:
    clone = built
    undisturbed = clone.published()
    killed = 0
    for attempt in range(3 * moments):
        if clone.work.exists() and not attempt % 5:
            files.remove(clone.cache / "stages")
        if kill(clone.start(), attempt % 4 + 1, attempt % 7 / 10):
            killed += 1
        else:
            for folder in (*(clone.cache / name for name in ("stages", "tools", "objects")), clone.work):
                files.remove(folder)
        assert_nothing_runs(clone.work)
        assert mounts.below(clone.work) == []
        for stage in (path for name in ("stages", "tools") for path in (clone.cache / name).glob("[!.]*")):
            assert (stage / "stage.json").is_file()
        assert clone.published() == undisturbed
        if killed == moments:
            break
    assert killed == moments
    files.remove(clone.root / "bin")
    assert clone.build() == undisturbed
    clone.assert_whole()


@pytest.mark.parametrize("step", tables.rows({"first": 1, "second": 2, "third": 3, "fifth": 5}, "second"))
def test_ctrl_c_ends_a_build_and_keeps_what_is_complete(build_context: Context, tmp_path: Path, step: int) -> None:
    clone = small_clone(tmp_path / "stopped")
    process = clone.start()
    wait_for_step(process, step)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate()
    assert (process.returncode, output) == (130, "")
    assert errors.endswith("stopped: complete stages are kept, and the next run resumes after them\n")
    assert_nothing_runs(clone.work)
    assert mounts.below(tmp_path) == []
    clone.assert_whole()


@pytest.mark.exhaustive
def test_ctrl_c_on_a_terminal_ends_a_build_and_the_next_one_goes_on(built: Clone) -> None:
    clone = built
    before = clone.published()
    program, *words = repository.command("build.all", "--version=interrupted")
    child: pexpect.spawn[str] = pexpect.spawn(
        program, words, cwd=str(clone.root), encoding="utf-8",
        env={**clone.environ, "TERM": "xterm"}, timeout=120, dimensions=(40, 160),
    )  # fmt: skip
    child.expect(r"kernel +running [^\r\n]*compiling")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert mounts.below(clone.work) == []
    assert clone.published() == before
    clone.build("build.kernel", "--version=interrupted")


@dataclasses.dataclass(frozen=True)
class Busy:
    """A clone that has been built, the process that did, and what the commands meanwhile ended with."""

    clone: Clone
    process: int
    refusals: Sequence[tuple[int, str]]


@pytest.fixture(scope="module")
def busy(built: Clone) -> Busy:
    # beside the other one, whose source of the kernel it shares
    folder = built.root.parents[1]
    clone = small_clone(folder / "a-longer-name")
    other = dataclasses.replace(clone, work=folder / "other")
    process = clone.start()
    wait_for_step(process, 1)
    commands = ("build.all",), ("build.kernel",), ("cache.prune", "--keep-days=0"), ("util.clean", "--all")
    refusals = [user.run(*command) for user, command in itertools.product((clone, other), commands)]
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return Busy(clone, process.pid, refusals)


def test_what_a_running_build_uses_is_not_touched(busy: Busy) -> None:
    for status, errors in busy.refusals:
        assert status == 2, errors
        assert f": in use by process {busy.process}\n" in errors


def test_two_clones_at_different_paths_give_the_same_bytes(built: Clone, busy: Busy) -> None:
    assert busy.clone.published() == built.published()
