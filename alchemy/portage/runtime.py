"""The run-time libraries of the compiler, such as libstdc++: programs need them, and no package of theirs says so."""

from __future__ import annotations

from pathlib import Path

from alchemy.host.rooted import Rooted
from alchemy.portage import soundness

# where GCC keeps its libraries, a folder a version, and where the root tree gets them
_COMPILER = "usr/lib/gcc/*/*"
_FOLDER = "usr/lib64"


def add(root: Path, chroot: Path) -> list[str]:
    """Copies the libraries of a build chroot's compiler that programs of the root tree lack; returns their names.

    One may need another: they are looked for until none is missing.
    """
    added: set[str] = set()
    while fresh := {name: path for name in _missing(root) - added if (path := _find(chroot, name)) is not None}:
        for name, path in sorted(fresh.items()):
            Rooted(chroot).copy_out(path, Rooted(root).make_folder(_FOLDER) / name)
        added |= fresh.keys()
    return sorted(added)


def _missing(root: Path) -> set[str]:
    return {name for _, name in soundness.missing_libraries(root)}


def _find(chroot: Path, name: str) -> str | None:
    """Returns the path of a library of the compiler that the build chroot uses; None where it is of another package."""
    tree = Rooted(chroot)
    installed = tree.glob(f"{_COMPILER}/{name}") if "/" not in name else []
    # the loader's configuration has the folder of the version in use first
    used = [f"{folder}/{name}".lstrip("/") for folder in soundness.loader_folders(chroot)]
    return next((path for path in used if path in installed), installed[-1] if installed else None)
