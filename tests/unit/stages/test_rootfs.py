from __future__ import annotations

import dataclasses
import os
from contextlib import suppress
from pathlib import Path

import pytest
from pydantic import SecretStr

from alchemy.config import passwords
from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.errors import BuildError, VerificationError
from alchemy.parts import sitesecret
from alchemy.stages import outputs, plan
from tests.unit.fakes import FakeRunner, planned, put, snapshot

PASSWORD = "hunter2"
SECRET = bytes(range(32))
SETTING = passwords.setting(SECRET, PASSWORD)
HASH = f"{SETTING}{'x' * 43}"


def write_secret(context: Context, secret: bytes = SECRET) -> None:
    context.cache.mkdir(exist_ok=True)
    path = context.cache / sitesecret.NAME
    path.write_bytes(secret)
    path.chmod(0o600)


def password_input(context: Context, **update: object) -> str | None:
    """What the record of the identity stage says of the password."""
    configured = dataclasses.replace(context, config=Config().model_copy(update=update))
    return planned(configured)["identity-squashfs"].inputs["password"]


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
    write_secret(context)
    update = {
        "username": "smith",
        "password": SecretStr(PASSWORD),
        "ssh_keys": ("ssh-rsa AAAA", "ssh-rsa BBBB"),
        "command_keys": ("ssh-rsa CCCC",),
        "locked": True,
    }
    stages = planned(dataclasses.replace(context, config=Config().model_copy(update=update)))
    put(stages["stage3"])
    put(stages["system"])
    stages["identity-squashfs"].make()
    return found


def test_setup_is_given_the_version_the_user_the_keys_and_the_hash(identity: dict[str, str]) -> None:
    assert identity == {
        "version": "1.2\n",
        "username": "smith\n",
        "authorized_keys": "ssh-rsa AAAA\nssh-rsa BBBB\n",
        "command_keys": "ssh-rsa CCCC\n",
        "locked": "yes\n",
        "shadow": HASH,
        "mode": "0o700",
    }


def test_password_and_salt_are_told_to_the_hashing_program_alone_and_not_on_its_command_line(
    identity: dict[str, str], runner: FakeRunner
) -> None:
    told = [call.stdin for call in runner.calls if call.stdin is not None]
    assert told == [f"{PASSWORD}\n{SETTING}\n".encode()]
    salt = SETTING.split("$")[3]
    assert all(PASSWORD not in f"{call.argv} {call.env}" and salt not in f"{call.argv}" for call in runner.calls)


def test_neither_the_password_nor_its_hash_is_in_any_file(identity: dict[str, str], context: Context) -> None:
    files = [path for folder in (context.work, context.cache) for path in folder.rglob("*") if path.is_file()]
    assert files
    for hidden in (PASSWORD, HASH, SETTING):
        assert all(hidden.encode() not in path.read_bytes() for path in files)


def test_a_hash_that_crypt_did_not_make_fails_the_build(context: Context, runner: FakeRunner) -> None:
    write_secret(context)
    runner.answers["bwrap"] = "*0"
    config = Config().model_copy(update={"password": SecretStr(PASSWORD)})
    stages = planned(dataclasses.replace(context, config=config))
    runner.on_run = lambda argv: (Path(argv[-1]) / "etc").mkdir(parents=True) if "--archive" in argv else None
    put(stages["stage3"])
    put(stages["system"])
    with pytest.raises(BuildError, match=r"crypt\(3\) of the stage3 does not support yescrypt"):
        stages["identity-squashfs"].make()


def test_the_record_of_the_stage_is_no_verifier_of_the_password(context: Context) -> None:
    """Who lacks the site's secret has nothing to compare a guess with: another secret gives another value."""
    found = []
    for secret in (SECRET, bytes(32)):
        write_secret(context, secret)
        found.append(password_input(context, password=SecretStr(PASSWORD)))
    assert len({*found, SETTING.split("$")[3]}) == 3
    assert password_input(context, password=SecretStr("other")) != found[1]


def test_a_given_hash_has_the_same_record_at_every_site_and_does_not_need_its_secret(context: Context) -> None:
    given = {"password_hash": SecretStr(HASH)}
    before = password_input(context, **given)
    write_secret(context)
    assert password_input(context, **given) == before
    assert HASH not in str(before)
    assert password_input(context, password_hash=SecretStr(HASH + "y")) != before


def test_a_plan_makes_no_secret_and_looking_up_does(context: Context) -> None:
    configured = dataclasses.replace(
        context, config=Config(offline=True).model_copy(update={"password": SecretStr(PASSWORD)})
    )
    context.cache.mkdir()
    assert planned(configured)["identity-squashfs"].key is None
    assert not list(context.cache.iterdir())
    plan.look(dataclasses.replace(configured, lock={}))
    assert sitesecret.read(context.cache) is not None
    assert planned(configured)["identity-squashfs"].inputs["password"]


def test_without_a_password_there_is_no_secret(context: Context) -> None:
    context.cache.mkdir()
    plan.look(dataclasses.replace(context, config=Config(offline=True)))
    assert not (context.cache / sitesecret.NAME).exists()


def test_the_identity_does_not_stay_behind(identity: dict[str, str], context: Context) -> None:
    assert not list(context.work.rglob("identity"))


@pytest.mark.parametrize("compression", ["xz", "zstd"])
def test_the_squashfs_is_packed_as_configured(context: Context, runner: FakeRunner, compression: str) -> None:
    configured = dataclasses.replace(context, config=context.config.model_copy(update={"compression": compression}))
    stages = planned(configured)
    put(stages["stage3"])
    put(stages["system"])
    stages["system-squashfs"].make()
    argv = runner.calls[-1].argv
    assert argv[argv.index("-comp") + 1] == compression
    assert argv[argv.index("-all-time") + 1] == str(context.epoch)
    assert f"/mnt/out/{outputs.SYSTEM_SQUASHFS}" in argv


@pytest.mark.parametrize("place", ["etc", "etc/motd"])
def test_etc_is_not_merged_over_files_of_the_host(
    context: Context, runner: FakeRunner, tmp_path: Path, place: str
) -> None:
    host = tmp_path / "host"
    host.mkdir()
    (host / "motd").write_text("the host's\n", encoding="utf-8")

    def hostile(argv: list[str]) -> None:
        if "--archive" in argv:
            (Path(argv[-1]) / place).parent.mkdir(parents=True)
            (Path(argv[-1]) / place).symlink_to(host if place == "etc" else host / "motd")

    runner.on_run = hostile
    stages = planned(context)
    put(stages["stage3"])
    put(stages["system"])
    with suppress(VerificationError):
        stages["identity-squashfs"].make()
    assert snapshot(host) == {"motd": "the host's\n"}


@pytest.mark.parametrize("target", ["host", "pipe"])
def test_a_busybox_that_is_not_the_images_is_not_in_the_ramdisk(context: Context, tmp_path: Path, target: str) -> None:
    (tmp_path / "host").write_text("the host's\n", encoding="utf-8")
    os.mkfifo(tmp_path / "pipe")
    stages = planned(context)
    for name in ("stage3", "linux", "tools", "kernel"):
        put(stages[name])

    def hostile(folder: Path) -> None:
        (folder / "root/usr/bin").mkdir(parents=True)
        if target == "host":
            (folder / "root/usr/bin/busybox").symlink_to(tmp_path / "host")
        else:
            os.mkfifo(folder / "root/usr/bin/busybox")

    put(stages["system"], hostile)
    for name in ("system-squashfs", "identity-squashfs"):
        put(stages[name])
    with pytest.raises(VerificationError, match="/usr/bin/busybox: "):
        stages["ramfs"].make()
