"""A PostgreSQL of the tests' own: on a socket, as a user without rights, in a folder that goes with it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from tests import repository

# Debian keeps the server of each version in a folder of its own
_DEBIAN = Path("/usr/lib/postgresql")
_SECONDS = 120


@dataclass(frozen=True)
class Cluster:
    """A server, stopped and started at will. `user`: who it runs as."""

    programs: Path
    folder: Path
    user: str

    @property
    def url(self) -> str:
        """The URL of its database."""
        query = {"host": str(self.folder)}
        url = URL.create("postgresql", username=self.user, database="postgres", query=query)
        return url.render_as_string(hide_password=False)

    def start(self) -> None:
        """Starts it, and returns when it answers."""
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off"
        self._run(
            "pg_ctl", "start", "--wait", f"--timeout={_SECONDS}", f"--options={options}", f"--log={self.folder}/log"
        )

    def stop(self) -> None:
        """Stops it as a crash would."""
        self._run("pg_ctl", "stop", "--wait", "--mode=immediate")

    def make(self) -> None:
        """Makes its files."""
        self._run(
            "initdb", "--no-sync", "--auth=trust", f"--username={self.user}", "--encoding=UTF8", "--locale=C.UTF-8"
        )

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), f"--pgdata={self.folder}/data", *arguments]
        user = self.user if os.geteuid() == 0 else None
        # the server keeps the outputs of pg_ctl open: a pipe would never end
        with (self.folder / "messages").open("a+b") as messages:
            status = subprocess.run(
                command, stdout=messages, stderr=messages, user=user, cwd=self.folder, timeout=2 * _SECONDS, check=False
            ).returncode
            messages.seek(0)
            assert status == 0, messages.read().decode(errors="replace")[-2000:]


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Gives a server that runs; skips or fails where there is no PostgreSQL."""
    programs = _programs()
    user = _user()
    # the name of a socket has at most 107 bytes, and pytest's folders are closed to other users
    folder = Path(tempfile.mkdtemp(prefix="alchemy-pg-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, user)
        server = Cluster(programs, folder, user)
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _programs() -> Path:
    found = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parent.parent.name))
    elsewhere = shutil.which("initdb")
    if not found and elsewhere is None:
        repository.skip_or_fail("the tests of the records need PostgreSQL")
    return found[-1].parent if found else Path(str(elsewhere)).parent


def _user() -> str:
    """Returns whom the server runs as: it refuses to be root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
