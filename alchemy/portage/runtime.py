"""The run-time libraries of the compiler, such as libstdc++: programs need them, and no package of theirs says so."""

from __future__ import annotations

from pathlib import Path

from alchemy.host.rooted import Rooted
from alchemy.portage import soundness

# where GCC keeps its libraries, a folder a version, by the bits of the programs that need them
_COMPILER = {64: "usr/lib/gcc/*/*", 32: "usr/lib/gcc/*/*/32"}

# where the root tree gets them; those of 32 bits lie beside their loader, which looks there
_FOLDER = {64: "usr/lib64", 32: "usr/lib"}
_LOADER_OF_32_BITS = "lib/ld-linux.so.2"


def add(root: Path, chroot: Path) -> list[str]:
    """Copies the libraries of a build chroot's compiler that programs of the root tree lack; returns their names.

    One may need another: they are looked for until none is missing.
    """
    added: set[tuple[int, str]] = set()
    while fresh := {lacks: path for lacks in _missing(root) - added if (path := _find(chroot, *lacks)) is not None}:
        for (bits, name), path in sorted(fresh.items()):
            Rooted(chroot).copy_out(path, _folder(root, bits) / name)
        added |= fresh.keys()
    return sorted(name if bits == 64 else f"{name} ({bits} bits)" for bits, name in added)


def _folder(root: Path, bits: int) -> Path:
    loader = Rooted(root).resolve(_LOADER_OF_32_BITS) if bits == 32 else None
    return loader.parent if loader is not None else Rooted(root).make_folder(_FOLDER[bits])


def _missing(root: Path) -> set[tuple[int, str]]:
    """Returns the missing libraries, with the bits of who needs them."""
    return {(soundness.bits(path), name) for path, name in soundness.missing_libraries(root)}


def _find(chroot: Path, bits: int, name: str) -> str | None:
    """Returns the path of a library of the compiler that the build chroot uses; None where it is of another package."""
    tree = Rooted(chroot)
    installed = tree.glob(f"{_COMPILER[bits]}/{name}") if "/" not in name else []
    # the loader's configuration has the folder of the version in use first
    used = [f"{folder}/{name}".lstrip("/") for folder in soundness.loader_folders(chroot)]
    return next((path for path in used if path in installed), installed[-1] if installed else None)
