"""What runs in a chroot sees what it should, and leaves nothing behind on the host."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.errors import BuildError
from alchemy.host.chroot import Chroot
from tests import repository

TABLE = Path("/proc/self/mounts")


def test_it_is_a_debian_with_portage(build_context: Context, tools: Chroot) -> None:
    assert "trixie" in build_context.runner.capture(tools.argv(["cat", "/etc/os-release"]))
    assert build_context.runner.capture(tools.argv(["emerge", "--version"])).startswith("Portage 3.0.83")


def test_the_root_is_read_only_and_binds_are_what_they_say(
    build_context: Context, tools: Chroot, tmp_path: Path
) -> None:
    runner = build_context.runner
    with pytest.raises(BuildError):
        runner.run(tools.argv(["touch", "/usr/bin/new"]))
    (tmp_path / "in").mkdir()
    bound = dataclasses.replace(tools, binds={"/mnt/out": tmp_path}, ro_binds={"/mnt/in": tmp_path / "in"})
    runner.run(bound.argv(["touch", "/mnt/out/made"]))
    assert (tmp_path / "made").exists()
    with pytest.raises(BuildError):
        runner.run(bound.argv(["touch", "/mnt/in/made"]))


def test_without_network_there_is_only_a_loopback(build_context: Context, tools: Chroot) -> None:
    assert build_context.runner.capture(tools.argv(["ls", "/sys/class/net"])).split() != []
    table = build_context.runner.capture(tools.argv(["cat", "/proc/net/dev"]))
    assert [line.split(":")[0].strip() for line in table.splitlines()[2:]] == ["lo"]


def test_the_host_s_environment_stays_outside(
    build_context: Context, tools: Chroot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CFLAGS", "-march=native")
    assert "CFLAGS" not in build_context.runner.capture(tools.argv(["env"]))


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_killing_the_parent_ends_the_chroot_and_its_mounts(tools: Chroot, tmp_path: Path, how: signal.Signals) -> None:
    before = TABLE.read_text()
    inside = dataclasses.replace(tools, binds={"/mnt/out": tmp_path})
    argv = inside.argv(["sh", "-c", "echo started >/mnt/out/log; sleep 3; echo still >>/mnt/out/log"])
    script = f"from alchemy.run import Runner\nRunner().run({argv!r})\n"
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=repository.ROOT)
    log = tmp_path / "log"
    while not log.exists():
        assert parent.poll() is None
        time.sleep(0.05)
    os.kill(parent.pid, how)
    parent.wait()
    time.sleep(4)
    assert log.read_text() == "started\n"
    assert TABLE.read_text() == before
