"""The commands that need a terminal, on one: a shell in the build chroot, a machine on the console, and Ctrl-C."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pexpect
import pytest

from alchemy import archive, plan
from alchemy import image as images
from alchemy.context import Context
from alchemy.mounts import below
from tests import repository
from tests.boot import guest

PATIENCE = 120

Invoke = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def invoke(image: Context) -> Iterator[Invoke]:
    """Starts a command of the image's clone on a terminal of its own. It ends with the test, and so does its lock."""
    children: list[pexpect.spawn[str]] = []

    def start(*arguments: str) -> pexpect.spawn[str]:
        child = pexpect.spawn(
            sys.executable,
            ["-m", "invoke", *arguments],
            cwd=str(image.root),
            env={**repository.environ(), "TERM": "xterm"},
            encoding="utf-8",
            codec_errors="replace",
            timeout=PATIENCE,
            dimensions=(40, 160),
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.close(force=True)


def status(child: pexpect.spawn[str]) -> int | None:
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


def test_util_shell_is_a_shell_in_the_build_chroot(image: Context, invoke: Invoke) -> None:
    child = invoke("util.shell")
    child.expect(r"\(alchemy\) \S+ # ")
    child.sendline("echo $((6 * 7)) >/tmp/answer; cat /tmp/answer; emerge --version; test -e /work || echo elsewhere")
    child.expect("42\r\n")
    child.expect(r"Portage 3\.\d")
    child.expect("elsewhere")
    # its jobs are its own: Ctrl-C ends what runs in it, not the shell
    child.sendline("sleep 1000")
    time.sleep(1)
    child.sendintr()
    child.sendline("exit 7")
    assert status(child) == 7
    assert below(image.work) == []


def test_boot_qemu_has_the_console_on_the_terminal(invoke: Invoke) -> None:
    child = invoke("boot.qemu", "--cmdline=shell", "--memory=512")
    child.expect("Ctrl-A X ends it")
    child.expect("alchemy: shell: ", timeout=guest.BOOT_SECONDS)
    child.expect("/ # ")
    child.sendline("cat /proc/cmdline; grep MemTotal /proc/meminfo")
    child.expect(r"quiet console=tty0 console=ttyS0,115200n8 shell")
    child.expect(r"MemTotal: +4\d{5} kB")
    child.send("\x01x")
    assert status(child) == 0


def test_ctrl_c_ends_a_build_and_the_next_one_goes_on(image: Context, invoke: Invoke) -> None:
    before = (image.bin / images.SUMS).read_bytes()
    # what the last run of this test has built is in the cache
    planned = plan.create(replace(image, version="interrupted"))
    for name in ("image", "ramfs", "kernel"):
        archive.remove(planned[name].output)
    child = invoke("build.all", "--version=interrupted")
    child.expect(r"kernel +running [^\r\n]*compiling")
    child.sendintr()
    assert status(child) == 130
    assert below(image.work) == []
    assert (image.bin / images.SUMS).read_bytes() == before
    repository.invoke(image.root, "build.kernel", "--version=interrupted")
