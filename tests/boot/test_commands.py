"""The commands that need a terminal, on one: a shell in the build chroot, and a machine on the console."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pexpect
import pytest

from alchemy.context import Context
from alchemy.host.mounts import below
from tests import repository
from tests.boot import guest

PATIENCE = 120
SHELL_PROMPT = r"\(alchemy\) \S+ # "

Invoke = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def invoke(image: Context) -> Iterator[Invoke]:
    """Starts a command of the image's clone on a terminal of its own. It ends with the test, and so does its lock."""
    children: list[pexpect.spawn[str]] = []

    def start(*arguments: str) -> pexpect.spawn[str]:
        program, *words = repository.command(*arguments)
        child = pexpect.spawn(
            program,
            words,
            cwd=str(image.root),
            env={**repository.environ(), "TERM": "xterm"},
            encoding="utf-8",
            codec_errors="replace",
            timeout=PATIENCE,
            dimensions=(40, 160),
        )
        children.append(child)
        return child

    with repository.locked():
        yield start
        for child in children:
            child.close(force=True)


def status(child: pexpect.spawn[str]) -> int | None:
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


def test_util_shell_is_a_shell_in_the_build_chroot(image: Context, invoke: Invoke) -> None:
    child = invoke("util.shell")
    child.expect(SHELL_PROMPT)
    child.sendline("echo $((6 * 7)) >/tmp/answer; cat /tmp/answer; emerge --version; test -e /work || echo elsewhere")
    child.expect("42\r\n")
    child.expect(r"Portage 3\.\d")
    child.expect("elsewhere")
    # Its jobs are its own: Ctrl-C ends what runs in it, not the shell. The job says itself that it runs, because the
    # shell may miss a Ctrl-C while it starts one. What is echoed as it is typed has the quotes.
    child.sendline("sh -c 'echo sleep\"\"ing; exec sleep 1000'")
    child.expect("sleeping\r\n")
    child.sendintr()
    # the terminal may drop what is typed before that
    child.expect(SHELL_PROMPT)
    child.sendline("exit 7")
    assert status(child) == 7
    assert below(image.work) == []


def test_boot_qemu_has_the_console_on_the_terminal(invoke: Invoke) -> None:
    child = invoke("boot.qemu", "--cmdline=shell", "--memory=512")
    child.expect("Ctrl-A X quits")
    child.expect("alchemy: shell: ", timeout=guest.BOOT_SECONDS)
    child.expect(guest.PROMPT)
    child.sendline("cat /proc/cmdline; grep MemTotal /proc/meminfo")
    child.expect(r"quiet console=tty0 console=ttyS0,115200n8 shell")
    child.expect(r"MemTotal: +4\d{5} kB")
    child.send("\x01x")
    assert status(child) == 0


@pytest.mark.exhaustive
def test_boot_qemu_boots_by_uefi_to_the_hand_over(invoke: Invoke) -> None:
    child = invoke("boot.qemu", "--firmware=uefi", "--cmdline=shell")
    # the firmware, iPXE and the copies that both make of the ramfs take their time without KVM
    child.expect("alchemy: shell: ", timeout=2 * guest.BOOT_SECONDS)
    child.expect(guest.PROMPT)
    child.sendline("ls /sys/firmware/efi")
    child.expect("fw_platform_size")
    child.sendline("exit")
    child.expect(guest.HAND_OVER)
    child.send("\x01x")
    assert status(child) == 0
