"""./run: when it makes a virtualenv, and of which packages. It is started for real, with a stand-in for Python."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.lib import runscript
from tests.lib.runscript import Run


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return runscript.clone(tmp_path)


@pytest.fixture
def run(clone: Path, tmp_path: Path, real_processes: None) -> Run:
    return runscript.starter(tmp_path, clone)


PYTHON = """\
#!/bin/sh
case "$*" in
*'-m venv'*) for last; do :; done; rm -rf "$last"; mkdir -p "$last/bin"; cp "$0" "$last/bin/python" ;;
*'-m pip'*) for last; do :; done; echo "pip installs $last" ;;
*sysconfig*) mktemp -d ;;
esac
"""


@pytest.fixture
def fake(run: Run, tmp_path: Path) -> Run:
    """./run with a Python that makes virtualenvs at once."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").write_text(PYTHON, encoding="ascii")
    (tmp_path / "bin" / "python3").chmod(0o755)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    return lambda *arguments: run(*arguments, PATH=path, TMPDIR=str(tmp_path))


def installed(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return [line.removeprefix("pip installs ") for line in done.stderr.splitlines() if line.startswith("pip")]


def test_the_virtualenv_is_rebuilt_only_when_a_pin_changes(fake: Run, clone: Path) -> None:
    assert installed(fake("help")) == ["requirements.txt"]
    (clone / ".venv" / "old").touch()
    assert installed(fake("build.all")) == []
    with (clone / "requirements.txt").open("a", encoding="ascii") as file:
        file.write("# another pin\n")
    assert installed(fake("help")) == ["requirements.txt"]
    assert not (clone / ".venv" / "old").exists()


def test_development_tools_are_installed_only_for_tests(fake: Run) -> None:
    assert installed(fake("build.all", "--version=1")) == ["requirements.txt"]
    assert installed(fake("test.unit")) == ["requirements-dev.txt"]
    assert installed(fake("test.boot")) == []
    assert installed(fake("build.info")) == []


def test_a_rack_needs_more_than_a_build_and_less_than_the_tests(fake: Run) -> None:
    assert installed(fake("build.info")) == ["requirements.txt"]
    assert installed(fake("boot.serve", "--proxy")) == ["requirements-rack.txt"]
    assert installed(fake("bench.rack")) == []
    assert installed(fake("build.info")) == []
    assert installed(fake("test.rack")) == ["requirements-dev.txt"]
    assert installed(fake("boot.serve")) == []
