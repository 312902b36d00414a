"""What the node's code may stand on: the standard library, and one process door."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import repository

NODE = repository.ROOT / "chroot" / "node"
FILES = sorted([*NODE.rglob("*.py"), *NODE.glob("bin/*")])
STARTERS = {"system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp"}


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield node.module or ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(NODE)))
def test_the_node_needs_nothing_but_the_standard_library_and_has_one_process_door(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tops = {name.partition(".")[0] for name in imported(tree)}
    assert tops <= sys.stdlib_module_names | {"alchemy_node"}
    if path.name != "processes.py":
        assert tops.isdisjoint({"subprocess", "multiprocessing", "pty"})
    attributes = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    assert not {node.attr for node in attributes if ast.unparse(node.value) == "os"} & STARTERS
