"""The folders of alchemy/ and the order of their imports (pyproject.toml, tool.importlinter)."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemy.run import Runner
from tests import repository

PACKAGE = repository.ROOT / "alchemy"
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))

# how os starts processes
STARTERS = ("exec", "fork", "popen", "posix_spawn", "spawn", "startfile", "system")


def source(module: str) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text(encoding="utf-8"))


def imports(module: str) -> Iterator[str]:
    """Yields the dotted names that a module imports, wherever in it."""
    for node in ast.walk(source(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.usefixtures("real_processes")
def test_the_import_contracts_hold(tmp_path: Path) -> None:
    command: list[str | Path] = [
        Path(sys.executable).with_name("lint-imports"),
        "--no-cache",
        "--config",
        repository.ROOT / "pyproject.toml",
    ]
    Runner().run(command, log=tmp_path / "log", env={"PYTHONPATH": str(repository.ROOT)}, what="lint-imports")


def test_only_four_modules_lie_outside_the_folders() -> None:
    assert [module for module in MODULES if "/" not in module] == [
        "__init__.py", "context.py", "errors.py", "run.py", "stage.py",
    ]  # fmt: skip


@pytest.mark.parametrize("module", [name for name in MODULES if name != "run.py"])
def test_only_run_starts_processes(module: str) -> None:
    called = {
        node.attr
        for node in ast.walk(source(module))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"
    }
    # run starts confine, which becomes bubblewrap
    becomes = {"execvp"} if module == "host/confine.py" else set()
    assert {name for name in called if name.startswith(STARTERS)} == becomes


def test_confine_stands_alone() -> None:
    """It runs by its path, in an interpreter that finds none of our modules."""
    # for its path alone, and as the keys of stages count what is imported
    assert [module for module in MODULES if "alchemy.host.confine" in imports(module)] == ["host/chroot.py"]
    assert not [name for name in imports("host/confine.py") if name.split(".")[0] == "alchemy"]


@pytest.mark.parametrize("module", [name for name in MODULES if name.endswith("__init__.py")])
def test_a_package_itself_holds_nothing(module: str) -> None:
    assert (PACKAGE / module).read_text(encoding="utf-8").count("\n") <= 1


def test_the_package_holds_nothing_but_modules_and_what_the_rack_renders() -> None:
    rendered = ("rack/serving/templates", "rack/pages/templates", "rack/pages/static")
    others = [path for path in PACKAGE.rglob("*") if path.suffix not in (".py", ".pyc", "")]
    assert [path.name for path in others if path.parent.relative_to(PACKAGE).as_posix() not in rendered] == []
