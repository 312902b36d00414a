"""How long a build takes after a small change, held against what was measured in the same run."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from alchemy import archive, build, cache, lock, plan, portage, rootfs, stage3, system
from alchemy.context import Context

# what a build reads of the repository
_SOURCES = ("alchemy", "chroot", "distfiles", "etc", "kernels", "overlays", "packages", "tasks.py", "config.yml")


@dataclass(frozen=True)
class Case:
    """A build after one change: its seconds, the most they may be, and what they are held against."""

    seconds: float
    bound: float
    measure: str
    measured: float

    @property
    def holds(self) -> bool:
        return self.seconds <= self.bound

    def as_json(self) -> dict[str, Any]:
        return {
            "seconds": round(self.seconds, 2),
            "bound": round(self.bound, 2),
            "holds": self.holds,
            f"ratio_to_{self.measure}": round(self.seconds / self.measured, 3),
        }


def measure(context: Context) -> dict[str, Any]:
    """Builds a copy of the repository, changes one thing after the other in it, and measures the build after each.

    Seconds of wall time, from the start of Invoke to its end, by the command that a user types. The copy has a work
    directory and outputs of its own; binary packages, sources and compiled objects are shared.
    """
    build.require_host(context)
    with lock.exclusive(context):
        copy = _Copy.create(context)
        copy.build("1")
        invoke = min(copy.invoke("--version") for _ in range(3))
        mksquashfs = copy.mksquashfs()
        cases = {"nothing changed": Case(copy.build("1"), min(1.0, 1.5 * invoke + 0.5), "invoke_version", invoke)}
        archive.remove(copy.context.bin)
        cases["bin/ deleted"] = Case(copy.build("1"), 3.0, "invoke_version", invoke)
        copy.append("chroot/init", "# changed")
        cases["chroot/init changed"] = Case(copy.build("1"), 3.0, "mksquashfs", mksquashfs)
        copy.append("etc/motd", "changed")
        cases["a file in etc/ changed"] = Case(copy.build("1"), 1.15 * mksquashfs, "mksquashfs", mksquashfs)
        cases["new version"] = Case(copy.build("2"), 90.0, "mksquashfs", mksquashfs)
        compiled = copy.compiled()
        atom = copy.take_package_out()
        copy.build("2")
        copy.append("packages/packages.core", f"{atom} # back again")
        cases["one package added"] = Case(copy.build("2"), 1.15 * mksquashfs + 15, "mksquashfs", mksquashfs)
        archive.remove(copy.folder)
    return {
        "holds": all(case.holds for case in cases.values()),
        "measured": {"invoke_version": round(invoke, 2), "mksquashfs": round(mksquashfs, 2)},
        "cases": {name: case.as_json() for name, case in cases.items()},
        "compiled_for_new_version": compiled,
        "package": atom,
    }


@dataclass(frozen=True)
class _Copy:
    """The copy that is changed and built; all of it lies in `folder`."""

    folder: Path
    context: Context

    @classmethod
    def create(cls, context: Context) -> _Copy:
        folder = context.work / "rebuild"
        archive.remove(folder)
        root = folder / "repository"
        root.mkdir(parents=True)
        for source in (context.root / name for name in _SOURCES):
            if source.is_dir():
                shutil.copytree(source, root / source.name, symlinks=True)
            elif source.exists():
                shutil.copy2(source, root)
        borrowed = cache.borrow(context, folder / "cache", (*cache.FETCHED, "ccache", "packages"))
        return cls(folder, replace(context, root=root, work=folder / "work", cache=borrowed, bin=root / "bin"))

    def invoke(self, *arguments: str) -> float:
        """Seconds that a command takes."""
        environ = {"ALCHEMY_CACHE_DIR": str(self.context.cache), "ALCHEMY_WORK_DIR": str(self.context.work)}
        if "ALCHEMY_CONFIG" in os.environ:
            environ["ALCHEMY_CONFIG"] = str(Path(os.environ["ALCHEMY_CONFIG"]).resolve())
        started = time.monotonic()
        self.context.runner.run(
            [sys.executable, "-m", "invoke", *arguments],
            cwd=self.context.root,
            env=environ,
            log=self.folder.parent / "log" / "bench-rebuild.log",
            what=f"invoke {arguments[0]}",
        )
        return time.monotonic() - started

    def build(self, version: str) -> float:
        """Seconds that a build takes."""
        return self.invoke("build.all", f"--version={version}")

    def append(self, name: str, line: str) -> None:
        with (self.context.root / name).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def take_package_out(self) -> str:
        """Removes the last atom of the base set, and returns it."""
        path = self.context.root / "packages" / "packages.core"
        *others, last = portage.read_set(path)
        archive.write(path, "".join(f"{atom}\n" for atom in others))
        return last

    def mksquashfs(self) -> float:
        """Seconds that packing the packages' tree takes."""
        planned = plan.create(self.context)
        target = self.folder / "measured"
        target.mkdir()
        started = time.monotonic()
        tree = planned["system"].output / system.ROOT
        rootfs.pack(self.context, stage3.tools(planned["tools"]), tree, target / rootfs.PACKAGES)
        return time.monotonic() - started

    def compiled(self) -> list[str]:
        """The object files that the last build of the kernel compiled."""
        log = self.context.logfile("kernel").read_text(encoding="utf-8", errors="replace")
        return sorted(re.findall(r"^  (?:CC|AS) +(\S+)$", log, re.MULTILINE))
