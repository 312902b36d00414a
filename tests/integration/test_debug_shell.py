"""The shell of --debug-shell in a real chroot, on a real terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pexpect

from tests import repository

PATIENCE = 60

# the host's own root serves as the chroot, read-only
SCRIPT = """\
import dataclasses, sys
from pathlib import Path
from alchemy import context
from alchemy.commands import debug
from alchemy.host.chroot import Chroot
run = debug.with_shell(context.create(Path(sys.argv[1])))
inside = Chroot(Path("/"), binds={"/mnt/out": Path(sys.argv[2])})
run.runner.run(inside.argv(["sh", "-c", "echo left >/mnt/out/half; exit 7"], cwd="/mnt/out"), what="the step")
"""


def test_a_shell_sees_what_the_failed_command_left(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        repository.skip_or_fail("the integration tier needs root")
    environ = {**os.environ, "ALCHEMY_CACHE_DIR": str(tmp_path / "c"), "ALCHEMY_WORK_DIR": str(tmp_path / "w")}
    (tmp_path / "out").mkdir()
    child = pexpect.spawn(
        sys.executable, ["-c", SCRIPT, str(repository.ROOT), str(tmp_path / "out")], cwd=str(repository.ROOT),
        env={**environ, "TERM": "xterm"}, encoding="utf-8", timeout=PATIENCE, dimensions=(40, 160),
    )  # fmt: skip
    child.expect("the step failed with status 7")
    child.expect("cd /mnt/out && sh -c 'echo left >/mnt/out/half; exit 7'")
    child.expect_exact("(alchemy) /mnt/out # ")
    child.sendline("cat half; pwd")
    child.expect("left\r\n/mnt/out")
    # Ctrl-C reaches what runs in the shell, not the build. The job says itself that it runs: earlier, the shell would
    # get the Ctrl-C.
    child.sendline("sh -c 'echo runs: $((6 * 7)); exec sleep 3600'")
    child.expect("runs: 42\r\n")
    child.sendintr()
    child.expect_exact("(alchemy) /mnt/out # ")
    child.sendline("echo status: $?")
    child.expect("status: 130\r\n")
    child.sendline("exit")
    child.expect("BuildError: the step failed")
    child.expect(pexpect.EOF)
    assert child.wait() == 1
