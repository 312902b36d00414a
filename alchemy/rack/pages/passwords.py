"""Checks a password against a crypt(5) hash with the libcrypt of the host."""

from __future__ import annotations

import ctypes
import hmac
from functools import cache

from alchemy.errors import UserError

# of libxcrypt: Debian, Fedora; Arch, Gentoo
_LIBRARIES = ("libcrypt.so.1", "libcrypt.so.2")
# sizeof(struct crypt_data), and CRYPT_MAX_PASSPHRASE_SIZE without its NUL (crypt.h of libxcrypt)
_DATA_BYTES = 32768
MOST_BYTES = 511
# CRYPT_SALT_INVALID and CRYPT_SALT_METHOD_DISABLED of crypt_checksalt(3)
_UNUSABLE = (1, 2)


def matches(password: str, hashed: str) -> bool:
    """Returns whether a password has this hash. It takes as long as the method of the hash, some 25 ms for yescrypt.

    Raises UserError when the host's libcrypt does not know the method.
    """
    phrase = password.encode("utf-8", "surrogatepass")
    # crypt(3) would stop at the NUL, and accept what stands before it
    acceptable = b"\0" not in phrase and len(phrase) <= MOST_BYTES
    result = _crypt(phrase if acceptable else b"", hashed.encode())
    return hmac.compare_digest(result, hashed.encode()) and acceptable


def check(hashed: str) -> None:
    """Raises UserError when the host's libcrypt cannot check hashes of this method."""
    if _library().crypt_checksalt(hashed.encode()) in _UNUSABLE:
        raise _unsupported(hashed.encode())


def _crypt(phrase: bytes, setting: bytes) -> bytes:
    data = ctypes.create_string_buffer(_DATA_BYTES)
    result: bytes | None = _library().crypt_rn(phrase, setting, data, _DATA_BYTES)
    if result is None:
        raise _unsupported(setting)
    return result


def _unsupported(setting: bytes) -> UserError:
    """Returns the error about a hash, which it does not quote."""
    method = setting.split(b"$")[1].decode() if setting.count(b"$") > 1 else "none"
    return UserError(
        f"operators: libcrypt of this host does not support the method of a hash (got ${method}$)",
        hint="mkpasswd --method=yescrypt",
    )


@cache
def _library() -> ctypes.CDLL:
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
            library.crypt_rn.restype = ctypes.c_char_p
            library.crypt_checksalt.restype = ctypes.c_int
        except (OSError, AttributeError):
            continue
        library.crypt_rn.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int]
        library.crypt_checksalt.argtypes = [ctypes.c_char_p]
        return library
    raise UserError(
        "libcrypt: not found (expected that of libxcrypt: crypt_rn in libcrypt.so.1)",
        hint="apt-get install libcrypt1",
    )
