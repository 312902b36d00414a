from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from pydantic import SecretStr

from alchemy import plan, rootfs
from alchemy.config import Config
from alchemy.context import Context
from tests.unit.fakes import FakeRunner

PASSWORD = "hunter2"
HASH = "$6$salt$hash\n"


@pytest.fixture
def identity(context: Context, runner: FakeRunner) -> dict[str, str]:
    """What setup.sh is given for an admin user with a password and two keys."""
    found: dict[str, str] = {}

    def watch(argv: list[str]) -> None:
        if "--archive" in argv:
            (Path(argv[-1]) / "etc").mkdir(parents=True)
        if "/mnt/chroot/setup.sh" in argv:
            folder = Path(argv[argv.index("/mnt/identity") - 1])
            found.update({path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()})
            found["mode"] = oct(folder.stat().st_mode & 0o777)

    runner.on_run = watch
    runner.answers["bwrap"] = HASH
    update = {
        "username": "smith",
        "password": SecretStr(PASSWORD),
        "ssh_keys": ("ssh-rsa AAAA", "ssh-rsa BBBB"),
        "command_keys": ("ssh-rsa CCCC",),
    }
    planned = plan.create(dataclasses.replace(context, config=Config().model_copy(update=update)))
    dataclasses.replace(planned["stage3"], build=lambda folder: None).make()
    planned["identity"].make()
    return found


def test_setup_is_given_the_version_the_user_the_keys_and_the_hash(identity: dict[str, str]) -> None:
    assert identity == {
        "version": "1.2\n",
        "username": "smith\n",
        "authorized_keys": "ssh-rsa AAAA\nssh-rsa BBBB\n",
        "command_keys": "ssh-rsa CCCC\n",
        "shadow": HASH,
        "mode": "0o700",
    }


def test_the_password_is_told_to_the_hashing_program_alone_and_not_on_its_command_line(
    identity: dict[str, str], runner: FakeRunner
) -> None:
    assert [call.stdin for call in runner.calls if call.stdin is not None] == [PASSWORD.encode()]
    assert all(PASSWORD not in f"{call.argv} {call.env}" for call in runner.calls)


def test_the_password_is_in_no_file(identity: dict[str, str], context: Context) -> None:
    files = [path for folder in (context.work, context.cache) for path in folder.rglob("*") if path.is_file()]
    assert files
    assert all(PASSWORD.encode() not in path.read_bytes() for path in files)


def test_the_identity_does_not_stay_behind(identity: dict[str, str], context: Context) -> None:
    assert not list(context.work.rglob("identity"))


@pytest.mark.parametrize("compression", ["xz", "zstd"])
def test_the_squashfs_is_packed_as_configured(context: Context, runner: FakeRunner, compression: str) -> None:
    configured = dataclasses.replace(context, config=context.config.model_copy(update={"compression": compression}))
    planned = plan.create(configured)
    dataclasses.replace(planned["stage3"], build=lambda folder: None).make()
    planned["packages"].make()
    argv = runner.calls[-1].argv
    assert argv[argv.index("-comp") + 1] == compression
    assert argv[argv.index("-all-time") + 1] == str(context.epoch)
    assert f"/mnt/out/{rootfs.PACKAGES}" in argv
