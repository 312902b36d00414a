"""The root file system: the system's tree with our etc/ and an identity, packed as a squashfs."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from pathlib import Path

from alchemy import archive, stage3, system
from alchemy.chroot import Chroot
from alchemy.context import Context
from alchemy.stage import Stage

SQUASHFS = "system.squashfs"

# xz with 1 MB blocks and the x86 filter is the smallest, zstd the quicker to read.
_COMPRESSION = {
    "xz": ["-comp", "xz", "-b", "1M", "-Xbcj", "x86"],
    "zstd": ["-comp", "zstd", "-b", "1M", "-Xcompression-level", "19"],
}


def stage(context: Context, tree: Stage, tools: Stage) -> Stage:
    """The stage that yields the squashfs of the running system."""
    config = context.config
    return Stage(
        name="rootfs",
        store=context.cache / "stages",
        inputs={
            "etc": archive.digest(*_etc(context)),
            "chroot": archive.digest(
                *(context.root / "chroot" / name for name in ("setup.sh", "methods", "adminuser"))
            ),
            "version": context.version,
            "username": config.username,
            "password": _fingerprint(config.password.get_secret_value() if config.password else ""),
            "ssh_keys": "\n".join(config.ssh_keys),
            "command_keys": "\n".join(config.command_keys),
            "compression": config.compression,
            "epoch": str(context.epoch),
            "script": archive.digest(Path(__file__)),
        },
        needs=(tree, tools),
        build=lambda output: _build(context, tree, tools, output),
    )


def _etc(context: Context) -> list[Path]:
    """What etc/ merges into the image's: all but Portage's configuration and the README."""
    return sorted(path for path in (context.root / "etc").iterdir() if path.name not in ("portage", "README.md"))


def _fingerprint(password: str) -> str:
    """What tells one password from another in a key that is kept in the cache, and is slow to guess from."""
    return hashlib.scrypt(password.encode(), salt=b"alchemy", n=2**14, r=8, p=1, dklen=16).hex() if password else ""


def _build(context: Context, tree: Stage, tools: Stage, output: Path) -> None:
    log = context.logfile("rootfs")
    work = context.work / "rootfs"
    archive.remove(work)
    work.mkdir(parents=True)
    with context.log.step("rootfs: setting up"):
        context.runner.run(
            ["cp", "--archive", "--reflink=auto", tree.output / system.ROOT, work / "root"],
            log=log,
            what="copying the system",
        )
        for path in _etc(context):
            context.runner.run(
                ["cp", "--recursive", "--preserve=mode", "--no-dereference", path, work / "root" / "etc"], log=log
            )
        _write_identity(context, tools, work / "identity")
        inside = Chroot(
            work / "root",
            writable=True,
            ro_binds={"/mnt/chroot": context.root / "chroot", "/mnt/identity": work / "identity"},
        )
        context.runner.run(inside.argv(["/bin/sh", "/mnt/chroot/setup.sh"]), log=log, what="chroot/setup.sh")
        archive.remove(work / "identity")
    with context.log.step(f"rootfs: packing {SQUASHFS}"):
        packing = dataclasses.replace(
            stage3.tools(tools), ro_binds={"/mnt/root": work / "root"}, binds={"/mnt/out": output}
        )
        command = ["mksquashfs", "/mnt/root", f"/mnt/out/{SQUASHFS}", *_COMPRESSION[context.config.compression]]
        command += ["-reproducible", "-all-time", str(context.epoch), "-mkfs-time", str(context.epoch)]
        command += ["-no-exports", "-no-progress", "-noappend", "-processors", str(context.config.jobs)]
        context.runner.run(packing.argv(command), log=log, what=f"packing {SQUASHFS}")
    archive.remove(work)


def _write_identity(context: Context, tools: Stage, folder: Path) -> None:
    """The files that chroot/setup.sh makes the image's own."""
    config = context.config
    folder.mkdir(mode=0o700)
    values = {
        "version": context.version + "\n",
        "username": config.username + "\n",
        "authorized_keys": "".join(f"{key}\n" for key in config.ssh_keys),
        "command_keys": "".join(f"{key}\n" for key in config.command_keys),
        "shadow": _hash(context, tools, config.password.get_secret_value()) if config.password else "",
    }
    for name, value in values.items():
        (folder / name).write_text(value, encoding="utf-8")


def _hash(context: Context, tools: Stage, password: str) -> str:
    """The password as sha512crypt, with a salt made of it, so that the same inputs give the same image."""
    salt = base64.b64encode(bytes.fromhex(_fingerprint(password)), altchars=b"./").decode()[:16]
    command = ["openssl", "passwd", "-6", "-salt", salt, "-stdin"]
    return context.runner.capture(
        stage3.tools(tools).argv(command), stdin=password.encode(), log=context.logfile("rootfs"), what="hashing"
    )
