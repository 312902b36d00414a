"""Whether something downloaded may be used, by the functions with which the preliminary init judges command_url."""

from __future__ import annotations

from alchemy_node.machine import Machine
from alchemy_node.text import printable

# chroot/early/authenticate, which the preliminary init carries over
_JUDGE = "/run/alchemy/early/authenticate"
# longer than it tries to fetch a signature
_SECONDS = 150.0
_LOCKED = "/etc/alchemy/locked"


class SignatureError(Exception):
    """Something downloaded that is refused; the message has a line for each reason."""


def demand(machine: Machine, what: str, url: str, data: bytes, namespace: str, key: str) -> None:
    """Verifies the signature of a download from `url`, where the image or `key` asks for one.

    `what` is the parameter that named the URL, and `key` an SSH key as TYPE:BASE64, empty for none. A signature is
    fetched from `url` + `.sig`. Raises SignatureError, OSError.
    """
    file = f"/run/alchemy/{what}"
    path = machine.root / file.lstrip("/")
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o600)
    path.write_bytes(data)
    output = machine.run(["sh", _JUDGE, file, url, namespace, key, what], _SECONDS)
    lines = output.stdout.splitlines()
    # an empty script, on a full tmpfs, ends with 0 as well
    if output.problem is None and lines[-1:] == ["authentic"]:
        return
    said = [printable(line, 300) for line in lines if line.strip()]
    unsaid = f"{what}: refused: cannot be authenticated ({output.problem or 'no answer'}): {printable(output.stderr)}"
    raise SignatureError("\n".join(said or [unsaid.removesuffix(": ")]))


def locked(machine: Machine) -> bool:
    """Whether the image is locked: it takes its own files and signed ones alone (config.yml: locked)."""
    return machine.exists(_LOCKED)
