"""The root file system: the packages as one squashfs, and what makes them Alchemy Linux as another to lie over it.

Packing the packages is what takes time, and a changed file of etc/ or another version has them packed no more.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from pathlib import Path

from alchemy import archive, layer, shares, stage3, system
from alchemy.chroot import Chroot
from alchemy.context import Context
from alchemy.stage import Stage

PACKAGES = "packages.squashfs"
IDENTITY = "identity.squashfs"
WEIGHTS = "weights.json"

# xz with 1 MB blocks and the x86 filter is the smallest, zstd the quicker to read.
_COMPRESSION = {
    "xz": ["-comp", "xz", "-b", "1M", "-Xbcj", "x86"],
    "zstd": ["-comp", "zstd", "-b", "1M", "-Xcompression-level", "19"],
}


def packages_stage(context: Context, tree: Stage, tools: Stage) -> Stage:
    """The stage that yields the squashfs of the packages, and how much of it each of them is."""
    return Stage(
        name="packages",
        store=context.cache / "stages",
        inputs={**_packing_inputs(context), "shares": archive.digest(Path(shares.__file__))},
        needs=(tree, tools),
        build=lambda output: _build_packages(context, tree, tools, output),
    )


def _build_packages(context: Context, tree: Stage, tools: Stage, output: Path) -> None:
    root = tree.output / system.ROOT
    pack(context, stage3.tools(tools), root, output / PACKAGES)
    archive.write_json(output / WEIGHTS, shares.weigh(root, tree.output / system.DATABASE))


def identity_stage(context: Context, tree: Stage, tools: Stage) -> Stage:
    """The stage that yields the squashfs of what lies over the packages: etc/, the version, the admin user."""
    config = context.config
    return Stage(
        name="identity",
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
            "layer": archive.digest(Path(layer.__file__)),
            **_packing_inputs(context),
        },
        needs=(tree, tools),
        build=lambda output: _build_identity(context, tree, tools, output),
    )


def _packing_inputs(context: Context) -> dict[str, str]:
    return {
        "compression": context.config.compression,
        "epoch": str(context.epoch),
        "script": archive.digest(Path(__file__)),
    }


def _etc(context: Context) -> list[Path]:
    """What etc/ merges into the image's: all but Portage's configuration and the README."""
    return sorted(path for path in (context.root / "etc").iterdir() if path.name not in ("portage", "README.md"))


def _fingerprint(password: str) -> str:
    """What tells one password from another in a key that is kept in the cache, and is slow to guess from."""
    return hashlib.scrypt(password.encode(), salt=b"alchemy", n=2**14, r=8, p=1, dklen=16).hex() if password else ""


def _build_identity(context: Context, tree: Stage, tools: Stage, output: Path) -> None:
    log = context.logfile("identity")
    work = context.work / "identity"
    archive.remove(work)
    work.mkdir(parents=True)
    with context.log.step("identity: setting up"):
        context.runner.run(
            ["cp", "--archive", "--reflink=auto", tree.output / system.ROOT, work / "root"],
            log=log,
            what="copying the system",
        )
        for path in _etc(context):
            archive.merge(path, work / "root" / "etc" / path.name)
        _write_identity(context, tools, work / "given")
        inside = Chroot(
            work / "root",
            writable=True,
            ro_binds={"/mnt/chroot": context.root / "chroot", "/mnt/identity": work / "given"},
        )
        context.runner.run(inside.argv(["/bin/sh", "/mnt/chroot/setup.sh"]), log=log, what="chroot/setup.sh")
        (work / "layer").mkdir()
        layer.difference(tree.output / system.ROOT, work / "root", work / "layer")
    pack(context, stage3.tools(tools), work / "layer", output / IDENTITY)
    archive.remove(work)


def pack(context: Context, tools: Chroot, folder: Path, squashfs: Path) -> None:
    """Packs a folder as configured: the same bytes for the same files, whenever they were written."""
    packing = dataclasses.replace(tools, ro_binds={"/mnt/root": folder}, binds={"/mnt/out": squashfs.parent})
    command = ["mksquashfs", "/mnt/root", f"/mnt/out/{squashfs.name}", *_COMPRESSION[context.config.compression]]
    command += ["-reproducible", "-all-time", str(context.epoch), "-mkfs-time", str(context.epoch)]
    command += ["-no-exports", "-no-progress", "-noappend", "-processors", str(context.config.jobs)]
    with context.log.step(f"{squashfs.stem}: packing"):
        context.runner.run(packing.argv(command), log=context.logfile(squashfs.stem), what=f"packing {squashfs.name}")


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
        stage3.tools(tools).argv(command), stdin=password.encode(), log=context.logfile("identity"), what="hashing"
    )
