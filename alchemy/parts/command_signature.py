"""Signs a script that the boot parameter command_url may run, or a burn-in profile that is served by URL.

The signature is one of `ssh-keygen -Y sign`, of the namespace alchemy-command or alchemy-profile. A line of the file,
which is a comment to a shell and in TOML, binds it to the name under which the file is served (the last part of its
URL) and to the last day on which it may be used (UTC):

    # NAMESPACE: NAME not-after YYYY-MM-DD

The node checks all of this (chroot/early/verify.sh).
"""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from alchemy.errors import UserError
from alchemy.run import Runner

COMMAND = "alchemy-command"
PROFILE = "alchemy-profile"

# the most that a node fetches
_MOST_BYTES = {COMMAND: 1 << 20, PROFILE: 1 << 16}
_MOST_DAYS = 3650
# needs no escape in a URL
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def namespace(name: str) -> str:
    """Returns what a file of this name is signed as: a TOML file is a profile, everything else a script."""
    return PROFILE if name.endswith(".toml") else COMMAND


def binding(name: str, last_day: date) -> str:
    """Returns the line that binds a script or a profile."""
    return f"# {namespace(name)}: {name} not-after {last_day.isoformat()}"


def bind(script: bytes, name: str, last_day: date) -> bytes:
    """Returns a script or a profile with exactly one such line, after its first line if that is a `#!`.

    Raises UserError when a node could not use the file, or not under that name.
    """
    if not _NAME.fullmatch(name):
        raise UserError(f"{name}: not a name for a URL (expected letters, digits, and . _ + -)")
    if b"\0" in script:
        raise UserError(f"{name}: not a text file (contains a NUL byte)")
    if script.partition(b"\n")[0].endswith(b"\r"):
        raise UserError(f"{name}: the first line ends in CR LF (expected LF)", hint=f"sed -i 's/\\r$//' {name}")
    line = f"{binding(name, last_day)}\n".encode("ascii")
    old = re.compile(rb"^# %b: .*\n?" % namespace(name).encode("ascii"), re.MULTILINE)
    first, newline, rest = old.sub(b"", script).partition(b"\n")
    bound = first + b"\n" + line + rest if first.startswith(b"#!") else line + first + newline + rest
    most = _MOST_BYTES[namespace(name)]
    if len(bound) > most:
        raise UserError(f"{name}: too large for a node (expected at most {most} bytes, got {len(bound)})")
    return bound


def sign(runner: Runner, script: Path, key: Path, days: int, today: date | None = None) -> str:
    """Writes the binding line into a script or profile, signs that as SCRIPT.sig, and returns the line.

    `key` is the file of a private SSH key, or of a public key whose private half an agent has. ssh-keygen may ask for a
    passphrase on the terminal. `today` is the day to count from (default: today, UTC). Raises UserError when the script
    cannot be read or signed; the script then has no signature.
    """
    if not 1 <= days <= _MOST_DAYS:
        raise UserError(f"--days: out of range (expected 1 to {_MOST_DAYS}, got {days})")
    for file in (script, key):
        if not file.is_file():
            raise UserError(f"{file}: no such file")
    last_day = (today or datetime.now(UTC).date()) + timedelta(days=days)
    bound = bind(script.read_bytes(), script.name, last_day)
    # an old signature is of the old script, and ssh-keygen asks before it overwrites one
    script.with_name(f"{script.name}.sig").unlink(missing_ok=True)
    _replace(script.resolve(), bound)
    agent = {name: os.environ[name] for name in ("SSH_AUTH_SOCK",) if name in os.environ}
    purpose = namespace(script.name)
    command: list[str | Path] = ["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", purpose, script]
    if runner.foreground(command, env=agent) != 0:
        raise UserError(f"{key}: cannot sign {script}", hint=f"ssh-keygen -y -f {key} tells whether the key is usable")
    return binding(script.name, last_day)


def _replace(file: Path, content: bytes) -> None:
    """Replaces a file whole, and keeps its mode."""
    temporary = file.with_name(f".{file.name}.tmp")
    temporary.write_bytes(content)
    temporary.chmod(file.stat().st_mode & 0o777)
    temporary.replace(file)
