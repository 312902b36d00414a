"""A booted image: its serial console by pexpect, its SSH, and web servers that it can reach."""

from __future__ import annotations

import contextlib
import os
import re
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pexpect

from alchemy import qemu
from alchemy.context import Context

HOST = "10.0.2.2"  # the host, as QEMU's user network shows it to the guest
HAND_OVER = r"alchemy: handing over to (\S+)\s"
LOGIN = r"alchemy login:"

# without KVM a busy machine is slow: these bound a hang, they measure nothing
BOOT_SECONDS = 180
COMMAND_SECONDS = 120


class Guest:
    """A running virtual machine. Its serial console is kept in `log`."""

    def __init__(self, child: pexpect.spawn[str], log: Path, ssh_port: int, key: Path, user: str) -> None:
        self.console = child
        self.log = log
        self._ssh_port = ssh_port
        self._key = key
        self._user = user

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

    def type(self, line: str) -> None:
        """Types a line on the serial console."""
        self.console.sendline(line)

    def ssh(self, command: str, seconds: float = COMMAND_SECONDS) -> str:
        """What a command prints, run as the admin user over SSH. Fails when it fails."""
        status, output = self.try_ssh(command, seconds)
        assert status == 0, f"{command!r} ended with status {status}:\n{output}\nlog: {self.log}"
        return output

    def try_ssh(self, command: str, seconds: float = COMMAND_SECONDS) -> tuple[int, str]:
        """The exit status of a command over SSH (255 when SSH itself fails), and all that it printed."""
        options = {
            "UserKnownHostsFile": os.devnull, "StrictHostKeyChecking": "no", "LogLevel": "ERROR",
            "BatchMode": "yes", "ConnectTimeout": "20", "IdentitiesOnly": "yes",
        }  # fmt: skip
        flags = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        argv = ["ssh", *flags, "-i", str(self._key), "-p", str(self._ssh_port), f"{self._user}@127.0.0.1", command]
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds,
            text=True, errors="replace", check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    def wait_for_ssh(self, seconds: float = BOOT_SECONDS) -> None:
        """Waits until the admin user can log in."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
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
    ramfs: Path | None = None, monitor: str = "", network: bool = True,
) -> Iterator[Guest]:  # fmt: skip
    """Boots bin/ of the context over PXE, and turns the machine off at the end.

    `ramfs` takes the place of the ramdisk; `monitor` is a command for QEMU's monitor before the boot; without `network`
    there is no interface at all, and QEMU loads kernel and ramdisk by itself.
    """
    port = qemu.free_port()
    with qemu.boot_folder(context, cmdline) as folder:
        if ramfs is not None:
            (folder / context.config.ramfs_name).unlink()
            (folder / context.config.ramfs_name).symlink_to(ramfs)
        machine = qemu.Machine(
            tftp=folder, memory=memory, ssh_port=port, kvm=qemu.kvm_works(context), extra=extra, network=network,
            direct=None if network else qemu.direct(context, cmdline),
        )  # fmt: skip
        argv = qemu.argv(machine)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8", errors="replace") as file:
            child: pexpect.spawn[str] = pexpect.spawn(
                argv[0], argv[1:], encoding="utf-8", codec_errors="replace", timeout=BOOT_SECONDS, echo=False
            )
            child.logfile_read = file
            if monitor:
                child.send(f"\x01c{monitor}\n\x01c")
            try:
                yield Guest(child, log, port, key, context.config.username)
            finally:
                child.close(force=True)


@contextlib.contextmanager
def serve(handler: Callable[..., BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A web server on the loopback; gives the URL by which the guest reaches it, without a slash at the end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://{HOST}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def serve_folder(folder: Path, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A web server for the files of a folder."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing: the test says what matters."""

    with serve(partial(Quiet, directory=str(folder)), tls) as url:
        yield url
