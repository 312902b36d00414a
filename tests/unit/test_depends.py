from __future__ import annotations

import sys
from dataclasses import astuple
from pathlib import Path

import pytest

from alchemy import depends
from alchemy.depends import BOOT, BUILD, TEST, Tool

GOLD = Tool("gold-x", "libgold", "gold-devel", "gold", "sys-devel/gold", "turns lead")
LEAD = Tool("lead-x", "lead common", "lead", "lead", "sys-devel/lead", "is turned")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is all of PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def install(path: Path, name: str, mode: int = 0o755) -> None:
    (path / name).touch()
    (path / name).chmod(mode)


def test_all_that_are_missing_are_found_at_once(path: Path) -> None:
    assert depends.missing((GOLD, LEAD)) == [GOLD, LEAD]


def test_what_is_on_the_path_is_not_missing(path: Path) -> None:
    install(path, "gold-x")
    install(path, "lead-x", 0o644)
    assert depends.missing((GOLD, LEAD)) == [LEAD]


def test_a_report_names_each_tool_and_one_command_for_each_distribution() -> None:
    assert depends.report([GOLD, LEAD]).splitlines() == [
        "  gold-x: turns lead",
        "  lead-x: is turned",
        "Debian:  apt-get install libgold lead common",
        "Fedora:  dnf install gold-devel lead",
        "Arch:    pacman -S gold lead",
        "Gentoo:  emerge sys-devel/gold sys-devel/lead",
    ]


def test_a_package_of_two_tools_is_named_once() -> None:
    assert depends.report([GOLD, GOLD]).count("sys-devel/gold") == 1


@pytest.mark.parametrize("tool", BUILD + BOOT + TEST, ids=lambda tool: tool.name)
def test_every_tool_has_a_package_on_each_distribution_and_a_reason(tool: Tool) -> None:
    assert all(astuple(tool))
    assert "/" in tool.gentoo


@pytest.mark.parametrize(
    ("tasks", "tools"),
    [
        ([], BUILD),
        (["build.all"], BUILD),
        (["util.shell"], BUILD),
        (["boot.qemu"], BUILD + BOOT),
        (["bench.boot"], BUILD + BOOT),
        (["build.all", "boot.qemu"], BUILD + BOOT),
        (["test.all"], BUILD + BOOT + TEST),
        (["build.all", "test.unit"], BUILD + BOOT + TEST),
    ],
)
def test_a_task_needs(tasks: list[str], tools: tuple[Tool, ...]) -> None:
    assert depends.needed_by(tasks) == tools


@pytest.mark.parametrize(
    ("arguments", "out", "err"),
    [
        (["build.all", "--version=1"], "libgold lead common\n", ""),
        (["--report", "build.all"], "", depends.report([GOLD, LEAD]) + "\n"),
    ],
)
def test_run_is_told_the_packages_and_a_person_the_report(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    out: str,
    err: str,
) -> None:
    monkeypatch.setattr(depends, "BUILD", (GOLD, LEAD))
    monkeypatch.setattr(sys, "argv", ["depends", *arguments])
    assert depends.main() == 0
    assert capsys.readouterr() == (out, err)


def test_run_is_told_nothing_when_all_is_there(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(path, "gold-x")
    monkeypatch.setattr(depends, "BUILD", (GOLD,))
    monkeypatch.setattr(sys, "argv", ["depends", "build.all"])
    depends.main()
    assert capsys.readouterr() == ("", "")
