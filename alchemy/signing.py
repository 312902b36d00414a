"""Signs what is published, with the SSH or OpenPGP key of `signing_key`."""

from __future__ import annotations

import os
from pathlib import Path

from alchemy import archive, openpgp
from alchemy.context import Context

# what is behind the name of a signed file, whichever key signs it: as ssh-keygen(1) and gpg(1) have it
SUFFIXES = (".sig", ".asc")

# how ssh-keygen and gpg reach the user's agents and keys
_AGENTS = ("SSH_AUTH_SOCK", "GNUPGHOME")


def identity(context: Context) -> str:
    """What tells one configured key from another, and from none."""
    key = _key_file(context)
    return archive.sha256(key) if key else context.config.signing_key or ""


def sign(context: Context, file: Path) -> None:
    """Writes a detached signature beside `file`, if a key is configured.

    `.sig` is of an SSH key, for `ssh-keygen -Y verify -n file`; `.asc` is of an OpenPGP key, for `gpg --verify`. Raises
    BuildError when the key cannot sign.
    """
    if not context.config.signing_key:
        return
    key = _key_file(context)
    if key is None:
        command = ["gpg", "--batch", "--yes", "--armor", "--local-user", context.config.signing_key]
        _run(context, [*command, "--output", f"{file}.asc", "--detach-sign", str(file)])
        return
    # it would ask before it writes over one
    file.with_name(f"{file.name}.sig").unlink(missing_ok=True)
    _run(context, ["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", "file", str(file)])


def _run(context: Context, command: list[str]) -> None:
    agents = {name: os.environ[name] for name in _AGENTS if name in os.environ}
    context.runner.run(command, env=agents, log=context.logfile("image"), what="signing with signing_key")


def _key_file(context: Context) -> Path | None:
    key = context.config.signing_key
    return None if not key or openpgp.FINGERPRINT.fullmatch(key) else context.root / key
