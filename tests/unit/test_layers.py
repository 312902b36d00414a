"""What each module of alchemy/ may know of the others."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import repository

# Each imports only from those above it.
ORDER = [
    "errors",
    "log",
    "follow",
    "views",
    "run",
    "remotes",
    "config",
    "lockfile",
    "context",
    "logs",
    "disk",
    "archive",
    "lock",
    "mounts",
    "chroot",
    "parameters",
    "stage",
    "repositories",
    "closure",
    "download",
    "openpgp",
    "git",
    "tarball",
    "pins",
    "gentoo",
    "fetch",
    "stage3",
    "portage",
    "sync",
    "overlays",
    "cache",
    "byhand",
    "buildroot",
    "toolbox",
    "linux",
    "kernel",
    "firmware",
    "increment",
    "system",
    "shares",
    "layer",
    "rootfs",
    "ramfs",
    "memory",
    "sbom",
    "signing",
    "image",
    "plan",
    "breakdown",
    "depends",
    "build",
    "freeze",
    "qemu",
    "documentation",
    "bench",
    "rebuild",
    "verify",
]

# how os starts processes
STARTERS = ("exec", "fork", "popen", "posix_spawn", "spawn", "startfile", "system")


def source(module: str) -> ast.Module:
    return ast.parse((repository.ROOT / "alchemy" / f"{module}.py").read_text(encoding="utf-8"))


def imports(module: str) -> Iterator[str]:
    """The dotted names of all that a module imports, wherever in it."""
    for node in ast.walk(source(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_module_has_its_place() -> None:
    modules = {path.stem for path in (repository.ROOT / "alchemy").glob("*.py")} - {"__init__"}
    assert modules == set(ORDER)
    assert len(ORDER) == len(set(ORDER))


@pytest.mark.parametrize("module", ORDER)
def test_a_module_imports_only_from_those_above_it(module: str) -> None:
    above = ORDER[: ORDER.index(module)]
    ours = {name.split(".")[1] for name in imports(module) if name.split(".")[0] == "alchemy"}
    assert ours <= set(above)


@pytest.mark.parametrize("module", [name for name in ORDER if name != "run"])
def test_only_run_starts_processes(module: str) -> None:
    names = {name.split(".")[0] for name in imports(module)}
    assert not names & {"subprocess", "pty", "multiprocessing", "asyncio", "pexpect"}
    called = {
        node.attr
        for node in ast.walk(source(module))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"
    }
    assert not {name for name in called if name.startswith(STARTERS)}


@pytest.mark.parametrize("module", ORDER)
def test_no_module_knows_invoke(module: str) -> None:
    assert "invoke" not in {name.split(".")[0] for name in imports(module)}


def test_the_package_itself_imports_nothing() -> None:
    assert list(imports("__init__")) == []


def test_what_run_calls_before_the_virtualenv_needs_no_package() -> None:
    """./run starts alchemy.depends with a bare Python."""
    assert {name.split(".")[0] for name in imports("depends")} <= {"__future__", "dataclasses", "os", "shutil", "sys"}


def test_the_package_is_all_of_the_folder() -> None:
    assert [path.name for path in Path(repository.ROOT / "alchemy").iterdir() if path.suffix not in (".py", "")] == []
