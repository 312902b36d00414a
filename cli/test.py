"""The tasks `test.*`."""

from __future__ import annotations

import os
import sys

from invoke.context import Context
from invoke.tasks import task

from cli.command import ROOT, command

# tests of a file share the expensive: a booted machine, a built clone
_BY_FILE = ("--numprocesses=auto", "--dist=loadfile", "--no-loadscope-reorder")
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
    _pytest(k, *_BY_FILE, "tests/integration")


@task(help=_K)
@command
def boot(_: Context, k: str = "") -> None:
    """Build the image and boot it in QEMU, with every boot parameter and with failures. Needs root."""
    _pytest(k, *_BY_FILE, "tests/boot")


@task(help=_K)
@command
def rack(_: Context, k: str = "") -> None:
    """Serve a rack in network namespaces: real servers, crafted packets, machines in QEMU. Needs root."""
    _pytest(k, *_BY_FILE, "-m", "exhaustive or not exhaustive", "tests/rack")


@task(name="all", help=_K)
@command
def test_all(_: Context, k: str = "") -> None:
    """Run unit, integration, boot and rack tests, and print the slowest. Needs root."""
    _pytest(k, *_BY_FILE, "--durations=40", "tests/unit", "tests/integration", "tests/boot", "tests/rack")


@task(help=_K)
@command
def packages(_: Context, k: str = "") -> None:
    """Build every free package set, boot the image over PXE, and run every tool in it."""
    _pytest(k, "--verbose", "tests/packages")


@task(help=_K)
@command
def exhaustive(_: Context, k: str = "") -> None:
    """Run the tests marked `exhaustive`: slow ones and rows of long tables, which the others leave out. Needs root."""
    _pytest(k, *_BY_FILE, "-m", "exhaustive", "tests/unit", "tests/integration", "tests/boot", "tests/rack")


def _selection(expression: str) -> list[str]:
    return ["-k", expression] if expression else []


def _pytest(expression: str, *arguments: str) -> None:
    """Replaces this process by pytest, whose exit status is the task's."""
    os.chdir(ROOT)
    # one more than cores: a fourth of a test's time is spent waiting, for a lease or a second of a burn-in
    os.environ.setdefault("PYTEST_XDIST_AUTO_NUM_WORKERS", str(len(os.sched_getaffinity(0)) + 1))
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *_selection(expression), *arguments])  # noqa: S606
