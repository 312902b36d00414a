"""Tars made block by block, so that they can be wrong in each of their parts."""

from __future__ import annotations

POSIX, GNU, V7 = b"ustar\x0000", b"ustar  \0", bytes(8)

END = bytes(1024)

# where a field begins, and how long it is (POSIX.1-2017, pax, 'ustar Interchange Format')
FIELDS = {
    "name": (0, 100),
    "mode": (100, 8),
    "uid": (108, 8),
    "gid": (116, 8),
    "size": (124, 12),
    "mtime": (136, 12),
    "checksum": (148, 8),
    "type": (156, 1),
    "target": (157, 100),
    "magic": (257, 8),
    "uname": (265, 32),
    "gname": (297, 32),
    "major": (329, 8),
    "minor": (337, 8),
    "prefix": (345, 155),
    "rest": (500, 12),
}


def header(name: bytes, **fields: bytes) -> bytes:
    """A header block: a file of no bytes, but for what `fields` say. The checksum is right unless it is given."""
    plain = {"mode": b"0000755\0", "uid": b"0000000\0", "gid": b"0000000\0", "size": octal(0), "mtime": octal(0),
             "type": b"0", "magic": POSIX, "major": b"0000000\0", "minor": b"0000000\0", "name": name}  # fmt: skip
    block = bytearray(512)
    for field, value in {**plain, **fields}.items():
        begin, length = FIELDS[field]
        block[begin : begin + length] = value.ljust(length, b"\0")[:length]
    return bytes(block) if "checksum" in fields else summed(bytes(block))


def summed(block: bytes) -> bytes:
    """A header block with its right checksum."""
    total = sum(block[:148]) + 8 * ord(" ") + sum(block[156:512])
    return block[:148] + b"%06o\0 " % total + block[156:]


def octal(number: int) -> bytes:
    return b"%011o\0" % number


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def file(name: bytes, data: bytes = b"gold", **fields: bytes) -> bytes:
    """A regular file."""
    return header(name, size=octal(len(data)), **fields) + padded(data)


def pax(*records: tuple[bytes, bytes], kind: bytes = b"x") -> bytes:
    """A header of pax records."""
    return file(b"pax", b"".join(record(*one) for one in records), type=kind)


def record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while len(b"%d" % length) + len(rest) != length:
        length += 1
    return b"%d" % length + rest


def long_name(name: bytes, kind: bytes = b"L") -> bytes:
    """GNU's header of a long name."""
    return file(b"././@LongLink", name + b"\0", type=kind, magic=GNU)
