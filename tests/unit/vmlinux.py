"""Makes a vmlinux with device tables."""

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
    sections = [
        (1, 1, ADDRESS, data, 0, 0),
        (9, 2, 0, table, 3, 24),
        (17, 3, 0, names, 0, 0),
        (25, 3, 0, headers, 0, 0),
    ]
    body, found = b"", [bytes(64)]
    for name_at, kind, address, content, link, size in sections:
        found.append(
            struct.pack("<IIQQQQIIQQ", name_at, kind, 0, address, 64 + len(body), len(content), link, 0, 1, size)
        )
        body += content
    start = b"\x7fELF\x02\x01\x01" + bytes(9)
    start += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 0, 64 + len(body), 0, 64, 0, 0, 64, len(found), 4)
    return start + body + b"".join(found)


def pci(*numbers: int, override: int = 0) -> bytes:
    return struct.pack("<6IQI4x", *numbers, 7, override)
