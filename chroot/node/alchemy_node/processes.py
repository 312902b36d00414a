"""The node's one process door: nothing else in alchemy_node starts a program."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

MIB = 1 << 20

_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

# Kills the process group in its argument once its input ends, which is when the writer of the pipe dies. Python has no
# call for PR_SET_PDEATHSIG, nor has busybox's setpriv.
_GUARD = 'read -r _; kill -s KILL -- "-$1"'

# How long a killed program may take to die. One that waits for a dead disk in the kernel never does.
_GRACE = 1.0


@dataclass(frozen=True)
class Output:
    """What a program printed, and why that may not be all.

    `status` is None for a program that did not start or was killed. `problem` is one phrase: "not installed",
    "timed out after 30 s", "exit status 2", "killed by signal 11", "more than 8 MiB of output"; None for success.
    """

    status: int | None = None
    stdout: str = ""
    stderr: str = ""
    problem: str | None = None


def run(argv: Sequence[str], seconds: float = 30, limit: int = 8 * MIB) -> Output:
    """Runs a program for at most `seconds`, and keeps at most `limit` bytes of its output and of its errors.

    It runs in a session of its own with closed input, an untranslated locale and PATH as its whole environment. Its
    process group is killed when it exceeds a limit. Never raises for what the program is or does.
    """
    try:
        process = _start(argv)
    except FileNotFoundError:
        return Output(problem="not installed")
    except (OSError, ValueError) as error:
        return Output(problem=f"cannot be started: {getattr(error, 'strerror', None) or error}")
    try:
        return _collect(process, seconds, limit)
    finally:
        _end(process)


def installed(program: str) -> bool:
    """Whether a program is where this door looks for programs."""
    return shutil.which(program, path=_ENVIRONMENT["PATH"]) is not None


class NotStartedError(Exception):
    """A program that cannot be started; the message is a phrase like Output's `problem`."""


class Supervised:
    """A program that runs beside its starter, who reads its pipes and ends it.

    It runs like one of `run`, and is killed when its starter dies. Of each stream the head and the tail are kept,
    `keep` bytes in all, however much it prints; `taken` counts all of it.
    """

    def __init__(self, argv: Sequence[str], keep: int = MIB) -> None:
        """Starts the program. Raises NotStartedError."""
        if not installed(argv[0]):
            raise NotStartedError("not installed")
        try:
            self._process = _start(argv)
        except (OSError, ValueError) as error:
            raise NotStartedError(f"cannot be started: {getattr(error, 'strerror', None) or error}") from error
        try:
            self._guard = _guard(self.pid)
        except OSError as error:
            _end(self._process)
            raise NotStartedError(f"cannot be guarded: {error.strerror}") from error
        pipes = (self._process.stdout, self._process.stderr)
        self._texts = {pipe.fileno(): _Ends(keep // 2) for pipe in pipes if pipe is not None}
        self._open = set(self._texts)
        self.taken = 0

    @property
    def pid(self) -> int:
        """The id of the program, of its session and of its process group."""
        return self._process.pid

    @property
    def pipes(self) -> frozenset[int]:
        """The descriptors that are still to be read."""
        return frozenset(self._open)

    def read(self, pipe: int) -> None:
        """Takes what a pipe has; waits when it has nothing."""
        chunk = os.read(pipe, 65536)
        self._texts[pipe].add(chunk)
        self.taken += len(chunk)
        if not chunk:
            self._open.discard(pipe)

    def ended(self) -> bool:
        """Whether the program has ended; programs that it started may still run."""
        return self._process.poll() is not None

    def kill(self, number: signal.Signals) -> None:
        """Sends a signal to the whole process group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def finish(self, problem: str | None = None) -> Output:
        """Kills the rest of its group, and returns its output; `problem` is why it was ended, if it was."""
        # first: once the program is waited for, its id may become another's
        _dismiss(self._guard)
        _end(self._process)
        status = self._process.poll()
        if problem is None and status is not None and status < 0:
            problem = f"killed by signal {-status}"
        elif problem is None and status != 0:
            problem = f"exit status {status}"
        stdout, stderr = (text.decode() for text in self._texts.values())
        return Output(status if status is not None and status >= 0 else None, stdout, stderr, problem)


class _Ends:
    """The first and the last bytes of a stream, `keep` of each."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0

    def add(self, chunk: bytes) -> None:
        room = self._keep - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        excess = len(self._tail) - self._keep
        if excess > 0:
            del self._tail[:excess]
            self._left_out += excess

    def decode(self) -> str:
        gap = f"\n[{self._left_out} bytes left out]\n".encode() if self._left_out else b""
        return (bytes(self._head) + gap + bytes(self._tail)).decode(errors="replace")


def _collect(process: subprocess.Popen[bytes], seconds: float, limit: int) -> Output:
    end = time.monotonic() + seconds
    texts = {pipe: bytearray() for pipe in (process.stdout, process.stderr) if pipe is not None}
    problem = _read(texts, end, limit)
    status = None
    if problem is None:
        try:
            status = process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            problem = "timed out"
    if problem == "timed out":
        problem = f"timed out after {seconds:g} s"
    if status is not None and status != 0:
        problem = f"exit status {status}" if status > 0 else f"killed by signal {-status}"
        status = status if status > 0 else None
    stdout, stderr = (text.decode(errors="replace") for text in texts.values())
    return Output(status, stdout, stderr, problem)


def _read(texts: dict[IO[bytes], bytearray], end: float, limit: int) -> str | None:
    """Reads all pipes to their ends; returns what cut that short."""
    with selectors.DefaultSelector() as selector:
        for pipe in texts:
            selector.register(pipe, selectors.EVENT_READ, texts[pipe])
        while selector.get_map():
            remaining = end - time.monotonic()
            if remaining <= 0:
                return "timed out"
            for key, _ in selector.select(remaining):
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    selector.unregister(key.fileobj)
                key.data.extend(chunk)
                if len(key.data) > limit:
                    del key.data[limit:]
                    return f"more than {_size(limit)} of output"
    return None


def _start(argv: Sequence[str]) -> subprocess.Popen[bytes]:
    """Starts a program in a session of its own, with closed input, and an untranslated locale and PATH alone."""
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_ENVIRONMENT,
        cwd="/",
        start_new_session=True,
    )


def _guard(group: int) -> subprocess.Popen[bytes]:
    """Starts what kills a process group when this process dies."""
    return subprocess.Popen(
        ["sh", "-c", _GUARD, "sh", str(group)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_ENVIRONMENT,
        cwd="/",
        start_new_session=True,
    )


def _dismiss(guard: subprocess.Popen[bytes]) -> None:
    """Ends a guard, whose process group it leaves alone."""
    guard.kill()
    guard.wait()
    if guard.stdin is not None:
        guard.stdin.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kills the rest of the process group, and closes the pipes."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(_GRACE)
    except (ProcessLookupError, PermissionError, subprocess.TimeoutExpired):
        pass
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _size(limit: int) -> str:
    return f"{limit // MIB} MiB" if limit >= MIB else f"{limit} bytes"
