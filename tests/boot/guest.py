"""A booted image: its serial console by pexpect, its SSH, and web servers that it can reach."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler
from pathlib import Path

import pexpect

from alchemy.context import Context
from alchemy.testbed import qemu
from tests import repository
from tests.lib import terminals, web

HOST = "10.0.2.2"  # the host, as QEMU's user network shows it to the guest
HAND_OVER = r"alchemy: handing over to (\S+)\s"
LOGIN = r"alchemy login:"
PROMPT = r"/ # "

# without KVM a busy machine is slow: these bound a hang, they measure nothing
BOOT_SECONDS = 180
COMMAND_SECONDS = 120


class Guest:
    """A running virtual machine. Its serial console is kept in `log`."""

    def __init__(self, child: pexpect.spawn[str], log: Path, ssh_port: int, key: Path, user: str, folder: Path) -> None:
        self.console = child
        self.log = log
        self._ssh_port = ssh_port
        self._key = key
        self._user = user
        self._connection = folder / "ssh"  # ssh's control socket, whose path is bounded to some 90 characters

    def expect(self, pattern: str, seconds: float = BOOT_SECONDS) -> re.Match[str]:
        """Waits until the console shows the pattern. Fails with the end of the console when it doesn't."""
        try:
            self.console.expect(pattern, timeout=seconds)
        except (pexpect.TIMEOUT, pexpect.EOF) as error:
            tail = self.log.read_text(errors="replace")[-3000:]
            raise AssertionError(
                f"no {pattern!r} on the console ({type(error).__name__})\n{tail}\nlog: {self.log}"
            ) from None
        match = self.console.match
        assert isinstance(match, re.Match)
        return match

    def monitor(self, command: str) -> None:
        """Gives a command to QEMU's monitor."""
        self.console.send(f"\x01c{command}\n\x01c")

    def type(self, line: str) -> None:
        """Types a line on the serial console."""
        self.console.sendline(line)

    def log_in(self, password: str) -> None:
        """Logs in on the serial console as the admin user, once the login is there."""
        self.expect(LOGIN)
        self.type(self._user)
        self.expect("Password:")
        self.type(password)
        self.expect(r"\$ ")

    def ssh(self, command: str, seconds: float = COMMAND_SECONDS) -> str:
        """What a command prints, run as the admin user over SSH. Fails when it fails."""
        status, output = self.try_ssh(command, seconds)
        assert status == 0, f"{command!r} ended with status {status}:\n{output}\nlog: {self.log}"
        return output

    def try_ssh(self, command: str, seconds: float = COMMAND_SECONDS) -> tuple[int, str]:
        """The exit status of a command over SSH (255 when SSH itself fails), and all that it printed."""
        # one connection for all commands: without KVM the guest computes for a second at each handshake
        options = {
            "UserKnownHostsFile": os.devnull, "StrictHostKeyChecking": "no", "LogLevel": "ERROR",
            "BatchMode": "yes", "ConnectTimeout": "20", "IdentitiesOnly": "yes",
            "ControlMaster": "auto", "ControlPath": str(self._connection), "ControlPersist": "yes",
        }  # fmt: skip
        flags = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        argv = ["ssh", *flags, "-i", str(self._key), "-p", str(self._ssh_port), f"{self._user}@127.0.0.1", command]
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds,
            text=True, errors="replace", check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    def hang_up(self) -> None:
        """Ends the connection of the commands so far. The next one logs in again."""
        if self._connection.exists():
            # it fails when the connection has just ended by itself
            argv = ["ssh", "-O", "exit", "-o", f"ControlPath={self._connection}", "127.0.0.1"]
            subprocess.run(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

    def host_keys(self) -> set[str]:
        """The SHA-256 fingerprints of all host keys that the SSH server has."""
        keys = b""
        # one kind after the other: all at once are as many connections as dropbear takes, and more with those just left
        for kind in ("ed25519", "ecdsa", "rsa"):
            scan = ["ssh-keyscan", "-t", kind, "-T", "60", "-p", str(self._ssh_port), "127.0.0.1"]
            # it fails for a kind that the server does not have; without any key, ssh-keygen fails
            keys += subprocess.run(scan, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
        listing = subprocess.run(["ssh-keygen", "-l", "-f", "-"], input=keys, stdout=subprocess.PIPE, check=True).stdout
        return {line.split()[1] for line in listing.decode().splitlines()}

    def wait_for_ssh(self, seconds: float = BOOT_SECONDS) -> None:
        """Waits until the admin user can log in, by a connection of its own."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.hang_up()
            # a busy machine may answer after this one was given up
            with contextlib.suppress(subprocess.TimeoutExpired):
                status, _ = self.try_ssh("true", 30)
                if status == 0:
                    return
            time.sleep(1)
        raise AssertionError(
            f"no SSH within {seconds} s\n{self.log.read_text(errors='replace')[-3000:]}\nlog: {self.log}"
        )


@contextlib.contextmanager
def boot(
    context: Context, log: Path, key: Path, cmdline: str = "", *, memory: int = 384, extra: Sequence[str] = (),
    ramfs: Path | None = None, monitor: str = "", network: bool = True, pxe: bool = False, alone: bool = False,
    prefix: Sequence[str] = (), processors: int = 1, uefi: bool = False, resets: bool = False,
) -> Iterator[Guest]:  # fmt: skip
    """Boots bin/ of the context, and turns the machine off at the end.

    QEMU loads kernel and ramfs itself, which saves half of a boot without KVM; with `pxe` its iPXE fetches boot.ipxe
    and what that names. `cmdline` is added to the kernel command line of boot.ipxe, and replaces it with `alone`.
    `ramfs` replaces the one of bin/. `monitor` is a command for QEMU's monitor before the boot. Without `network` there
    is no interface but those of `extra`. `prefix` is the command that runs QEMU, for instance in a namespace. Without
    KVM a boot with two `processors` takes a third more CPU time than with one. `uefi` has it start by UEFI, not a BIOS.
    A machine that `resets` boots again when it is reset, in place of ending.
    """
    port = qemu.free_port()
    with qemu.boot_folder(context, cmdline) if pxe else contextlib.nullcontext(context.bin) as folder:
        machine = qemu.Machine(
            tftp=folder, memory=memory, processors=processors, ssh_port=port, extra=extra, network=network,
            kvm=qemu.kvm_works(context), uefi=qemu.firmware("uefi" if uefi else "bios"),
            direct=None if pxe else _direct(context, cmdline, ramfs, alone=alone),
        )  # fmt: skip
        argv = [*prefix, *(word for word in qemu.argv(machine) if not (resets and word == "-no-reboot"))]
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8", errors="replace") as file:
            child: pexpect.spawn[str] = pexpect.spawn(
                argv[0], argv[1:], encoding="utf-8", codec_errors="replace", timeout=BOOT_SECONDS, echo=False
            )
            child.logfile_read = file
            if monitor:
                child.send(f"\x01c{monitor}\n\x01c")
            with tempfile.TemporaryDirectory(prefix="alchemy-ssh-") as name:
                node = Guest(child, log, port, key, context.config.username, Path(name))
                try:
                    yield node
                finally:
                    node.hang_up()
                    terminals.kill(child)


@contextlib.contextmanager
def console(context: Context, folder: Path, password: str) -> Iterator[Guest]:
    """Boots bin/ of the context without a network, and logs in on the serial console, which is kept in `folder`."""
    if shutil.which("qemu-system-x86_64") is None:
        repository.skip_or_fail("an image boots in qemu-system-x86_64")
    with boot(context, folder / "console.log", folder, network=False) as node:
        node.expect(HAND_OVER)
        node.log_in(password)
        yield node


def wait_for(condition: Callable[[], bool], what: str, seconds: float = BOOT_SECONDS) -> None:
    """Waits until a condition holds. Fails when it doesn't."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"no {what} within {seconds} s"
        time.sleep(0.5)


def _direct(context: Context, cmdline: str, ramfs: Path | None, *, alone: bool) -> qemu.Direct:
    direct = qemu.direct(context, cmdline)
    return dataclasses.replace(direct, cmdline=cmdline if alone else direct.cmdline, ramfs=ramfs or direct.ramfs)


@contextlib.contextmanager
def serve(handler: Callable[..., BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A web server on the loopback; gives the URL by which the guest reaches it, without a slash at the end."""
    with web.serving(handler, tls) as port:
        yield f"{'https' if tls else 'http'}://{HOST}:{port}"


@contextlib.contextmanager
def serve_folder(folder: Path, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A web server for the files of a folder."""

    class Handler(web.Quiet, SimpleHTTPRequestHandler):
        """Files, without a log."""

    with serve(partial(Handler, directory=str(folder)), tls) as url:
        yield url
