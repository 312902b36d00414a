from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from alchemy import archive, image, plan
from alchemy.config import Config
from alchemy.context import Context
from alchemy.stage import Stage
from tests.unit.fakes import fake_stage

FIRMWARE = {"files": ["tigon/tg3.bin"], "missing": ["isci/isci_firmware.bin"]}
FILES = {"alchemy.img": "kernel", "alchemy.ramfs": "ramdisk", "boot.ipxe": "#!ipxe", "SHA256SUMS": "sums"}


def built(context: Context, files: dict[str, str]) -> Stage:
    """An image stage that has yielded `files`."""

    def build(folder: Path) -> None:
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")

    stage = fake_stage(context.cache, "image", inputs=files, build=build)
    stage.make()
    return stage


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.is_file()}


def test_what_is_published_is_all_of_the_image_and_nothing_else(context: Context) -> None:
    assert image.publish(context, built(context, FILES))
    assert contents(context.bin) == FILES


def test_publishing_the_same_again_changes_nothing(context: Context) -> None:
    stage = built(context, FILES)
    image.publish(context, stage)
    before = context.bin.stat().st_ino
    assert not image.publish(context, stage)
    assert context.bin.stat().st_ino == before


def test_publishing_the_same_bytes_of_another_build_changes_nothing(context: Context) -> None:
    image.publish(context, built(context, FILES))
    again = built(context, {**FILES})
    copied = dataclasses.replace(again, store=context.work / "other")
    copied.make()
    assert not image.publish(context, copied)


def test_a_new_image_replaces_the_old_one(context: Context) -> None:
    image.publish(context, built(context, FILES))
    new = {name: f"new {text}" for name, text in FILES.items()}
    assert image.publish(context, built(context, new))
    assert contents(context.bin) == new


def test_what_else_is_in_bin_is_kept(context: Context) -> None:
    (context.bin / "pxelinux.cfg").mkdir(parents=True)
    (context.bin / "pxelinux.cfg" / "default").write_text("LABEL alchemy", encoding="utf-8")
    (context.bin / "undionly.kpxe").write_text("iPXE", encoding="utf-8")
    image.publish(context, built(context, FILES))
    assert contents(context.bin) == {**FILES, "undionly.kpxe": "iPXE"}
    assert contents(context.bin / "pxelinux.cfg") == {"default": "LABEL alchemy"}


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("damage", ["missing", "other", "longer", "folder"])
def test_a_damaged_file_is_published_again(context: Context, name: str, damage: str) -> None:
    stage = built(context, FILES)
    image.publish(context, stage)
    (context.bin / name).unlink()
    if damage == "folder":
        (context.bin / name).mkdir()
    elif damage != "missing":
        (context.bin / name).write_text("x" * len(FILES[name]) if damage == "other" else "longer" * 9, encoding="utf-8")
    assert image.publish(context, stage)
    assert contents(context.bin) == FILES


def test_writing_into_a_published_file_does_not_reach_the_cache(context: Context) -> None:
    stage = built(context, FILES)
    image.publish(context, stage)
    with (context.bin / "alchemy.img").open("r+", encoding="utf-8") as file:
        file.write("KERNEL")
    assert contents(stage.output)["alchemy.img"] == "kernel"


def test_when_publishing_fails_the_last_good_set_stays(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    image.publish(context, built(context, FILES))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "hardlink_to", full)
    monkeypatch.setattr("shutil.copy2", full)
    with pytest.raises(OSError, match="No space"):
        image.publish(context, built(context, {**FILES, "alchemy.img": "new kernel"}))
    assert contents(context.bin) == FILES


def test_what_a_killed_run_left_behind_is_not_published(context: Context) -> None:
    left_behind = context.bin.with_name(f".{context.bin.name}.tmp")
    left_behind.mkdir()
    (left_behind / "half").touch()
    image.publish(context, built(context, FILES))
    assert contents(context.bin) == FILES
    assert not left_behind.exists()


def test_all_files_are_replaced_in_one_step(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    image.publish(context, built(context, FILES))
    new = {name: f"new {text}" for name, text in FILES.items()}
    seen = []
    exchange = archive.exchange

    def watched(one: Path, other: Path) -> None:
        seen.append(contents(context.bin))
        exchange(one, other)
        seen.append(contents(context.bin))

    monkeypatch.setattr(archive, "exchange", watched)
    image.publish(context, built(context, new))
    assert seen == [FILES, new]


def test_the_boot_script_names_the_files_as_configured(context: Context) -> None:
    named = dataclasses.replace(context, config=Config(image_name="vmlinuz", ramfs_name="disk.gz"))
    lines = image.boot_script(named).splitlines()
    assert lines[0] == "#!ipxe"
    assert [line.split()[:3] for line in lines if line.startswith("kernel ")] == [
        ["kernel", "vmlinuz", "initrd=disk.gz"]
    ]
    assert [line for line in lines if line.startswith("initrd ")] == ["initrd disk.gz"]
    assert lines[-1] == "boot"
    assert context.version in "".join(lines)


PACKAGES = [{"category": "sys-apps", "name": "busybox", "version": "1.37.0", "use": [], "licence": "GPL-2"}]


@pytest.fixture
def image_stage(context: Context) -> Stage:
    """The real image stage, behind stages whose outputs are stand-ins."""
    outputs = {
        "stage3": {"stage3.tar.zst": "tarball"},
        "tools": {},
        "linux": {"linux.tar.xz": "source"},
        "system": {"packages.json": json.dumps(PACKAGES)},
        "kernel": {"bzImage": "kernel", "config": "CONFIG_64BIT=y\n", "release": "6.12.57-alchemy-1.2\n"},
        "rootfs": {"system.squashfs": "squashfs"},
        "ramfs": {"ramfs": "ramdisk", "firmware.json": json.dumps(FIRMWARE)},
    }
    planned = plan.create(context)
    for name, files in outputs.items():

        def build(folder: Path, files: dict[str, str] = files) -> None:
            for file, text in files.items():
                (folder / file).write_text(text, encoding="utf-8")

        dataclasses.replace(planned[name], build=build).make()
    return planned["image"]


def test_the_image_holds_what_the_contract_names(context: Context, image_stage: Stage) -> None:
    image_stage.make()
    image.publish(context, image_stage)
    assert contents(context.bin).keys() == {
        "alchemy.img",
        "alchemy.ramfs",
        "boot.ipxe",
        "manifest.json",
        "SHA256SUMS",
    }
    assert (contents(context.bin)["alchemy.img"], contents(context.bin)["alchemy.ramfs"]) == ("kernel", "ramdisk")


def test_the_digests_are_those_of_all_the_other_files(image_stage: Stage) -> None:
    image_stage.make()
    lines = contents(image_stage.output)["SHA256SUMS"].splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    wanted = {
        name: hashlib.sha256(text.encode()).hexdigest()
        for name, text in contents(image_stage.output).items()
        if name not in ("SHA256SUMS", "stage.json")
    }
    assert sums == wanted


def test_the_manifest_says_what_is_in_the_image_and_what_it_was_made_of(image_stage: Stage) -> None:
    image_stage.make()
    manifest = json.loads(contents(image_stage.output)["manifest.json"])
    assert manifest["version"] == "1.2"
    assert manifest["kernel"]["release"] == "6.12.57-alchemy-1.2"
    assert manifest["packages"] == PACKAGES
    assert manifest["firmware"] == FIRMWARE
    assert manifest["outputs"]["alchemy.img"] == {"size": 6, "sha256": hashlib.sha256(b"kernel").hexdigest()}
    assert manifest["inputs"]["linux"]["linux_url"] == "debian:linux-source-6.12"
    assert len(manifest["inputs"]["stage3"]["sha256"]) == 64
    assert manifest["inputs"]["stages"].keys() == {"system", "kernel", "ramfs"}


def test_the_manifest_of_the_same_inputs_is_the_same(context: Context, image_stage: Stage) -> None:
    image_stage.make()
    again = dataclasses.replace(image_stage, store=context.work / "again")
    again.make()
    assert contents(again.output)["manifest.json"] == contents(image_stage.output)["manifest.json"]
