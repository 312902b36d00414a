"""The one door to other programs: nothing else in Alchemy starts a process."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from alchemy.errors import BuildError, UserError

# What a child may know of the user's environment. All else (CFLAGS, LD_LIBRARY_PATH, a Python of the user's …) would
# make a build depend on who starts it.
_PASSED_ON = (
    "PATH", "HOME", "TERM", "TMPDIR",
    "http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "PIP_INDEX_URL", "PIP_CERT", "PIP_FIND_LINKS",
)  # fmt: skip

_TAIL_LINES = 20


class Runner:
    """Starts programs, and can end all of those it started.

    Each child is the leader of a process group, so that Ctrl-C reaches Alchemy alone, which then stops its children;
    and the kernel kills it when Alchemy dies, however that happens.
    """

    def __init__(self) -> None:
        self._live: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: bytes | None = None,
        what: str | None = None,
        secret: bool = False,
    ) -> None:
        """Runs argv to its end, its output appended to `log` (nowhere with none).

        Raises BuildError when it fails: `what` failed, the last lines of the log, and the command to repeat.
        `secret` keeps the command line out of the log and of the message.
        """
        with _sink(log) as output:
            if log is not None and not secret:
                output.write(f"$ {shlex.join(map(str, argv))}\n".encode())
                output.flush()
            process = self._start(argv, env=env, cwd=cwd, stdin=stdin is not None, stdout=output, stderr=output)
            self._finish(process, stdin)
        if process.returncode != 0:
            raise _failure(argv, process.returncode, what, log, secret)

    def capture(
        self,
        argv: Sequence[str | Path],
        *,
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: bytes | None = None,
        what: str | None = None,
    ) -> str:
        """Like run, and returns what the program printed on stdout; stderr goes to the log."""
        with _sink(log) as errors:
            process = self._start(
                argv, env=env, cwd=cwd, stdin=stdin is not None, stdout=subprocess.PIPE, stderr=errors
            )
            output = self._finish(process, stdin)
        if process.returncode != 0:
            raise _failure(argv, process.returncode, what, log, False)
        return output.decode(errors="replace")

    def foreground(self, argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> int:
        """Hands the terminal to a program, and returns its exit status."""
        require(str(argv[0]))
        return subprocess.run([str(a) for a in argv], env=child_environment(env), check=False).returncode

    def start(
        self, argv: Sequence[str | Path], *, log: Path, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Starts a program that goes on beside us; `stop` ends it at the latest."""
        with _sink(log) as output:
            return self._start(argv, env=env, cwd=None, stdin=False, stdout=output, stderr=output)

    def check(self) -> None:
        """Raises KeyboardInterrupt when everything has to end: for long work that starts no program."""
        if self._stopped:
            raise KeyboardInterrupt

    def stop(self) -> None:
        """Kills every child that still runs, and refuses to start others. Safe from any thread."""
        with self._lock:
            self._stopped = True
            live = list(self._live)
        for process in live:
            _kill(process)

    def _start(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None,
        cwd: Path | None,
        stdin: bool,
        stdout: IO[bytes] | int,
        stderr: IO[bytes] | int,
    ) -> subprocess.Popen[bytes]:
        require(str(argv[0]))
        with self._lock:
            if self._stopped:
                raise KeyboardInterrupt
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *map(str, argv)],
                env=child_environment(env),
                cwd=cwd,
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                process_group=0,
            )
            self._live.add(process)
        return process

    def _finish(self, process: subprocess.Popen[bytes], stdin: bytes | None) -> bytes:
        try:
            output, _ = process.communicate(stdin)
        except BaseException:
            _kill(process)
            process.wait()
            raise
        finally:
            with self._lock:
                self._live.discard(process)
                stopped = self._stopped
        if stopped:
            raise KeyboardInterrupt
        return output or b""


def child_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The allow-listed part of our environment, an untranslated locale, and `extra`."""
    environment = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
    return {**environment, "LC_ALL": "C.UTF-8", **(extra or {})}


def require(tool: str) -> None:
    """Raises UserError unless `tool` is an executable on PATH, or a path to one."""
    if shutil.which(tool) is None:
        raise UserError(f"{tool}: no such program on this host", hint="invoke build.check-depends names its package")


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """The last lines of a log."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 65536))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


def _sink(log: Path | None) -> IO[bytes]:
    if log is None:
        return Path(os.devnull).open("wb")
    log.parent.mkdir(parents=True, exist_ok=True)
    return log.open("ab")


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _failure(
    argv: Sequence[str | Path], returncode: int, what: str | None, log: Path | None, secret: bool
) -> BuildError:
    name = what or Path(str(argv[0])).name
    ended = f"was killed by signal {-returncode}" if returncode < 0 else f"failed with status {returncode}"
    parts = [f"{name} {ended}"]
    if log is not None:
        parts += [f"  {line}" for line in tail(log).splitlines()] + [f"log: {log}"]
    if not secret:
        parts.append(f"by hand: {shlex.join(map(str, argv))}")
    return BuildError("\n".join(parts))
