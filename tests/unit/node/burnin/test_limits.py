"""How much memory the burn-in takes, and what holds it to that."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from alchemy_node.burnin import limits
from alchemy_node.burnin.activity import Program
from alchemy_node.machine import Machine

MIB = limits.MIB
HOG = Program(("hog",), 10, memory=64 * MIB, cpus="0-3", nodes="1")


@pytest.mark.parametrize(
    ("total", "available", "expected"),
    [(256, 100, 50), (256, 180, 90), (1024, 800, 704), (65536, 64000, 61378), (0, 0, 0)],
)
def test_the_budget_leaves_a_reserve(tmp_path: Path, total: int, available: int, expected: int) -> None:
    (tmp_path / "proc").mkdir()
    lines = f"MemTotal:       {total * 1024} kB\nMemFree: 1 kB\nMemAvailable:   {available * 1024} kB\n"
    (tmp_path / "proc/meminfo").write_text(lines, encoding="ascii")
    assert limits.budget(Machine(tmp_path)) == expected * MIB


@pytest.mark.parametrize("text", ["", "MemTotal: x kB\n", "MemTotal: 99999999999999999999 kB\n"])
def test_a_machine_that_does_not_say_gives_no_budget(tmp_path: Path, text: str) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(text, encoding="ascii")
    assert limits.budget(Machine(tmp_path)) == 0


def hierarchy(root: Path, controllers: str) -> Path:
    top = root / "sys/fs/cgroup"
    top.mkdir(parents=True)
    for name, text in (("cgroup.controllers", controllers), ("cgroup.subtree_control", ""), ("cgroup.procs", "")):
        (top / name).write_text(text, encoding="ascii")
    folder = top / "alchemy-burnin"
    folder.mkdir()
    (folder / "cgroup.subtree_control").write_text("", encoding="ascii")
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("0::/\n", encoding="ascii")
    (root / "proc/self/oom_score_adj").write_text("0", encoding="ascii")
    return folder


def test_a_group_holds_a_program_to_its_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = hierarchy(tmp_path, "cpuset cpu memory pids\n")
    groups = limits.groups(Machine(tmp_path))
    assert groups.controllers == {"memory", "cpuset"}

    def kernel(path: Path, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        os.mkdir(path)  # noqa: PTH102 - Path.mkdir is what this stands in for
        for name in ("memory.max", "memory.swap.max", "memory.oom.group", "cpuset.cpus", "cpuset.mems", "cgroup.procs"):
            (path / name).write_text("", encoding="ascii")

    monkeypatch.setattr(Path, "mkdir", kernel)
    group = groups.create(HOG)
    assert group is not None
    assert {path.name: path.read_text(encoding="ascii") for path in (folder / "1").iterdir()} == {
        "memory.max": str(64 * MIB),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "cpuset.cpus": "0-3",
        "cpuset.mems": "1",
        "cgroup.procs": "",
    }
    with group.entered():
        assert (folder / "1/cgroup.procs").read_text(encoding="ascii") == str(os.getpid())
    assert (tmp_path / "sys/fs/cgroup/cgroup.procs").read_text(encoding="ascii") == str(os.getpid())
    assert limits.wrapped(HOG, groups) == ("hog",)


@pytest.mark.parametrize(
    ("events", "expected"), [("oom 1\noom_kill 1\n", True), ("oom 1\noom_kill 0\n", False), ("", False)]
)
def test_what_ran_out_of_memory(tmp_path: Path, events: str, expected: bool) -> None:
    (tmp_path / "memory.events").write_text(events, encoding="ascii")
    assert limits.Group(tmp_path, tmp_path).out_of_memory() == expected


def test_without_cgroups_a_program_is_wrapped(tmp_path: Path) -> None:
    groups = limits.groups(Machine(tmp_path))
    assert groups == limits.NONE
    assert groups.create(HOG) is None
    assert limits.wrapped(HOG, groups) == ("taskset", "-c", "0-3", "prlimit", f"--data={64 * MIB}", "--", "hog")


def test_a_controller_that_cannot_be_had_is_not_counted_on(tmp_path: Path) -> None:
    hierarchy(tmp_path, "pids\n")
    groups = limits.groups(Machine(tmp_path))
    assert groups.controllers == frozenset()
    assert limits.wrapped(HOG, groups)[0] == "taskset"


def test_how_readily_the_supervisor_is_killed(tmp_path: Path) -> None:
    hierarchy(tmp_path, "")
    assert limits.adjust(Machine(tmp_path), limits.NEVER)
    assert (tmp_path / "proc/self/oom_score_adj").read_text(encoding="ascii") == "-1000"
    assert not limits.adjust(Machine(tmp_path / "absent"), limits.NEVER)


def test_what_a_killed_supervisor_left_is_ended(tmp_path: Path) -> None:
    folder = hierarchy(tmp_path, "memory\n")
    stale = folder / "1"
    stale.mkdir()
    for name in ("cgroup.procs", "cgroup.kill"):
        (stale / name).write_text("", encoding="ascii")
    limits.groups(Machine(tmp_path))
    assert (stale / "cgroup.kill").read_text(encoding="ascii") == "1"


def test_a_supervisor_that_cannot_leave_a_group_does_not_kill_itself(tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").write_text(f"1\n{os.getpid()}\n", encoding="ascii")
    (tmp_path / "cgroup.kill").write_text("", encoding="ascii")
    limits.Group(tmp_path, tmp_path).close()
    assert (tmp_path / "cgroup.kill").read_text(encoding="ascii") == ""
