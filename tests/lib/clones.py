"""Small clones of the repository, which are built in seconds by the command a user types.

Everything is small: a kernel whose Makefile only copies files, and an image of two packages, without services.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from alchemy.host import files, folders
from tests import repository

MAKEFILE = """\
allnoconfig:
	cp .config.requested .config
bzImage:
	sleep 1
	mkdir -p arch/x86/boot include/config
	cp .config.requested arch/x86/boot/bzImage
	echo 6.12.0$(LOCALVERSION) > include/config/kernel.release
	: > modules.builtin.modinfo
"""

# the same, for a kernel that was compiled before
_COMPILED = """\
allnoconfig:
	cp .config.requested .config
bzImage:
	mkdir -p arch/x86/boot include/config
	cp compiled/bzImage arch/x86/boot/bzImage
	cp compiled/release include/config/kernel.release
	cp compiled/modules.builtin.modinfo modules.builtin.modinfo
"""


@dataclasses.dataclass(frozen=True)
class Clone:
    """A small repository, and where it is built."""

    root: Path
    cache: Path
    work: Path

    @property
    def environ(self) -> dict[str, str]:
        """The environment of its commands."""
        return {**os.environ, "ALCHEMY_CACHE_DIR": str(self.cache), "ALCHEMY_WORK_DIR": str(self.work)}

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """Starts a command, by default a whole build."""
        command = repository.command(*(arguments or ("build.all", "--version=1.2")))
        return subprocess.Popen(
            command, cwd=self.root, text=True, env={**self.environ, **environ}, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def run(self, *arguments: str) -> tuple[int, str]:
        """The exit status of a command, and its messages."""
        process = self.start(*arguments)
        _, errors = process.communicate()
        return process.returncode, errors

    def build(self, *arguments: str) -> dict[str, str]:
        """Runs a command, which has to succeed; the digests of what is in bin/ then."""
        status, errors = self.run(*arguments)
        assert status == 0, errors
        return self.published()

    def configure(self, values: Mapping[str, object]) -> None:
        """Writes config.yml."""
        # JSON is YAML
        (self.root / "config.yml").write_text(json.dumps(values), encoding="utf-8")

    def published(self) -> dict[str, str]:
        """The digests of what is in bin/."""
        folder = self.root / "bin"
        found = (path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): files.sha256(path) for path in found}

    def kept(self) -> dict[str, tuple[int, int]]:
        """The files in the cache, with times and sizes, but for the lock, and for what pointers said whose signature
        was good: that may be remembered."""
        files = (path for path in self.cache.rglob("*") if path.name not in (".lock", "seen.json"))
        return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in files if not path.is_dir()}

    def assert_whole(self) -> None:
        """Fails when anything in the cache or beside bin/ is half-made."""
        for stage in (self.cache / "stages").glob("[!.]*"):
            assert (stage / "stage.json").is_file()
        assert not [path for folder in (self.cache, self.root) for path in folder.glob("**/.*.tmp")]


def kernel_source(folder: Path, makefile: str = MAKEFILE) -> Path:
    """A tarball of it, which clones in the same folder share."""
    tarball = folder / "linux.tar.gz"
    if not tarball.exists():
        (folder / "linux").mkdir(parents=True)
        (folder / "linux" / "Makefile").write_text(makefile, encoding="utf-8")
        with tarfile.open(tarball, "w:gz") as file:
            file.add(folder / "linux", "linux")
    return tarball


def kernel_configuration(tarball: Path) -> str:
    """The lines of config.yml for it."""
    return f"linux_url: file://{tarball}\nlinux_sha256: {files.sha256(tarball)}\n"


def small_clone(
    folder: Path,
    atoms: Sequence[str] = ("sys-apps/baselayout", "sys-apps/busybox"),
    shared: Sequence[str] = ("stage3", "packages", "distfiles"),
) -> Clone:
    """A clone in the new folder `folder`, with a set of `atoms`; what is `shared` of its cache is that of all tests."""
    folder.mkdir(parents=True)
    root = repository.copy(folder / "alchemy")
    (root / "kernels" / "x86_64" / "6.12").write_text("CONFIG_64BIT=y\n", encoding="utf-8")
    (root / "packages" / "packages.core").write_text("".join(f"{atom}\n" for atom in atoms), encoding="utf-8")
    # a fetched stage3 of the tests is made of the embedded one, and lacks nothing
    (root / "packages" / "packages.build").write_text("sys-apps/baselayout\n", encoding="utf-8")
    (root / "chroot" / "setup.sh").write_text("cat /mnt/identity/version >/etc/release\n", encoding="utf-8")
    (root / "config.yml").write_text(kernel_configuration(kernel_source(folder.parent)), encoding="utf-8")
    cache = folder / "cache"
    folders.make(folders.CACHE, cache, root)
    for name in shared:
        (repository.cache() / name).mkdir(exist_ok=True)
        (cache / name).symlink_to(repository.cache() / name)
    return Clone(root, cache, folder / "work")


def bootable_kernel(kernel: Path, folder: Path) -> Path:
    """Returns a tarball, in the new folder `folder`, which is made into the kernel that is the output `kernel`."""
    (folder / "linux").mkdir(parents=True)
    (folder / "linux/Makefile").write_text(_COMPILED, encoding="utf-8")
    shutil.copytree(kernel, folder / "linux/compiled")
    tarball = folder / "linux.tar.gz"
    with tarfile.open(tarball, "w:gz", compresslevel=1) as file:
        file.add(folder / "linux", "linux")
    return tarball
