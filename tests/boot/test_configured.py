"""What config.yml asks for, in a booted image: user, keys, compression, firmware, names, and who signs commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.parts import command_signature
from alchemy.run import Runner
from tests.boot import guest
from tests.boot.conftest import PASSWORD
from tests.boot.guest import Guest


@pytest.fixture(scope="module")
def node(configured: Context, key: Path, runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """The configured image, given a command that its own key has signed."""
    web = tmp_path_factory.mktemp("web")
    (web / "command").write_text("#!/bin/sh\necho gold by $(id -un)\n")
    command_signature.sign(runner, web / "command", key, 30)
    log = configured.logfile("boot-configured")
    with (
        guest.serve_folder(web) as url,
        guest.boot(configured, log, key, f"command_url={url}/command") as node,
    ):
        node.expect(guest.HAND_OVER)
        yield node


def test_a_command_signed_by_a_key_of_the_image_runs(node: Guest) -> None:
    node.wait_for_ssh()
    assert node.ssh("cat /run/alchemy/command.status").strip() == "0"
    assert node.ssh("sudo cat /var/log/command_url.log") == "gold by root\n"


def test_the_password_opens_the_account_on_the_console(node: Guest) -> None:
    node.log_in(PASSWORD)
    node.type("sudo -n id -u && echo done-$((40 + 2))")
    node.expect("done-42")


def test_the_key_opens_the_account_over_ssh(node: Guest) -> None:
    node.wait_for_ssh()
    assert node.ssh("id -un").strip() == "smith"
    assert "wheel" in node.ssh("id -nG").split()


def test_the_image_holds_the_hash_of_the_password_alone(node: Guest) -> None:
    assert node.ssh("sudo grep ^smith: /etc/shadow").split(":")[1].startswith("$y$j9T$")
    assert node.ssh(f"sudo grep -rlF '{PASSWORD}' /etc /home /root /var || true") == ""


def test_the_firmware_is_what_was_asked_for(node: Guest, configured: Context) -> None:
    found = node.ssh("cd /lib/firmware && find . -name '*.fw.xz' -o -name '*.pkg.xz'").split()
    assert "./intel/ice/ddp/ice.pkg.xz" in found
    assert {name.split("/")[1] for name in found} == {"bnx2", "intel"}


def test_the_squashfs_is_compressed_as_asked_for(node: Guest) -> None:
    # the superblock's compressor, the 16 bits at 20: 6 is zstd (the kernel's fs/squashfs/squashfs_fs.h)
    devices = node.ssh("sudo losetup -n -O NAME -a").split()
    assert len(devices) == 2
    for device in devices:
        assert node.ssh(f"sudo od -A n -t u2 -j 20 -N 2 {device}").strip() == "6"


def test_bin_holds_the_names_that_were_asked_for(configured: Context) -> None:
    assert {path.name for path in configured.bin.iterdir()} >= {"gold.img", "gold.ramfs"}
    assert not (configured.bin / "alchemy.img").exists()
    outputs = json.loads((configured.bin / "manifest.json").read_text(encoding="utf-8"))["outputs"]
    assert set(outputs) >= {"gold.img", "gold.ramfs"}


def test_a_command_that_nobody_signed_does_not_run_whatever_the_command_line_says(
    configured: Context, key: Path, console_log: Path, tmp_path: Path, runner: Runner
) -> None:
    other = tmp_path / "other"
    runner.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other])
    kind, blob, _ = other.with_suffix(".pub").read_text(encoding="utf-8").split(" ", 2)
    (tmp_path / "command").write_text("#!/bin/sh\necho fool\n")
    command_signature.sign(runner, tmp_path / "command", other, 30)
    with (
        guest.serve_folder(tmp_path) as url,
        guest.boot(configured, console_log, key, f"command_url={url}/command command_key={kind}:{blob}") as node,
    ):
        node.expect("command_key: ignored")
        node.expect("command_url: refused: bad signature: ")
        node.expect("command_url: nothing is run")
        node.expect(guest.HAND_OVER)
