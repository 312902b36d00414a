"""The tasks `sign.*`."""

from __future__ import annotations

from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from alchemy.commands import burnin
from alchemy.errors import UserError
from alchemy.parts import command_signature
from alchemy.run import Runner
from cli.command import command


@task(
    name="command",
    positional=["script"],
    help={
        "script": "the script, or a burn-in profile (.toml); the line that the signature needs is written into it",
        "key": "file of a private SSH key, or of a public one whose private key is in the SSH agent",
        "days": "days until the signature expires (default: 30)",
    },
)
@command
def sign_command(_: Context, script: str, key: str = "", days: int = 30) -> None:
    """Sign a script for command_url, or a profile for burnin_profile: writes SCRIPT.sig."""
    if not key:
        raise UserError("--key: missing", hint="./run sign.command SCRIPT --key ~/.ssh/id_ed25519")
    if command_signature.namespace(Path(script).name) == command_signature.PROFILE:
        burnin.check_profile(Path(script))
    line = command_signature.sign(Runner(), Path(script), Path(key).expanduser(), days)
    print(f"{script} now contains the line {line!r}; serve {script}.sig beside it")
