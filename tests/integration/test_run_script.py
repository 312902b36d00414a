"""./run: what it runs before Alchemy begins, and from where, with virtualenvs and a pip that are real."""

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
def run(clone: Path, tmp_path: Path) -> Run:
    return runscript.starter(tmp_path, clone)


def test_no_module_of_the_caller_is_imported_and_invoke_runs_the_same_commands(
    run: Run, clone: Path, tmp_path: Path
) -> None:
    done = run("config.check", **{name: str(tmp_path / "evil") for name in ("PYTHONPATH", "PYTHONSTARTUP")})
    assert not (tmp_path / "proof").exists()
    assert (done.returncode, done.stdout) == (0, f"commands config.check {clone} []\n"), done.stderr
    assert done.stderr.endswith("depends config.check\n")

    # a real virtualenv takes seconds to make: this one shows that its invoke runs the same commands, too
    for name in ("invoke", "inv"):
        done = subprocess.run(
            [clone / ".venv/bin" / name, "config.check"],
            cwd=clone,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, f"commands config.check {clone} []\n"), done.stderr


def test_a_package_with_a_wrong_digest_is_not_installed(run: Run, clone: Path) -> None:
    path = clone / "requirements.txt"
    path.write_text(f"invoke==3 --hash=sha256:{'0' * 64}\n", encoding="ascii")
    done = run("help")
    assert (done.returncode, done.stdout) == (2, "")
    assert "do not match the hashes" in done.stderr.lower()
    assert not (clone / ".venv" / "requirements.txt").exists()


def test_a_package_without_a_wheel_is_not_built(run: Run, clone: Path, tmp_path: Path) -> None:
    """Its build backend is code that no digest pins."""
    (tmp_path / "index" / "invoke-3-py3-none-any.whl").unlink()
    (clone / "requirements.txt").write_text(
        runscript.requirement(runscript.sdist(tmp_path / "index")), encoding="ascii"
    )
    done = run("help")
    assert (done.returncode, done.stdout) == (2, "")
    assert not (tmp_path / "proof").exists()
