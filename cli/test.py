"""The tasks `test.*`."""

from __future__ import annotations

import os
import sys

from invoke.context import Context
from invoke.tasks import task

from cli.command import ROOT, command

# tests of a file share the expensive: a booted machine, a built clone
_BY_FILE = ("--numprocesses=auto", "--dist=loadfile", "--no-loadscope-reorder")
# the number of workers that `auto` stands for, when the user sets it
_WORKERS = "PYTEST_XDIST_AUTO_NUM_WORKERS"
# what a worker's machines and builds need at most
_BYTES_A_WORKER = 3 << 30
_K = {"k": "run only the tests whose names match this expression (pytest -k)"}


@task(help=_K)
@command
def unit(_: Context, k: str = "") -> None:
    """Run the fast tests and the linters: no root, no network."""
    _pytest(k, "--numprocesses=auto", "--dist=worksteal", "tests/unit")


@task(help=_K)
@command
def integration(_: Context, k: str = "") -> None:
    """Run the tests with real mounts, chroots and Portage, which build small images. Needs root."""
    _files(k, "tests/integration")


@task(help=_K)
@command
def boot(_: Context, k: str = "") -> None:
    """Build the image and boot it in QEMU, with every boot parameter and with failures. Needs root."""
    _files(k, "tests/boot")


@task(help=_K)
@command
def rack(_: Context, k: str = "") -> None:
    """Serve a rack in network namespaces: real servers, crafted packets, machines in QEMU. Needs root."""
    _files(k, "-m", "exhaustive or not exhaustive", "tests/rack")


@task(name="all", help=_K)
@command
def test_all(_: Context, k: str = "") -> None:
    """Run unit, integration, boot and rack tests, three workers for two cores, and print the slowest. Needs root."""
    _files(k, "--durations=40", "tests/unit", "tests/integration", "tests/boot", "tests/rack")


@task(help=_K)
@command
def packages(_: Context, k: str = "") -> None:
    """Build every free package set, boot the image over PXE, and run every tool in it."""
    _pytest(k, "--verbose", "tests/packages")


@task(help=_K)
@command
def exhaustive(_: Context, k: str = "") -> None:
    """Run the tests marked `exhaustive`: the rows of long tables that the other tasks leave out. Needs root."""
    _files(k, "-m", "exhaustive", "tests/unit", "tests/integration", "tests/boot", "tests/rack")


def _selection(expression: str) -> list[str]:
    return ["-k", expression] if expression else []


def _files(expression: str, *arguments: str) -> None:
    """Runs tests that wait half of their time, for a machine that boots or a build of another.

    Three workers for two cores keep these busy, and leave each machine fast enough for the time that its test allows.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    workers = min(len(os.sched_getaffinity(0)) * 3 // 2, memory // _BYTES_A_WORKER)
    os.environ.setdefault(_WORKERS, str(max(1, workers)))
    _pytest(expression, *_BY_FILE, *arguments)


def _pytest(expression: str, *arguments: str) -> None:
    """Replaces this process by pytest, whose exit status is the task's."""
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *_selection(expression), *arguments])  # noqa: S606
