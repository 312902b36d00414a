"""Password hashes (crypt(5)): which ones config.yml may hold, and how a password is hashed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

_B64 = "[./0-9A-Za-z]"

# The forms of crypt(5) that resist guessing. DES, MD5, NT and SunMD5 are left out: a home computer tries millions of
# passwords per second.
_FORMS = {
    "yescrypt": rf"\$y\${_B64}{{3,16}}\${_B64}{{1,86}}\${_B64}{{43}}",
    "gost-yescrypt": rf"\$gy\${_B64}{{3,16}}\${_B64}{{1,86}}\${_B64}{{43}}",
    "scrypt": rf"\$7\${_B64}{{11,97}}\${_B64}{{43}}",
    "bcrypt": rf"\$2[by]\$(0[4-9]|[12][0-9]|3[01])\${_B64}{{53}}",
    "sha512crypt": rf"\$6\$(rounds=[1-9][0-9]{{3,8}}\$)?{_B64}{{1,16}}\${_B64}{{86}}",
    "sha256crypt": rf"\$5\$(rounds=[1-9][0-9]{{3,8}}\$)?{_B64}{{1,16}}\${_B64}{{43}}",
}
_HASH = re.compile("|".join(_FORMS.values()))

# yescrypt at libxcrypt's default cost: 16 MB and some 20 ms per guess, and per login
_YESCRYPT = "$y$j9T$"
_SALT_BYTES = 18  # a whole number of yescrypt's groups of 4 characters


def check_hash(value: str) -> str:
    """Returns a password hash. Raises ValueError, which does not quote it, for a form that is not accepted."""
    if not _HASH.fullmatch(value):
        raise ValueError(
            f"must be a complete crypt(5) hash (expected {', '.join(_FORMS)}; `mkpasswd --method=yescrypt` prints one)"
        )
    return value


def setting(secret: bytes, password: str) -> str:
    """Returns the setting that crypt(3) hashes a password with: the method, its cost and the salt.

    The salt derives from the password and the secret of the site. So a password has the same hash in every build of a
    site, which keeps images reproducible, and another hash at any other site. Without the secret, the salt reveals
    nothing.
    """
    salt = base64.b64encode(_keyed(secret, "salt", password)[:_SALT_BYTES], altchars=b"./").decode()
    return f"{_YESCRYPT}{salt}$"


def fingerprint(secret: bytes, password: str) -> str:
    """Returns a value that identifies a password in keys of the cache. Without the secret it reveals nothing."""
    return _keyed(secret, "fingerprint", password).hex()


def is_hash_of(setting: str, hashed: str) -> bool:
    """Returns whether crypt(3) accepted a setting. It reports an error by a value that does not begin with it."""
    return hashed.startswith(setting) and _HASH.fullmatch(hashed) is not None


def _keyed(secret: bytes, purpose: str, password: str) -> bytes:
    return hmac.digest(secret, f"alchemy {purpose}\0{password}".encode(), hashlib.sha256)
