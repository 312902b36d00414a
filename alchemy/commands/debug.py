"""`--debug-shell`: a shell in the chroot of a failed command."""

from __future__ import annotations

import dataclasses
import os
import shlex
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from alchemy.context import Context
from alchemy.errors import BuildError
from alchemy.host.chroot import Inside
from alchemy.run import Runner
from alchemy.ui.events import Log

# bash where the chroot has it
_SHELL = ("/bin/sh", "-c", "! command -v bash >/dev/null || exec bash --norc; exec sh -i")


def with_shell(context: Context) -> Context:
    """Returns a context whose runner opens a shell when a command in a chroot fails, before anything is cleaned up."""
    return dataclasses.replace(context, runner=_Runner(context.log))


class _Runner(Runner):
    """Opens one shell, at the first failure. What fails after it, in a parallel stage, fails without one."""

    def __init__(self, log: Log) -> None:
        super().__init__(failed=self._open)
        self._log = log
        self._opened = threading.Lock()

    def _open(self, argv: Sequence[str | Path], error: BuildError) -> None:
        if not isinstance(argv, Inside) or not self._opened.acquire(blocking=False):
            return
        terminal = {"TERM": os.environ.get("TERM", "dumb"), "PS1": "(alchemy) \\w # "}
        chroot = dataclasses.replace(argv.chroot, env={**argv.chroot.env, **terminal})
        with self._log.paused():
            print(f"{error.message}\n\nIn the chroot, the command that failed is:\n", file=sys.stderr)
            print(f"  cd {shlex.quote(argv.cwd)} && {shlex.join(argv.command)}\n", file=sys.stderr)
            print("This is a shell there. The build ends as failed when it exits.", file=sys.stderr, flush=True)
            self.foreground(chroot.argv(_SHELL, cwd=argv.cwd, interactive=True))
