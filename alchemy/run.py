"""Runs programs. No other module starts a process."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from alchemy.errors import BuildError, UserError

# The environment variables that children inherit. Any other (CFLAGS, LD_LIBRARY_PATH, PYTHONPATH …) would make a build
# depend on the user who starts it.
_PASSED_ON = (
    "PATH", "HOME", "TERM", "TMPDIR",
    "http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "PIP_INDEX_URL", "PIP_CERT", "PIP_FIND_LINKS",
)  # fmt: skip

_TAIL_LINES = 20


class Runner:
    """Starts programs, and can kill all that it started.

    Each child leads a process group of its own, so that Ctrl-C reaches only Alchemy, which then kills its children. The
    kernel kills a child when Alchemy dies, even by SIGKILL.
    """

    def __init__(self, failed: Callable[[Sequence[str | Path], BuildError], None] | None = None) -> None:
        """`failed` is called with the command line and the error when `run` fails, before the error is raised."""
        self._failed = failed
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
        """Runs a program to its end, and appends its output to `log` (default: discards it).

        Raises BuildError when it fails, with `what` as its name, the last lines of the log, and the command to repeat
        it by hand. `secret` keeps the command line out of the log and the message.
        """
        with _sink(log) as output:
            if log is not None and not secret:
                output.write(f"$ {shlex.join(map(str, argv))}\n".encode())
                output.flush()
            process = self._start(argv, env=env, cwd=cwd, stdin=stdin is not None, stdout=output, stderr=output)
            self._finish(process, stdin)
        if process.returncode != 0:
            error = _failure(argv, process.returncode, what, log, secret)
            if self._failed is not None and not secret:
                self._failed(argv, error)
            raise error

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
        """Runs a program like `run`, and returns its stdout; stderr goes to the log."""
        with _sink(log) as errors:
            process = self._start(
                argv, env=env, cwd=cwd, stdin=stdin is not None, stdout=subprocess.PIPE, stderr=errors
            )
            output = self._finish(process, stdin)
        if process.returncode != 0:
            raise _failure(argv, process.returncode, what, log, False)
        return output.decode(errors="replace")

    def foreground(self, argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> int:
        """Runs a program on the terminal, and returns its exit status."""
        require(str(argv[0]))
        return subprocess.run([str(a) for a in argv], env=child_environment(env), check=False).returncode

    def start(
        self, argv: Sequence[str | Path], *, log: Path, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Starts a program in the background; `stop` kills it if it still runs then."""
        with _sink(log) as output:
            return self._start(argv, env=env, cwd=None, stdin=False, stdout=output, stderr=output)

    def check(self) -> None:
        """Raises KeyboardInterrupt after `stop`. For long work in Python."""
        if self._stopped:
            raise KeyboardInterrupt

    def stop(self) -> None:
        """Kills every running child, and refuses to start new ones. Thread-safe."""
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
    """Returns the environment of a child: the inherited variables, an untranslated locale, and `extra`."""
    environment = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
    return {**environment, "LC_ALL": "C.UTF-8", **(extra or {})}


def require(tool: str) -> None:
    """Raises UserError unless `tool` is an executable on PATH or the path of one."""
    if shutil.which(tool) is None:
        raise UserError(f"{tool}: program not found", hint="./run build.check-depends names its package")


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """Returns the last lines of a log."""
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
