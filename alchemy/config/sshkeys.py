"""SSH public keys, as authorized_keys and allowed_signers take them: checked to their last byte.

The fields of a key: RFC 4253 section 6.6 (RSA), RFC 5656 section 3.1 (ECDSA), RFC 8709 section 4 (Ed25519), and
OpenSSH's PROTOCOL.u2f (sk-…, keys of a security token).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINE = re.compile(r"(?P<type>[a-z0-9@.-]+) (?P<key>[A-Za-z0-9+/]+=*)( [^\x00-\x1f\x7f]*)?")

# what sshd accepts (OpenSSH's sshkey.h)
_RSA_BITS = range(1024, 16384 + 1)


@dataclass(frozen=True)
class _Curve:
    """A curve y² = x³ - 3x + b over the integers modulo the prime p (SP 800-186, section 3.2.1)."""

    p: int
    b: int

    def has(self, point: bytes) -> bool:
        """Returns whether a point, in the uncompressed form of SEC 1 section 2.3.3 (04, x, y), is on the curve."""
        size = (self.p.bit_length() + 7) // 8
        if len(point) != 1 + 2 * size or point[0] != 4:
            return False
        x, y = int.from_bytes(point[1 : 1 + size], "big"), int.from_bytes(point[1 + size :], "big")
        return max(x, y) < self.p and (y * y - (x * x * x - 3 * x + self.b)) % self.p == 0


_CURVES = {
    "nistp256": _Curve(
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    ),
    "nistp384": _Curve(
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
    ),
    "nistp521": _Curve(
        2**521 - 1,
        0x0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00,
    ),
}

# the fields that follow the type, by type
_FIELDS = {
    "ssh-ed25519": ("ed25519",),
    "ssh-rsa": ("exponent", "modulus"),
    **{f"ecdsa-sha2-{curve}": (curve, "point") for curve in _CURVES},
    "sk-ssh-ed25519@openssh.com": ("ed25519", "application"),
    "sk-ecdsa-sha2-nistp256@openssh.com": ("nistp256", "point", "application"),
}


def check(line: str) -> str:
    """Returns a public key, TYPE BASE64 [COMMENT], without surrounding blanks. Raises ValueError for one that sshd
    would not accept."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise ValueError("must be an OpenSSH public key: TYPE BASE64 [COMMENT] on one line")
    kind = match["type"]
    if kind not in _FIELDS:
        raise ValueError(f"must be an OpenSSH public key: unsupported type {kind} (expected {', '.join(_FIELDS)})")
    try:
        blob = base64.b64decode(match["key"], validate=True)
    except binascii.Error as error:
        raise ValueError(f"corrupt SSH key (invalid base64: {error})") from error
    found, *fields = _split(blob)
    if found != kind.encode():
        raise ValueError(f"corrupt SSH key (expected type {kind}, got {found.decode(errors='replace')})")
    if len(fields) != len(_FIELDS[kind]):
        raise ValueError(f"corrupt {kind} key (expected {len(_FIELDS[kind])} fields, got {len(fields)})")
    curve = ""
    for name, value in zip(_FIELDS[kind], fields, strict=True):
        if name in _CURVES:
            curve = name
        if not _fits(name, value, curve):
            raise ValueError(f"corrupt {kind} key (its {name} is invalid)")
    return match[0]


def _split(blob: bytes) -> Iterator[bytes]:
    """Yields the fields of a key, each preceded by its length (RFC 4251 section 5, string). Raises ValueError when the
    key ends within a field."""
    rest = blob
    while rest:
        size = int.from_bytes(rest[:4], "big")
        field = rest[4 : 4 + size]
        if len(rest) < 4 or len(field) < size:
            missing = (
                f"expected a field of {size} bytes, got {len(field)}" if len(rest) >= 4 else "ends within a length"
            )
            raise ValueError(f"truncated SSH key ({missing}); is it wrapped over two lines?")
        yield field
        rest = rest[4 + size :]


def _fits(name: str, value: bytes, curve: str) -> bool:
    if name == "ed25519":
        return len(value) == 32
    if name == "point":
        return _CURVES[curve].has(value)
    if name in _CURVES:
        return value == name.encode()
    if name == "application":
        return value.isascii() and value.decode("ascii", "replace").isprintable() and bool(value)
    # RFC 4251 section 5, mpint: the number is negative when its first bit is set
    if not value or value[0] & 0x80:
        return False
    number = int.from_bytes(value, "big")
    if name == "modulus":
        return number.bit_length() in _RSA_BITS and number % 2 == 1
    return number > 1 and number % 2 == 1
