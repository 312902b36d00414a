"""The command bench.rebuild: times builds after small changes against limits measured in the same run."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from alchemy.commands import build, cache
from alchemy.context import Context
from alchemy.host import files, locking
from alchemy.parts import squashfs
from alchemy.portage import settings
from alchemy.stages import outputs, plan

# the files of the repository that a build reads
_SOURCES = (
    "alchemy", "chroot", "cli", "distfiles", "etc", "kernels", "overlays", "packages", "tasks.py", "config.yml",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A build after one change: its seconds, their limit, and the measure that the limit derives from."""

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
    """Builds a copy of the repository, makes one change after another in it, and times the build after each.

    A time is the wall time, in seconds, of the whole command that a user types. The copy has its own work directory and
    outputs, and shares binary packages, sources and ccache. `rebuilt` names the stages that a change made stale.
    """
    build.require_host(context)
    with locking.exclusive(context):
        copy = _Copy.create(context)
        copy.build("1")
        invoke = min(copy.invoke("--version") for _ in range(3))
        mksquashfs = copy.mksquashfs()
        cases = {"nothing changed": Case(copy.build("1"), min(1.0, 1.5 * invoke + 0.5), "invoke_version", invoke)}
        files.remove(copy.context.bin)
        cases["bin/ deleted"] = Case(copy.build("1"), 3.0, "invoke_version", invoke)
        copy.append("chroot/init", "# changed")
        cases["chroot/init changed"] = Case(copy.build("1"), 3.0, "mksquashfs", mksquashfs)
        copy.append("etc/motd", "changed")
        cases["a file in etc/ changed"] = Case(copy.build("1"), 1.15 * mksquashfs, "mksquashfs", mksquashfs)
        rebuilt = {}
        for path in sorted((copy.context.root / "alchemy").rglob("*.py")):
            copy.append(str(path.relative_to(copy.context.root)), "# changed")
        rebuilt["a comment in every module"] = copy.stale("1")
        cases["a comment in every module"] = Case(copy.build("1"), 3.0, "invoke_version", invoke)
        copy.append("alchemy/stages/ramfs.py", "_CHANGED = True")
        rebuilt["a line in stages/ramfs.py"] = copy.stale("1")
        cases["a line in stages/ramfs.py"] = Case(copy.build("1"), 3.0, "mksquashfs", mksquashfs)
        cases["new version"] = Case(copy.build("2"), 90.0, "mksquashfs", mksquashfs)
        compiled = copy.compiled()
        atom = copy.take_package_out()
        copy.build("2")
        copy.append("packages/packages.core", f"{atom} # back again")
        cases["one package added"] = Case(copy.build("2"), 1.15 * mksquashfs + 15, "mksquashfs", mksquashfs)
        files.remove(copy.folder)
    return {
        "holds": all(case.holds for case in cases.values()) and rebuilt == _REBUILT,
        "measured": {"invoke_version": round(invoke, 2), "mksquashfs": round(mksquashfs, 2)},
        "cases": {name: case.as_json() for name, case in cases.items()},
        "rebuilt": rebuilt,
        "compiled_for_new_version": compiled,
        "package": atom,
    }


def measure_fresh(context: Context) -> dict[str, Any]:
    """Times builds as CI runs them: in a fresh clone with a fresh work directory, and the cache of an earlier build."""
    build.require_host(context)
    with locking.exclusive(context):
        first = _Copy.create(context)
        first.build("1")
        invoke = min(first.invoke("--version") for _ in range(3))
        cases = {}
        for name, (bound, version, change) in _FRESH.items():
            clone = first.clone()
            change(clone)
            cases[name] = Case(clone.build(version), bound, "invoke_version", invoke)
            files.remove(clone.folder)
        files.remove(first.folder)
    return {
        "holds": all(case.holds for case in cases.values()),
        "measured": {"invoke_version": round(invoke, 2)},
        "cases": {name: case.as_json() for name, case in cases.items()},
    }


@dataclass(frozen=True)
class _Copy:
    """The copy that is changed and built. Everything of it is in `folder`."""

    folder: Path
    context: Context

    @classmethod
    def create(cls, context: Context) -> _Copy:
        folder = context.work / "rebuild"
        files.remove(folder)
        root = _check_out(context.root, folder / "repository")
        borrowed = cache.borrow(context, folder / "cache", (*cache.FETCHED, "ccache", "packages"))
        return cls(folder, replace(context, root=root, work=folder / "work", cache=borrowed, bin=root / "bin"))

    def clone(self) -> _Copy:
        """Returns a copy as it was checked out, with an empty work directory and the same cache."""
        folder = self.folder / "clone"
        root = _check_out(self.context.root, folder / "repository")
        return _Copy(folder, replace(self.context, root=root, work=folder / "work", bin=root / "bin"))

    def invoke(self, *arguments: str) -> float:
        """Runs a command and returns its seconds."""
        started = time.monotonic()
        self._capture(*arguments)
        return time.monotonic() - started

    def stale(self, version: str) -> list[str]:
        """Returns the stages that the next build would build."""
        stages = json.loads(self._capture("build.info", "--json", f"--version={version}"))["stages"]
        return [stage["name"] for stage in stages if not stage["fresh"]]

    def _capture(self, *arguments: str) -> str:
        """Runs a command and returns its output."""
        environ = {"ALCHEMY_CACHE_DIR": str(self.context.cache), "ALCHEMY_WORK_DIR": str(self.context.work)}
        if "ALCHEMY_CONFIG" in os.environ:
            environ["ALCHEMY_CONFIG"] = str(Path(os.environ["ALCHEMY_CONFIG"]).resolve())
        return self.context.runner.capture(
            [sys.executable, "-m", "cli", *arguments],
            cwd=self.context.root,
            env=environ,
            log=self.folder.parent / "log" / "bench-rebuild.log",
            what=f"./run {arguments[0]}",
        )

    def build(self, version: str) -> float:
        """Builds everything and returns the seconds."""
        return self.invoke("build.all", f"--version={version}")

    def append(self, name: str, line: str) -> None:
        with (self.context.root / name).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def take_package_out(self) -> str:
        """Removes the last atom of the set core, and returns it."""
        path = self.context.root / "packages" / "packages.core"
        *others, last = settings.read_set(path)
        files.write(path, "".join(f"{atom}\n" for atom in others))
        return last

    def mksquashfs(self) -> float:
        """Packs the root tree of the packages, and returns the seconds."""
        planned = plan.create(self.context, plan.recall(self.context))
        target = self.folder / "measured"
        target.mkdir()
        started = time.monotonic()
        tree = planned["system"].output / outputs.ROOT
        tools = outputs.tools(planned["tools"].output)
        squashfs.pack(self.context, tools, tree, target / outputs.SYSTEM_SQUASHFS, "bench-rebuild")
        return time.monotonic() - started

    def compiled(self) -> list[str]:
        """Returns the object files that the last kernel build compiled."""
        log = self.context.logfile("kernel").read_text(encoding="utf-8", errors="replace")
        return sorted(re.findall(r"^  (?:CC|AS) +(\S+)$", log, re.MULTILINE))


def _check_out(repository: Path, root: Path) -> Path:
    """Copies the files that a build reads of a repository, and returns the folder of the copy."""
    root.mkdir(parents=True)
    for source in (repository / name for name in _SOURCES):
        if source.is_dir():
            shutil.copytree(source, root / source.name, symlinks=True)
        elif source.exists():
            shutil.copy2(source, root)
    return root


# the stages that a change of the code makes stale
_REBUILT = {"a comment in every module": [], "a line in stages/ramfs.py": ["ramfs", "bundle"]}

# the most seconds that a build in a fresh clone may take, its version, and the change before it
_FRESH: dict[str, tuple[float, str, Callable[[_Copy], None]]] = {
    "chroot/init changed": (3.0, "1", lambda copy: copy.append("chroot/init", "# changed")),
    "a file in etc/ changed": (4.0, "1", lambda copy: copy.append("etc/motd", "changed")),
    "new version": (45.0, "2", lambda copy: None),
}
