"""Signs SHA256SUMS with the SSH or OpenPGP key that `signing_key` names."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path

from alchemy.config.values import FINGERPRINT
from alchemy.context import Context
from alchemy.errors import UserError

# the suffixes of signatures of SSH and OpenPGP keys, as ssh-keygen(1) and gpg(1) write them
SUFFIXES = (".sig", ".asc")

_PRIVATE = " PRIVATE KEY-----"
_BEGIN = "-----BEGIN OPENSSH PRIVATE KEY-----"
_END = "-----END OPENSSH PRIVATE KEY-----"
_MAGIC = b"openssh-key-v1\0"

# the variables by which ssh-keygen and gpg find the user's agents and keys
_AGENTS = ("SSH_AUTH_SOCK", "GNUPGHOME")


def identity(context: Context) -> str:
    """Identifies the configured key by the fingerprint of its public half, which every signature shows; empty without
    a key. Nothing of a private key enters it.

    Raises UserError for a private key in a format that does not contain the public half.
    """
    key = _key_file(context)
    if key is None:
        return context.config.signing_key or ""
    text = key.read_text(encoding="utf-8", errors="replace")
    blob = _public_half(text)
    public = key.with_name(f"{key.name}.pub")
    if blob is None and _PRIVATE in text:
        blob = _public_half(public.read_text(encoding="utf-8", errors="replace")) if public.is_file() else None
        if blob is None:
            raise UserError(
                f"signing_key: {context.config.signing_key}: private key in an old format (expected OpenSSH's)",
                hint=f"ssh-keygen -p -f {key}",
            )
    # a file that is not a key fails when it has to sign
    return f"SHA256:{hashlib.sha256(blob).hexdigest()}" if blob else "no key"


def _public_half(text: str) -> bytes | None:
    """Reads the public key from a key file of OpenSSH, in the format of RFC 4253, section 6.6; None when it has none.

    In the file of a private key (OpenSSH's PROTOCOL.key) the public key is never encrypted. It follows a magic, three
    strings that describe the encryption, and the number of keys.
    """
    try:
        if not text.startswith(f"{_BEGIN}\n"):
            kind, encoded, *_ = text.split()
            blob = base64.b64decode(encoded, validate=True)
            return blob if _string(blob, 0)[0] == kind.encode() else None
        blob = base64.b64decode("".join(text.partition(_END)[0].splitlines()[1:]), validate=True)
        at = len(_MAGIC)
        if blob[:at] != _MAGIC:
            return None
        for _ in range(3):
            at = _string(blob, at)[1]
        return _string(blob, at + 4)[0] or None
    except ValueError:
        return None


def _string(blob: bytes, at: int) -> tuple[bytes, int]:
    """Reads the length-prefixed string at a position (RFC 4251, section 5); returns it and the position after it."""
    end = at + 4 + int.from_bytes(blob[at : at + 4], "big")
    if len(blob) < end:
        raise ValueError("truncated")
    return blob[at + 4 : end], end


def sign(context: Context, file: Path) -> None:
    """Writes a detached signature next to `file`, if a key is configured.

    An SSH key writes `.sig`, for `ssh-keygen -Y verify -n file`; an OpenPGP key writes `.asc`, for `gpg --verify`.
    Raises BuildError when the key cannot sign.
    """
    if not context.config.signing_key:
        return
    key = _key_file(context)
    if key is None:
        command = ["gpg", "--batch", "--yes", "--armor", "--local-user", context.config.signing_key]
        _run(context, [*command, "--output", f"{file}.asc", "--detach-sign", str(file)])
        return
    # ssh-keygen asks before it overwrites a signature
    file.with_name(f"{file.name}.sig").unlink(missing_ok=True)
    _run(context, ["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", "file", str(file)])


def _run(context: Context, command: list[str]) -> None:
    agents = {name: os.environ[name] for name in _AGENTS if name in os.environ}
    context.runner.run(command, env=agents, log=context.logfile("bundle"), what="signing with signing_key")


def _key_file(context: Context) -> Path | None:
    key = context.config.signing_key
    return None if not key or FINGERPRINT.fullmatch(key) else context.root / key
