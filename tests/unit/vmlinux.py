"""Makes ELF files of a kernel: a vmlinux with device tables, and modules."""

from __future__ import annotations

import struct
from collections.abc import Sequence

# how the symbol of a table begins
PREFIX = "__mod_device_table__kmod_"

ANY = 0xFFFFFFFF
ADDRESS = 0xFFFFFFFF82000000


def vmlinux(tables: Sequence[tuple[str, bytes]]) -> bytes:
    """An ELF file with a symbol for each (name, content), and a symbol of something else."""
    data, names, table = b"\xee" * 8, b"\0start_kernel\0", struct.pack("<IBBHQQ", 1, 2, 0, 1, ADDRESS, 8)
    for name, content in tables:
        table += struct.pack("<IBBHQQ", len(names), 1, 0, 1, ADDRESS + len(data), len(content))
        names += name.encode() + b"\0"
        data += content
    headers = b"\0.rodata\0.symtab\0.strtab\0.shstrtab\0"
    return _elf(
        2,
        [
            (1, 1, ADDRESS, data, 0, 0),
            (9, 2, 0, table, 3, 24),
            (17, 3, 0, names, 0, 0),
            (25, 3, 0, headers, 0, 0),
        ],
    )


def module(modinfo: bytes) -> bytes:
    """A relocatable ELF file with a section .modinfo."""
    return _elf(1, [(1, 1, 0, modinfo, 0, 0), (10, 3, 0, b"\0.modinfo\0.shstrtab\0", 0, 0)])


def _elf(kind: int, sections: Sequence[tuple[int, int, int, bytes, int, int]]) -> bytes:
    """An ELF file of sections (name, type, address, content, link, entry size), of which the last has the names."""
    body, found = b"", [bytes(64)]
    for name_at, type_, address, content, link, size in sections:
        found.append(
            struct.pack("<IIQQQQIIQQ", name_at, type_, 0, address, 64 + len(body), len(content), link, 0, 1, size)
        )
        body += content
    start = b"\x7fELF\x02\x01\x01" + bytes(9)
    table, count = 64 + len(body), len(sections)
    start += struct.pack("<HHIQQQIHHHHHH", kind, 62, 1, 0, 0, table, 0, 64, 0, 0, 64, count + 1, count)
    return start + body + b"".join(found)


def pci(*numbers: int, override: int = 0) -> bytes:
    return struct.pack("<6IQI4x", *numbers, 7, override)
