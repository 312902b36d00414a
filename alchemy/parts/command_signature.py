"""Signs a script that the boot parameter command_url may run.

The signature is one of `ssh-keygen -Y sign`, of the namespace alchemy-command. A line of the script binds it to the
name under which the script is served (the last part of command_url) and to the last day on which it may run (UTC):

    # alchemy-command: NAME not-after YYYY-MM-DD

The node checks both (chroot/early/command.sh).
"""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from alchemy.errors import UserError
from alchemy.run import Runner

NAMESPACE = "alchemy-command"

# the most that a node fetches
_MOST_BYTES = 1 << 20
_MOST_DAYS = 3650
# needs no escape in a URL
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_LINE = re.compile(rb"^# alchemy-command: .*\n?", re.MULTILINE)


def binding(name: str, last_day: date) -> str:
    """Returns the line that binds a script."""
    return f"# alchemy-command: {name} not-after {last_day.isoformat()}"


def bind(script: bytes, name: str, last_day: date) -> bytes:
    """Returns a script with exactly one such line, after its first line if that is a `#!`.

    Raises UserError when the script could not run on a node or under that name.
    """
    if not _NAME.fullmatch(name):
        raise UserError(f"{name}: not a name for a URL (expected letters, digits, and . _ + -)")
    if b"\0" in script:
        raise UserError(f"{name}: not a text file (contains a NUL byte)")
    if script.partition(b"\n")[0].endswith(b"\r"):
        raise UserError(f"{name}: the first line ends in CR LF (expected LF)", hint=f"sed -i 's/\\r$//' {name}")
    line = f"{binding(name, last_day)}\n".encode("ascii")
    first, newline, rest = _LINE.sub(b"", script).partition(b"\n")
    bound = first + b"\n" + line + rest if first.startswith(b"#!") else line + first + newline + rest
    if len(bound) > _MOST_BYTES:
        raise UserError(f"{name}: too large for a node (expected at most {_MOST_BYTES} bytes, got {len(bound)})")
    return bound


def sign(runner: Runner, script: Path, key: Path, days: int, today: date | None = None) -> str:
    """Writes the binding line into the script, signs that as SCRIPT.sig, and returns the line.

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
    command: list[str | Path] = ["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", NAMESPACE, script]
    if runner.foreground(command, env=agent) != 0:
        raise UserError(f"{key}: cannot sign {script}", hint=f"ssh-keygen -y -f {key} tells whether the key is usable")
    return binding(script.name, last_day)


def _replace(file: Path, content: bytes) -> None:
    """Replaces a file whole, and keeps its mode."""
    temporary = file.with_name(f".{file.name}.tmp")
    temporary.write_bytes(content)
    temporary.chmod(file.stat().st_mode & 0o777)
    temporary.replace(file)
