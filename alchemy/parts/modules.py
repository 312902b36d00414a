"""What kernel modules say of themselves: the entries of their section .modinfo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from alchemy.errors import VerificationError

SUFFIX = ".ko"

_SECTION = ".modinfo"
_MALFORMED = (ELFError, AttributeError, LookupError, OSError, TypeError, ValueError)


def find(folder: Path) -> list[Path]:
    """Returns the modules below a folder, in the order of their paths."""
    return sorted(path for path in folder.rglob(f"*{SUFFIX}") if path.is_file() and not path.is_symlink())


def modinfo(folder: Path) -> bytes:
    """Returns what the modules below a folder say of themselves, in the form of modules.builtin.modinfo: NUL-terminated
    entries `DRIVER.KEY=VALUE`.

    Raises VerificationError for a module that is not a complete ELF file.
    """
    return b"".join(entry for path in find(folder) for entry in _entries(path))


def _entries(path: Path) -> Iterator[bytes]:
    # the kernel writes the names of modules with underscores
    name = path.name.removesuffix(SUFFIX).replace("-", "_").encode()
    try:
        with path.open("rb") as file:
            section = ELFFile(file).get_section_by_name(_SECTION)
            content = section.data() if section is not None else b""
    except _MALFORMED as error:
        raise VerificationError(f"{path}: not a complete ELF file ({error})") from error
    # the linker pads what files of one module contribute
    yield from (name + b"." + entry + b"\0" for entry in content.split(b"\0") if entry)
