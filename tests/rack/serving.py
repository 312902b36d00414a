"""boot.serve, run in a rack's network as a user runs it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests import repository
from tests.rack.lan import BRIDGE, Lan

# these bound a hang on a busy machine, they measure nothing
SECONDS = 90


@dataclass(frozen=True)
class Serving:
    """A running boot.serve, its state folder, and the file with what it says."""

    process: subprocess.Popen[bytes]
    state: Path
    output: Path

    @property
    def said(self) -> str:
        """What it has said so far."""
        return self.output.read_text(encoding="utf-8", errors="replace")

    def log(self, name: str) -> str:
        """The log of one of its servers."""
        path = self.state / "log" / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def wait_for(self, text: str) -> None:
        """Waits until it has said a text."""
        wait_for(lambda: text in self.said or self.process.poll() is not None, f"{text!r}:\n{self.said}")
        assert text in self.said, self.said

    def stop(self, number: int = signal.SIGINT) -> int:
        """Sends a signal, and returns the exit status."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


def wait_for(condition: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    """Waits until a condition holds. Fails when it doesn't."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def environment() -> Mapping[str, str]:
    """The environment of a command, whatever the developer has set."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ALCHEMY_")}


def start(network: Lan, folder: Path, *arguments: str, state: str = "state", namespace: str | None = None) -> Serving:
    """Starts boot.serve on the bridge, or where the arguments and the namespace say; its state is in `folder`."""
    output = folder / f"{state}.output"
    place = [] if namespace else [f"--interface={BRIDGE}"]
    with output.open("wb") as file:
        process = subprocess.Popen(
            ["ip", "netns", "exec", namespace or network.rack,
             *repository.command("boot.serve", f"--state={folder / state}", *place, *arguments)],
            cwd=repository.ROOT, env=environment(), stdin=subprocess.DEVNULL, stdout=file, stderr=file,
        )  # fmt: skip
    return Serving(process, folder / state, output)


@contextlib.contextmanager
def serving(network: Lan, folder: Path, *arguments: str) -> Iterator[Serving]:
    """Runs boot.serve on the bridge until the end of the block, from when it serves."""
    running = start(network, folder, *arguments)
    try:
        running.wait_for("Ctrl-C stops it")
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()


def images(folder: Path) -> Path:
    """Writes a rack.yml with an image of each architecture, which no machine could boot, and returns its path."""
    for name, machine in (("alchemy", 0x8664), ("arm", 0xAA64)):
        (folder / name).mkdir(parents=True)
        header = b"MZ" + bytes(0x3A) + (0x40).to_bytes(4, "little") + b"PE\0\0" + machine.to_bytes(2, "little")
        (folder / name / "alchemy.img").write_bytes(header + bytes(100_000))
        (folder / name / "alchemy.ramfs").write_bytes(bytes(range(256)) * 4096)
    path = folder / "rack.yml"
    path.write_text(f"images: {{alchemy: {folder}/alchemy, arm: {folder}/arm}}\n", encoding="utf-8")
    return path


def own_binaries(state: Path) -> None:
    """Puts an iPXE for arm64, which Debian 12 lacks, into a state folder."""
    path = state / "ipxe" / "arm64" / "snponly.efi"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"for arm64")
