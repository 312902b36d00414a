"""A node below a fake root, and the shell of the preliminary init to run there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests import repository

CHROOT = repository.ROOT / "chroot"
EARLY = CHROOT / "early"
TABLE = EARLY / "parameters"

SHELLS: Mapping[str, list[str]] = {"ash": ["busybox", "ash"], "dash": ["dash"], "bash": ["bash", "--posix"]}

# What a test must not run: instead it is noted in $ROOT/calls. `say` is noted in $ROOT/said.
STUBS = """
for stub in ip chown mount umount setsid switch_root sleep usleep udhcpc udhcpc6 kill; do
    eval "$stub() { printf '%s\\n' \\"$stub \\$*\\" >>\\"\\$ROOT/calls\\"; }"
done
# the kernel's own name is CONFIG_DEFAULT_HOSTNAME
hostname() { if [ $# -gt 0 ]; then printf '%s\n' "hostname $*" >>"$ROOT/calls"; else printf 'alchemy\n'; fi; }
say() { printf '%s\\n' "$1" >>"$ROOT/said"; }
"""

LOAD = f'early={EARLY}; . "{CHROOT}/init"'


class Node:
    """A shell with the functions of the preliminary init, and a fake root for them."""

    def __init__(self, shell: list[str], root: Path) -> None:
        self._shell = shell
        self.root = root
        for name in ("proc", "dev", "sys/class/net", "run/alchemy", "etc", "new/etc", "new/run/alchemy", "new/tmp"):
            (root / name).mkdir(parents=True)
        self.write("proc/uptime", "12.34 20.00\n")

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def read(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")

    def lines(self, name: str) -> list[str]:
        return self.read(name).splitlines() if (self.root / name).exists() else []

    @property
    def said(self) -> list[str]:
        return self.lines("said")

    @property
    def calls(self) -> list[str]:
        return self.lines("calls")

    def interface(self, name: str, mac: str = "52:54:00:00:00:01", *, carrier: str = "1", real: bool = True) -> None:
        self.write(f"sys/class/net/{name}/address", f"{mac}\n")
        self.write(f"sys/class/net/{name}/carrier", f"{carrier}\n")
        if real:
            (self.root / f"sys/class/net/{name}/device").mkdir()

    def run(self, script: str, *arguments: str, load: str = LOAD, stubs: str = STUBS, status: int = 0) -> str:
        """What a script prints that has the init's functions; the messages of the shell fail the test."""
        done = subprocess.run(
            [*self._shell, "-c", f"ROOT=$1; shift\n{load}\n{stubs}\n{script}", "test", str(self.root), *arguments],
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (status, "")
        return done.stdout

    def each(self, script: str, cases: list[str]) -> dict[str, str]:
        """What a script prints for each case, which is its $case, in a shell of its own."""
        output = self.run(f"for case; do ( {script} ); printf '\\036'; done", *cases)
        return dict(zip(cases, output.split("\036"), strict=False))
