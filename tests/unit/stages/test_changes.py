"""What is built again after a change: of a file, and of each key of config.yml."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from alchemy.config.model import Config
from alchemy.config.remotes import Overlay, Sync
from alchemy.context import Context
from tests.unit.fakes import configure, keys

# so long may a test wait for another thread before it fails


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def edit(name: str) -> Callable[[Context], Context]:
    """A line more in a file of the repository."""

    def change(context: Context) -> Context:
        path = context.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write("# another line\n")
        return context

    return change


IDENTITY = {"identity-squashfs", "ramfs", "bundle"}
PACKED = {"system-squashfs"} | IDENTITY
SYSTEM = {"system"} | PACKED
RAMFS = {"ramfs", "bundle"}
# the ramfs holds the firmware that the kernel asks for
KERNEL = {"kernel"} | RAMFS

CHANGES: dict[str, tuple[Callable[[Context], Context], set[str]]] = {
    "nothing": (lambda context: context, set()),
    "the init": (edit("chroot/init"), RAMFS),
    "the parameters of the init": (edit("chroot/early/parameters"), RAMFS),
    "how the ramfs is packed": (edit("chroot/pack-ramfs.sh"), RAMFS),
    "what sets up the image": (edit("chroot/setup.sh"), IDENTITY),
    "the admin user's script": (edit("chroot/adminuser"), IDENTITY),
    "a program of the node": (edit("chroot/node/bin/alchemy-jobs"), IDENTITY),
    "a module of the node": (edit("chroot/node/alchemy_node/text.py"), IDENTITY),
    "bytecode of the node": (edit("chroot/node/alchemy_node/__pycache__/text.cpython-313.pyc"), set()),
    "documentation of the node": (edit("chroot/node/README.md"), set()),
    "a file of etc": (edit("etc/motd"), IDENTITY),
    "a new file of etc": (edit("etc/new/file"), IDENTITY),
    "Portage's configuration": (edit("etc/portage/package.use"), SYSTEM),
    "a package set": (edit("packages/packages.core"), SYSTEM),
    "another package set": (edit("packages/packages.network"), set()),
    "an ebuild": (edit("overlays/embedded/sys-apps/busybox/busybox-1.37.0.ebuild"), SYSTEM),
    "a new ebuild": (edit("overlays/alchemy/app-misc/new/new-1.ebuild"), SYSTEM),
    "the kernel's configuration": (edit("kernels/x86_64/6.12"), KERNEL),
    "another kernel's configuration": (edit("kernels/x86_64/6.18"), set()),
    "the boot script": (edit("chroot/boot.ipxe.j2"), {"bundle"}),
    "documentation": (edit("chroot/README.md"), set()),
    "documentation of etc": (edit("etc/README.md"), set()),
    "documentation of the sets": (edit("packages/README.md"), set()),
    "the stage3's packages": (edit("chroot/stage3-debian.packages"), {"stage3", "bundle"}),
    "the stage3's script": (edit("chroot/stage3-debian.sh"), {"stage3", "bundle"}),
    "the version": (lambda context: dataclasses.replace(context, version="1.3"), KERNEL | IDENTITY),
    "the time": (lambda context: dataclasses.replace(context, epoch=1), KERNEL | PACKED),
    "username": (configure(username="smith"), IDENTITY),
    "password": (configure(password=SecretStr("gold")), IDENTITY),
    "password_hash": (configure(password_hash=SecretStr("$y$gold")), IDENTITY),
    "locked": (configure(locked=True), IDENTITY),
    "ssh_keys": (configure(ssh_keys=("ssh-ed25519 AAAA",)), IDENTITY),
    "compression": (configure(compression="zstd"), PACKED),
    "packages": (configure(packages=("core", "network")), SYSTEM),
    "accept_licenses": (configure(accept_licenses=("EULA",)), SYSTEM),
    "microcode": (configure(microcode=False), RAMFS),
    "microcode of Intel": (configure(microcode=True), SYSTEM),
    "the licence of Intel's microcode": (configure(accept_licenses=("intel-ucode",)), SYSTEM),
    "keep_scripts": (configure(keep_scripts=True), SYSTEM),
    "profile": (configure(profile=("default/small",)), SYSTEM),
    "kernel_conf": (configure(kernel_conf="6.18"), set()),  # the same text
    "kernel_fragments": (configure(kernel_fragments=("ipmi",)), KERNEL),
    "kernel_ver": (configure(kernel_ver="6.12.1-1"), {"linux", "bundle"}),
    "image_name": (configure(image_name="kernel"), {"bundle"}),
    "ramfs_name": (configure(ramfs_name="disk"), {"bundle"}),
    "ram_budget": (configure(ram_budget=512), {"bundle"}),
    "jobs": (configure(jobs=7), set()),
}


# a value for each key of config.yml that is not the default
VALUES: dict[str, object] = {
    "stage3_url": "https://example.org/stage3.tar.xz",
    "stage3_keys": ("A" * 40,),
    "stage3_sha256": "a" * 64,
    "sync": Sync(method="git", url="https://example.org/tree.git", commit="a" * 40),
    "linux_url": "https://example.org/linux.tar.xz",
    "linux_sha256": "a" * 64,
    "linux_keys": ("A" * 40,),
    "kernel_ver": "6.12.1-1",
    "kernel_conf": "small",
    "kernel_fragments": ("ipmi",),
    "kernel_modules": True,
    "packages": ("network",),
    "overlays": (Overlay(url="https://example.org/overlay.git", commit="a" * 40),),
    "binhosts": ("https://example.org/binpkgs",),
    "mirrors": ("https://example.org/distfiles",),
    "accept_licenses": ("EULA",),
    "keep_scripts": True,
    "profile": ("default/small",),
    "username": "smith",
    "password": SecretStr("gold"),
    "password_hash": SecretStr("$y$gold"),
    "ssh_keys": ("ssh-ed25519 AAAA",),
    "locked": True,
    "embed_ramfs": True,
    "image_name": "kernel",
    "ramfs_name": "ramdisk",
    "compression": "zstd",
    "firmware": ("bnx2x/*",),
    "microcode": False,
    "ram_budget": 512,
    "command_keys": ("ssh-ed25519 AAAA",),
    "signing_key": "A" * 40,
    "offline": True,
    "work_dir": "elsewhere",
    "cache_dir": "elsewhere",
    "jobs": 7,
}

# these say where a build runs, where it fetches by digest, and how fast
NO_INPUTS = {"offline", "mirrors", "work_dir", "cache_dir", "jobs"}
OF_A_FETCHED_STAGE3 = {"stage3_keys", "stage3_sha256"}


@pytest.mark.parametrize("name", Config.model_fields)
def test_each_key_of_the_configuration_changes_the_key_of_a_stage_unless_it_is_listed(
    context: Context, name: str
) -> None:
    (context.root / "kernels/x86_64/small").write_text("CONFIG_EMBEDDED=y\n", encoding="utf-8")
    if name in OF_A_FETCHED_STAGE3:
        context = configure(stage3_url=VALUES["stage3_url"])(context)
    assert getattr(context.config, name) != VALUES[name]
    before = keys(context)
    after = keys(configure(**{name: VALUES[name]})(context))
    assert (before != after) == (name not in NO_INPUTS)


@pytest.mark.parametrize("name", ["the init", "a file of etc", "the version", "a package set", "the boot script"])
def test_with_the_ramdisk_inside_the_kernel_is_linked_again_with_every_ramdisk(context: Context, name: str) -> None:
    change, stages = CHANGES[name]
    context = configure(embed_ramfs=True)(context)
    before = keys(context)
    after = keys(change(context))
    linked = {"embedded"} if "ramfs" in stages else set()
    assert {name for name in after if after[name] != before[name]} == stages | linked


@pytest.mark.parametrize(("change", "stages"), CHANGES.values(), ids=CHANGES.keys())
def test_what_is_built_again_after_a_change_of(
    context: Context, change: Callable[[Context], Context], stages: set[str]
) -> None:
    before = keys(context)
    after = keys(change(context))
    assert {name for name in after if after[name] != before[name]} == stages
