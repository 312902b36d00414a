"""Digests of our own code: what the key of a stage has of the modules that make its output."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from alchemy.host.files import Digest

NAME = "alchemy"
PACKAGE = Path(__file__).resolve().parent.parent

# Modules that run while a stage is built and count for no key. They tell the user what happens and what went wrong;
# they hold the configuration, of which a stage declares each value that it reads; they keep the outputs.
BASE = (
    "alchemy.errors",
    "alchemy.ui",
    "alchemy.context",
    "alchemy.stage",
    "alchemy.config.model",
    "alchemy.config.values",
    "alchemy.config.checks",
)

# Every stage starts programs by way of the context. This sets the environment of these programs.
_ALWAYS = "alchemy.run"


def digest(module: str, folders: Sequence[str] = (NAME,), package: Path = PACKAGE) -> Digest:
    """Returns the digest of a module and of all modules of ours that it imports, without comments and docstrings.

    Only modules below `folders` count (`alchemy.fetch`, say), and none below BASE. `package` is the folder of our
    modules. A module that is not ours has an empty digest. Its `files` map each module that counts to its own digest.
    """
    found: dict[str, str] = {}
    waiting = [module, _ALWAYS] if _is_below(module, (NAME,)) else []
    while waiting:
        name = waiting.pop()
        path = _path(name, package)
        if path is not None and name not in found and _is_below(name, folders) and not _is_below(name, BASE):
            state = path.stat()
            found[name], imported = _read(path, state.st_mtime_ns, state.st_size)
            waiting += _modules(imported, package)
    made = Digest(hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest() if found else "")
    made.files = found
    return made


def _is_below(module: str, folders: Sequence[str]) -> bool:
    return any(module == folder or module.startswith(f"{folder}.") for folder in folders)


def _path(module: str, package: Path) -> Path | None:
    """Returns the file of a module of ours; None when there is no such module."""
    return _files(package).get(module)


@cache
def _files(package: Path) -> Mapping[str, Path]:
    """Maps our modules to their files. A plan asks for a module thousands of times."""
    found = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join([NAME, *(parts[:-1] if parts[-1] == "__init__" else parts)])] = path
    return found


def _modules(imported: Sequence[str], package: Path) -> Iterator[str]:
    """Yields the modules of imported names: that of `alchemy.host.files.digest` is alchemy.host.files."""
    for name in imported:
        yield name if _path(name, package) else name.rpartition(".")[0]


@cache
def _read(path: Path, _mtime: int, _size: int) -> tuple[str, tuple[str, ...]]:
    """Returns the digest of a module's syntax tree, and the full names of all that it imports, wherever it does.

    Its time and size tell whether the file is the one that was read before.
    """
    tree = ast.parse(path.read_bytes())
    words: list[str] = []
    imported: list[str] = []
    _walk(tree, words, imported)
    return hashlib.sha256("\0".join(words).encode()).hexdigest(), tuple(imported)


def _walk(value: object, words: list[str], imported: list[str]) -> None:
    """Adds a part of a syntax tree to `words`, and the names that it imports to `imported`.

    Unlike ast.dump it gives the same with each version of Python: newer ones have more fields, which are empty.
    """
    if isinstance(value, ast.AST):
        if isinstance(value, ast.Import):
            imported += [alias.name for alias in value.names]
        elif isinstance(value, ast.ImportFrom):
            imported += [f"{value.module}.{alias.name}" for alias in value.names]
        words.append(type(value).__name__)
        for name in value._fields:
            field = getattr(value, name, None)
            if name == "body" and isinstance(field, list):
                field = _without_docstring(value, field)
            if field is not None and field != []:
                words.append(name)
                _walk(field, words, imported)
        words.append(")")
    elif isinstance(value, list):
        for item in value:
            _walk(item, words, imported)
        words.append("]")
    else:
        words.append(repr(value))


def _without_docstring(node: ast.AST, body: list[ast.stmt]) -> list[ast.stmt]:
    documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    return body[1:] if documented and ast.get_docstring(node, clean=False) is not None else body  # type: ignore[arg-type]  # narrowed
