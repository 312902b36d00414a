"""kill -9 in the midst of a build, again and again: nothing is left in the way, and the image comes out the same."""

from __future__ import annotations

import dataclasses
import itertools
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from alchemy import archive, mounts
from alchemy.context import Context
from tests.integration.clones import small_clone

MOMENTS = 20


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


def test_a_build_that_is_killed_leaves_nothing_in_the_way(build_context: Context, tmp_path: Path) -> None:
    clone = small_clone(tmp_path / "killed")
    undisturbed = clone.build()
    killed = 0
    for attempt in range(3 * MOMENTS):
        if clone.work.exists() and not attempt % 5:
            archive.remove(clone.cache / "stages")
        if kill(clone.start(), attempt % 4 + 1, attempt % 7 / 10):
            killed += 1
        else:
            archive.remove(clone.cache / "stages")
            archive.remove(clone.work)
        assert_nothing_runs(clone.work)
        assert mounts.below(tmp_path) == []
        for stage in (clone.cache / "stages").glob("[!.]*"):
            assert (stage / "stage.json").is_file()
        assert clone.published() == undisturbed
        if killed == MOMENTS:
            break
    assert killed == MOMENTS
    archive.remove(clone.root / "bin")
    assert clone.build() == undisturbed
    clone.assert_whole()


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_ctrl_c_ends_a_build_and_keeps_what_is_complete(build_context: Context, tmp_path: Path, step: int) -> None:
    clone = small_clone(tmp_path / "stopped")
    process = clone.start()
    wait_for_step(process, step)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate()
    assert (process.returncode, output) == (130, "")
    assert errors.endswith("stopped: what was complete is kept, the next run goes on from there\n")
    assert_nothing_runs(clone.work)
    assert mounts.below(tmp_path) == []
    clone.assert_whole()


def test_what_a_running_build_uses_is_not_touched(build_context: Context, tmp_path: Path) -> None:
    clone = small_clone(tmp_path / "running")
    other = dataclasses.replace(clone, work=tmp_path / "other")
    process = clone.start()
    wait_for_step(process, 1)
    commands = ("build.all",), ("build.kernel",), ("cache.prune", "--keep-days=0"), ("util.clean", "--all")
    for user, command in itertools.product((clone, other), commands):
        beside = user.start(*command)
        _, errors = beside.communicate()
        assert beside.returncode == 2, errors
        assert f": in use by process {process.pid}\n" in errors
    _, errors = process.communicate()
    assert process.returncode == 0, errors


def test_two_clones_at_different_paths_give_the_same_bytes(build_context: Context, tmp_path: Path) -> None:
    one, other = (small_clone(tmp_path / name) for name in ("one", "a-longer-name"))
    assert one.build() == other.build()
