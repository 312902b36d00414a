"""The unit tier: no root, no network, and no real process unless a test asks for one."""

from __future__ import annotations

import contextlib
import copy
import importlib
import io
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from alchemy import context as contexts
from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.ui import views
from alchemy.ui.events import Log
from cli import command, program
from tests import repository
from tests.lib import tables
from tests.lib.early import SHELLS, Node
from tests.unit.configs import Loader
from tests.unit.fakes import FakeRunner

# where Linux has a file system in RAM, and how much of it has to be free
_RAM = Path("/dev/shm")
_ROOM = 2 << 30

_STARTERS = ("execv", "execve", "fork", "forkpty", "popen", "posix_spawn", "posix_spawnp", "system")


def _has_room(folder: Path) -> bool:
    """Whether a folder takes the files of the tests, some of which are programs."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    executable = not found.f_flag & os.ST_NOEXEC
    return executable and os.access(folder, os.W_OK) and found.f_bavail * found.f_frsize >= _ROOM


@pytest.fixture(scope="session")
def tmp_path_factory(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[pytest.TempPathFactory]:
    """Makes folders in RAM where the host has room there: half of the time of these tests went into small files.

    What failed tests leave is moved to the disk.
    """
    if not _has_room(_RAM):
        yield tmp_path_factory
        return
    with tempfile.TemporaryDirectory(prefix="alchemy-", dir=_RAM, ignore_cleanup_errors=True) as folder:
        in_ram = copy.copy(tmp_path_factory)
        in_ram._basetemp = Path(folder)
        yield in_ram
        if request.session.testsfailed:
            # a socket, say, cannot be copied: all else is
            with contextlib.suppress(shutil.Error):
                shutil.copytree(folder, tmp_path_factory.mktemp("unit") / "failed", symlinks=True)


@pytest.fixture(scope="module", autouse=True)
def _surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests see nothing of what a developer or CI has set for builds, and do not wait for a disk that a build keeps
    busy. What they make without tmp_path lies in the same place."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ALCHEMY_CONFIG", "ALCHEMY_CACHE_DIR", "ALCHEMY_WORK_DIR", "SOURCE_DATE_EPOCH"):
            patch.delenv(name, raising=False)
        patch.setattr(os, "sync", lambda: None)
        patch.setattr(os, "fsync", lambda _: None)
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.getbasetemp()))
        yield


@pytest.fixture
def real_processes() -> None:
    """Asked for by a test that starts real processes."""


@pytest.fixture(autouse=True)
def _only_wanted_processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "real_processes" in request.fixturenames:
        return

    def refuse(*_: Any, **__: Any) -> NoReturn:
        # what pytest.fail raises is not an Exception, so that code under test cannot swallow it
        pytest.fail("a unit test started a process without the fixture real_processes")

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    for name in _STARTERS:
        monkeypatch.setattr(os, name, refuse)


def _make_repository(folder: Path) -> Path:
    """Two package sets, two kernels, a fragment, an ebuild; the real templates."""
    files = {
        "chroot/adminuser": "",
        "chroot/by-hand.py": "",
        "chroot/ebuild-digests.py": "",
        "chroot/init": "",
        "chroot/methods": "",
        "chroot/pack-ramfs.sh": "",
        "chroot/setup.sh": "",
        "chroot/stage3-debian.packages": "",
        "chroot/stage3-debian.sh": "",
        "etc/motd": "Alchemy Linux @VERSION@\n",
        "kernels/x86_64/6.12": "CONFIG_64BIT=y\n",
        "kernels/x86_64/6.18": "CONFIG_64BIT=y\n",
        "kernels/README.md": "what kernel configurations are\n",
        "kernels/x86_64/fragments/ipmi": "CONFIG_IPMI_HANDLER=y\n",
        "kernels/x86_64/fragments/modules": "CONFIG_MODULES=y\n",
        "overlays/alchemy/profiles/repo_name": "alchemy\n",
        "overlays/embedded/profiles/repo_name": "embedded\n",
        "overlays/embedded/profiles/default/parent": "",
        "overlays/embedded/sys-apps/busybox/busybox-1.37.0.ebuild": "EAPI=8\n",
        "packages/packages.core": "# the base\nsys-apps/busybox  # a comment\nnet-misc/openssh\n",
        "packages/packages.network": "sys-apps/ethtool\n",
        "packages/README.md": "what sets are\n",
    }
    for name in ("chroot/boot.ipxe.j2", "chroot/early", "config.yml.example", "etc/portage"):
        for real in (repository.ROOT / name, *(repository.ROOT / name).rglob("*")):
            if real.is_file():
                files[str(real.relative_to(repository.ROOT))] = real.read_text(encoding="utf-8")
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small repository."""
    return _make_repository(tmp_path / "repository")


@pytest.fixture(scope="session")
def shared_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small repository for tests that only read it: files are dear on a busy disk."""
    return _make_repository(tmp_path_factory.mktemp("shared") / "repository")


@pytest.fixture
def runner() -> FakeRunner:
    """A runner that starts nothing and remembers what it was asked for."""
    return FakeRunner()


@pytest.fixture
def messages() -> io.StringIO:
    """What the user is told."""
    return io.StringIO()


@pytest.fixture
def context(root: Path, runner: FakeRunner, messages: io.StringIO) -> Context:
    """The context of a build with the defaults, for the small repository, with work, cache and bin in it."""
    return Context(
        root=root,
        config=Config(jobs=2),
        version="1.2",
        work=root / "work",
        cache=root / "cache",
        bin=root / "bin",
        epoch=contexts.create(root).epoch,
        log=Log(views.Lines(messages)),
        runner=runner,
    )


# busybox's ash is the node's; that the others run the scripts too says that they are POSIX sh
@pytest.fixture(params=tables.rows(list(SHELLS), "ash"))
def node(request: pytest.FixtureRequest, tmp_path: Path, real_processes: None) -> Node:
    shell = SHELLS[request.param]
    if shutil.which(shell[0]) is None:
        repository.skip_or_fail(f"{shell[0]} is not installed")
    return Node(shell, tmp_path / "root")


Invoke = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def invoke(
    root: Path, real_processes: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Invoke:
    """Runs a command of the small repository in this process, where it starts in a hundredth of the time."""
    # all modules of cli/ first, which import the name
    importlib.import_module("tasks")
    monkeypatch.setattr(command, "ROOT", root)
    monkeypatch.chdir(repository.ROOT)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        status = 0
        try:
            program.create().run(["./run", *arguments])
        except SystemExit as end:
            status = int(end.code or 0)
        printed = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, status, printed.out, printed.err)

    return run


@pytest.fixture
def load(shared_root: Path, tmp_path: Path) -> Loader:
    return Loader(shared_root, tmp_path / "config.yml")
