"""The linters, which are tests: a tool that is missing is skipped here, and fails in CI."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys

import pytest

from tests import repository
from tests.unit import tree

pytestmark = pytest.mark.usefixtures("real_processes")


def lint(*argv: str) -> None:
    """Fails with what the linter prints, unless it is content."""
    done = subprocess.run(argv, cwd=repository.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(argv[:5])} …\n{done.stdout.decode()}", pytrace=False)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("ruff", "check"), id="ruff check"),
        pytest.param(("ruff", "format", "--check"), id="ruff format"),
        pytest.param(("mypy",), id="mypy"),
    ],
)
def test_python_is_clean(arguments: tuple[str, ...]) -> None:
    if importlib.util.find_spec(arguments[0]) is None:
        repository.skip_or_fail(f"{arguments[0]} is not installed")
    lint(sys.executable, "-m", *arguments)


def test_shell_is_clean() -> None:
    if shutil.which("shellcheck") is None:
        repository.skip_or_fail("shellcheck is not installed")
    scripts = [str(path.relative_to(repository.ROOT)) for path in tree.files() if tree.is_shell(path)]
    assert {"run", "chroot/init", "chroot/methods", "chroot/setup.sh", ".ci/run", "etc/init.d/getty"} <= set(scripts)
    lint("shellcheck", "--external-sources", *scripts)
