"""The identity squashfs: the layer over the system that makes it this image of Alchemy Linux."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from alchemy.config import passwords
from alchemy.context import Context
from alchemy.errors import BuildError
from alchemy.host import files
from alchemy.host.chroot import Chroot
from alchemy.host.rooted import Rooted
from alchemy.parts import layer, sitesecret, squashfs
from alchemy.stage import Inputs, Pins, Stage, needed
from alchemy.stages import outputs

NAME = "identity-squashfs"

# Hashes the first line of stdin with the setting in the second: neither gets onto a command line. Every stage3 has
# Perl, whose crypt is that of the C library (libxcrypt).
CRYPT = "chomp(my ($password, $setting) = <STDIN>); print crypt($password, $setting)"

# the scripts of chroot/ that run in the root tree or are installed there
_SCRIPTS = ("setup.sh", "methods", "adminuser")


def stage(context: Context, _: Pins, made: Mapping[str, Stage]) -> Stage:
    """Declares the stage that packs what lies over the system: etc/, the version, the admin user, the keys."""
    config = context.config
    return Stage(
        name=NAME,
        store=context.cache / "stages",
        inputs={
            "etc": files.digest(*_etc(context)),
            "chroot": files.digest(*(context.root / "chroot" / name for name in _SCRIPTS)),
            "node": _node(context),
            "version": context.version,
            "username": config.username,
            "password": _password_identity(context),
            "ssh_keys": "\n".join(config.ssh_keys),
            "command_keys": "\n".join(config.command_keys),
            "locked": str(config.locked),
            **squashfs.inputs(context),
        },
        needs=needed(made, "system", "tools"),
        build=lambda output, inputs: _build(context, output, inputs),
        cheap=True,
    )


def _etc(context: Context) -> list[Path]:
    """The files of etc/ that are merged into the image: all but the configuration of Portage and the README."""
    return sorted(path for path in (context.root / "etc").iterdir() if path.name not in ("portage", "README.md"))


def _node(context: Context) -> files.Digest:
    """Returns the digest of the node's programs, without the bytecode that tests leave beside them."""
    folder = context.root / "chroot" / "node"
    bytecode = {path.relative_to(folder).as_posix() for path in folder.rglob("__pycache__/*")}
    return files.digest(folder, without=bytecode | {"README.md"})


def _password_identity(context: Context) -> str | None:
    """Tells one password from another in the record of the stage, which must not help to guess it.

    None while the site has no secret yet. The digest of a password's hash will do: nobody can compute it without the
    salt.
    """
    config = context.config
    if config.password_hash:
        return hashlib.sha256(config.password_hash.get_secret_value().encode()).hexdigest()
    if not config.password:
        return ""
    secret = sitesecret.read(context.cache)
    return passwords.fingerprint(secret, config.password.get_secret_value()) if secret else None


def _build(context: Context, output: Path, inputs: Inputs) -> None:
    log = context.logfile(NAME)
    system, tools = inputs["system"] / outputs.ROOT, outputs.tools(inputs["tools"])
    work = context.work / "identity"
    files.remove(work)
    work.mkdir(parents=True)
    with context.log.step(f"{NAME}: setting up"):
        context.runner.run(
            ["cp", "--archive", "--reflink=auto", system, work / "root"], log=log, what="copying the root tree"
        )
        for path in _etc(context):
            Rooted(work / "root").merge(path, f"etc/{path.name}")
        _write_identity(context, tools, work / "given")
        inside = Chroot(
            work / "root",
            writable=True,
            ro_binds={"/mnt/chroot": context.root / "chroot", "/mnt/identity": work / "given"},
        )
        context.runner.run(inside.argv(["/bin/sh", "/mnt/chroot/setup.sh"]), log=log, what="chroot/setup.sh")
        (work / "layer").mkdir()
        layer.difference(system, work / "root", work / "layer")
    squashfs.pack(context, tools, work / "layer", output / outputs.IDENTITY_SQUASHFS, NAME, is_text=True)
    files.remove(work)


def _write_identity(context: Context, tools: Chroot, folder: Path) -> None:
    """Writes the files that chroot/setup.sh reads."""
    config = context.config
    folder.mkdir(mode=0o700)
    values = {
        "version": context.version + "\n",
        "username": config.username + "\n",
        "authorized_keys": "".join(f"{key}\n" for key in config.ssh_keys),
        "command_keys": "".join(f"{key}\n" for key in config.command_keys),
        "locked": "yes\n" if config.locked else "",
        "shadow": _shadow(context, tools),
    }
    for name, value in values.items():
        (folder / name).write_text(value, encoding="utf-8")


def _shadow(context: Context, tools: Chroot) -> str:
    """Hashes the password with crypt(3) of the stage3; empty without a password."""
    config = context.config
    if config.password_hash:
        return config.password_hash.get_secret_value()
    if not config.password:
        return ""
    secret = sitesecret.read(context.cache)
    if secret is None:
        raise RuntimeError("the password was asked for before the site had a secret")
    password = config.password.get_secret_value()
    setting = passwords.setting(secret, password)
    hashed = context.runner.capture(
        tools.argv(["perl", "-e", CRYPT]),
        stdin=f"{password}\n{setting}\n".encode(),
        log=context.logfile(NAME),
        what="hashing the password",
    )
    if not passwords.is_hash_of(setting, hashed):
        raise BuildError(
            "password: crypt(3) of the stage3 does not support yescrypt",
            hint="password_hash takes a hash of another method",
        )
    return hashed
