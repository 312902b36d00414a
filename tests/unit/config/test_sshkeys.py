from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from alchemy.config import sshkeys
from tests.unit import publickeys
from tests.unit.publickeys import DSA, ED25519, GOOD, NISTP256, RSA_1024, RSA_2048, blob, fields, line

E, N = fields(RSA_2048)[1:]
CURVE, POINT = fields(NISTP256)[1:]


def cut(key: str, count: int) -> str:
    """A key without the last bytes of its blob."""
    kind, encoded = key.split()
    return f"{kind} {base64.b64encode(base64.b64decode(encoded)[:-count]).decode()}"


def odd(bits: int) -> bytes:
    """A positive odd mpint of so many bits."""
    return (1 << (bits - 1) | 1).to_bytes(bits // 8 + 1, "big")


@pytest.mark.parametrize("key", GOOD.values(), ids=GOOD.keys())
@pytest.mark.parametrize("comment", ["", " admin@example.com", " two words "])
def test_a_complete_key_is_accepted(key: str, comment: str) -> None:
    assert sshkeys.check(f" {key}{comment}\n") == f"{key}{comment}".strip()


BAD: Mapping[str, tuple[str, str]] = {
    "nothing": ("", "must be an OpenSSH public key: TYPE BASE64"),
    "options before the type": (f"no-pty {ED25519}", "must be an OpenSSH public key: TYPE BASE64"),
    "a DSA key, which OpenSSH 10 dropped": (DSA, "unsupported type ssh-dss (expected ssh-ed25519, ssh-rsa"),
    "a certificate": (
        ED25519.replace("ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com"),
        "unsupported type ssh-ed25519-",
    ),
    "a comment with an escape sequence": (f"{ED25519} \x1b[2J", "must be an OpenSSH public key: TYPE BASE64"),
    "a key in two lines": (ED25519.replace("AAAA", "AAAA\n", 1), "must be an OpenSSH public key: TYPE BASE64"),
    "a key that an editor wrapped and YAML folded": (
        f"{RSA_2048[:200]} {RSA_2048[200:]}",
        "truncated SSH key (expected a field of 257 bytes, got 1",
    ),
    "a key cut within a length": (cut(ED25519, 34), "truncated SSH key"),
    "a key cut between two fields": (cut(ED25519, 36), "corrupt ssh-ed25519 key (expected 1 fields, got 0)"),
    "a byte too many": (line("ssh-ed25519", bytes(32)) + "AA==", "truncated SSH key (ends within a length)"),
    "a field too many": (line("ssh-ed25519", bytes(32), b""), "corrupt ssh-ed25519 key (expected 1 fields, got 2)"),
    "an empty blob": ("ssh-ed25519 AAAA", "truncated SSH key"),
    "a type without fields": (line("ssh-rsa"), "corrupt ssh-rsa key (expected 2 fields, got 0)"),
    "Ed25519 of 31 bytes": (line("ssh-ed25519", bytes(31)), "corrupt ssh-ed25519 key (its ed25519 is invalid)"),
    "RSA of 1023 bits": (line("ssh-rsa", E, odd(1023)), "corrupt ssh-rsa key (its modulus is invalid)"),
    "RSA of 16392 bits": (line("ssh-rsa", E, odd(16392)), "corrupt ssh-rsa key (its modulus is invalid)"),
    "RSA with an even modulus": (line("ssh-rsa", E, N[:-1] + b"\0"), "corrupt ssh-rsa key (its modulus is invalid)"),
    "RSA with a negative modulus": (line("ssh-rsa", E, N[1:]), "corrupt ssh-rsa key (its modulus is invalid)"),
    "RSA with the exponent 1": (line("ssh-rsa", b"\1", N), "corrupt ssh-rsa key (its exponent is invalid)"),
    "RSA without an exponent": (line("ssh-rsa", b"", N), "corrupt ssh-rsa key (its exponent is invalid)"),
    "ECDSA of another curve": (line("ecdsa-sha2-nistp384", CURVE, POINT), "(its nistp384 is invalid)"),
    "ECDSA beside its curve": (line("ecdsa-sha2-nistp256", CURVE, POINT[:-1] + b"\0"), "(its point is invalid)"),
    "ECDSA of a compressed point": (line("ecdsa-sha2-nistp256", CURVE, b"\2" + POINT[1:33]), "(its point is invalid)"),
    "a token's key of no application": (
        line("sk-ssh-ed25519@openssh.com", bytes(32), b""),
        "(its application is invalid)",
    ),
}


@pytest.mark.parametrize(("key", "message"), BAD.values(), ids=BAD.keys())
def test_a_key_that_sshd_would_refuse_is_refused(key: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        sshkeys.check(key)


@pytest.mark.parametrize("key", GOOD.values(), ids=GOOD.keys())
def test_a_truncated_key_is_refused(key: str) -> None:
    for count in range(1, len(base64.b64decode(key.split()[1]))):
        with pytest.raises(ValueError, match=r"^truncated|^corrupt"):
            sshkeys.check(cut(key, count))


def test_ssh_keygen_accepts_every_accepted_key(tmp_path: Path, real_processes: None) -> None:
    """Each key, and each with one byte of its blob changed: what ssh-keygen refuses, is refused."""
    taken = []
    for key in (*GOOD.values(), RSA_1024):
        kind, encoded = key.split()
        for at in (*range(0, 40, 3), -1):
            changed = bytearray(base64.b64decode(encoded))
            changed[at] ^= 0x81
            candidate = f"{kind} {base64.b64encode(changed).decode()}"
            try:
                taken.append(sshkeys.check(candidate))
            except ValueError:
                continue
    for key in (*GOOD.values(), *taken):
        path = tmp_path / "key"
        path.write_text(f"{key}\n", encoding="ascii")
        subprocess.run(["ssh-keygen", "-l", "-f", path], check=True, stdout=subprocess.DEVNULL)


def test_the_helper_splits_what_it_joins() -> None:
    assert fields(ED25519) == [b"ssh-ed25519", fields(ED25519)[1]]
    assert blob(*fields(ED25519)) == base64.b64decode(ED25519.split()[1])
    assert publickeys.line("ssh-ed25519", fields(ED25519)[1]) == ED25519
