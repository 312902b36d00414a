"""Consoles that are there and that are not: every one of console= that exists is used, and none is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from alchemy.context import Context
from tests.boot import guest
from tests.lib import tables

# what the kernel says, the lines of the init among it, on a serial port without any console=
EARLY = "earlyprintk=ttyS0,115200,keep loglevel=8 panic=1"


CONSOLES = ("console=ttyS5", "console=ttyAMA0", "console=null", "console=", "console=sda")


@pytest.mark.parametrize("console", tables.rows(CONSOLES, "console="))
def test_a_console_that_is_not_there_costs_the_console_only(
    image: Context, key: Path, web: Path, console_log: Path, console: str
) -> None:
    with (
        guest.serve_folder(web) as url,
        guest.boot(image, console_log, key, f"{console} {EARLY} ssh_keys_url={url}/keys", alone=True) as node,
    ):
        assert node.expect(guest.HAND_OVER)[1] == "/sbin/init"
        node.wait_for_ssh()
        assert "agetty" not in node.ssh("ps -e")


@pytest.mark.exhaustive
def test_a_rescue_without_a_console_says_so_and_the_boot_goes_on(image: Context, key: Path, console_log: Path) -> None:
    with guest.boot(image, console_log, key, f"console=null {EARLY} real_init=/missing", alone=True) as node:
        node.expect("real_init=/missing: not an executable file")
        node.expect("there is no console for a rescue shell")
        assert node.expect(guest.HAND_OVER)[1] == "/sbin/init"


SEVERAL = {
    "each is there": "console=tty0 console=ttyS0,115200n8 console=ttyS1,115200n8",
    "one is missing": "console=ttyS1,9600n8 console=ttyS0,115200n8 console=ttyS7",
}


@pytest.mark.parametrize("consoles", tables.rows(SEVERAL, "one is missing"))
def test_every_console_has_the_lines_of_the_init_and_a_login(
    image: Context, key: Path, console_log: Path, tmp_path: Path, consoles: str
) -> None:
    second = tmp_path / "ttyS1"
    with guest.boot(
        image, console_log, key, f"quiet {consoles}", alone=True, extra=["-serial", f"file:{second}"]
    ) as node:
        node.expect(guest.HAND_OVER)
        node.expect(guest.LOGIN)
        guest.wait_for(lambda: "alchemy login:" in second.read_text(errors="replace"), f"a login in {second}")
    assert "alchemy: handing over to /sbin/init" in second.read_text(errors="replace")


@pytest.mark.exhaustive
def test_serial_over_lan_alone_has_the_lines_of_the_init_and_a_login(
    image: Context, key: Path, console_log: Path, tmp_path: Path
) -> None:
    second = tmp_path / "ttyS1"
    extra = ["-serial", f"file:{second}"]
    with guest.boot(image, console_log, key, "quiet console=ttyS1,115200n8", alone=True, extra=extra):
        guest.wait_for(
            lambda: second.exists() and "alchemy login:" in second.read_text(errors="replace"), f"a login in {second}"
        )
    assert "alchemy: handing over to /sbin/init" in second.read_text(errors="replace")


@pytest.mark.exhaustive
def test_quotes_are_the_kernels(image: Context, key: Path, web: Path, console_log: Path) -> None:
    with guest.serve_folder(web) as url:
        cmdline = (
            f'hostname="node9" "ssh_keys_url={url}/keys" dyndbg="file drivers/net/* +p shell real_init=/bin/sh" '
            'console="ttyS0,115200n8"'
        )
        with guest.boot(image, console_log, key, cmdline, alone=True) as node:
            node.expect("ssh_keys_url: 1 keys added for alchemy")
            assert node.expect(guest.HAND_OVER)[1] == "/sbin/init"
            node.expect("node9 login:")
