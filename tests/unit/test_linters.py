"""The linters, which are tests: a tool that is missing is skipped here, and fails in CI."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import repository
from tests.unit import tree

pytestmark = pytest.mark.usefixtures("real_processes")


def mypy_cache() -> Path:
    """Returns the folder of mypy's cache: in the cache that clones share, or else in the clone."""
    shared = repository.cache()
    return shared / "mypy" if os.access(shared, os.W_OK) else repository.ROOT / ".mypy_cache"


# the tests themselves see no cache of the user's
MYPY = ("mypy", f"--cache-dir={mypy_cache()}")


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
        pytest.param(MYPY, id="mypy"),
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


@pytest.fixture(scope="module")
def portage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of Portage with the embedded tree as the main repository, and alchemy as an overlay of it."""
    folder = tmp_path_factory.mktemp("portage")
    shutil.copytree(repository.ROOT / "overlays", folder / "overlays")
    # pkgcheck does not know that one may answer to the name of the other (aliases in portage(5))
    layout = folder / "overlays/alchemy/metadata/layout.conf"
    layout.write_text(layout.read_text(encoding="utf-8").replace("gentoo", "embedded"), encoding="utf-8")
    (folder / "make.profile").symlink_to(folder / "overlays/embedded/profiles/default")
    (folder / "repos.conf").write_text(
        "[DEFAULT]\nmain-repo = embedded\n"
        + "".join(f"[{name}]\nlocation = {folder}/overlays/{name}\n" for name in ("embedded", "alchemy")),
        encoding="utf-8",
    )
    return folder


@pytest.mark.parametrize("name", ["embedded", "alchemy"])
def test_ebuilds_are_clean(portage: Path, name: str) -> None:
    pkgcheck = Path(sys.executable).with_name("pkgcheck")
    if not pkgcheck.exists():
        repository.skip_or_fail("pkgcheck is not installed")
    command = [str(pkgcheck), "--config", str(portage), "scan", "--repo", name, "--exit=error,warning,style,info"]
    # what it caches would be of a folder that is gone
    lint("env", f"HOME={portage}", *command)
