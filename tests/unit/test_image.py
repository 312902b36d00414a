from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import tempfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from alchemy import archive, image, plan
from alchemy.config import Config
from alchemy.context import Context
from alchemy.errors import BuildError
from alchemy.run import Runner
from alchemy.stage import Stage
from tests.unit import keys
from tests.unit.fakes import fake_stage, snapshot

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


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


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


@pytest.mark.parametrize("mounted", [False, True])
def test_a_failed_publishing_leaves_nothing_behind(
    context: Context, monkeypatch: pytest.MonkeyPatch, mounted: bool
) -> None:
    image.publish(context, built(context, FILES))
    before = snapshot(context.root)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "is_mount", lambda _: mounted)
    monkeypatch.setattr("shutil.copy2", full)
    new = built(context, {**FILES, "alchemy.img": "new kernel"})
    with pytest.raises(OSError, match="No space"):
        image.publish(context, new)
    archive.remove(new.output)
    assert snapshot(context.root) == before


def test_the_files_of_a_mounted_bin_are_replaced_one_by_one_the_digests_last(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    image.publish(context, built(context, FILES))
    (context.bin / "undionly.kpxe").write_text("iPXE", encoding="utf-8")
    monkeypatch.setattr(Path, "is_mount", lambda _: True)
    order = []
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        order.append(target.name)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    new = {name: f"new {text}" for name, text in FILES.items()}
    assert image.publish(context, built(context, new))
    assert contents(context.bin) == {**new, "undionly.kpxe": "iPXE"}
    assert order[-1] == "SHA256SUMS"


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


PACKAGES = [
    {
        "category": "sys-apps", "name": "busybox", "version": "1.37.0", "slot": "0", "use": ["static"],
        "licence": "|| ( GPL-2 MIT )", "repository": "embedded", "size": 1,
        "sources": [{"name": "busybox-1.37.0.tar.bz2", "sha512": "ab" * 64}],
    },
    {
        "category": "virtual", "name": "libc", "version": "1-r1", "slot": "0", "use": [], "licence": "",
        "repository": "embedded", "size": 0, "sources": [],
    },
]  # fmt: skip


# a bzImage that needs 32 MB to unpack itself
KERNEL = "\0" * 0x260 + "\0\0\0\2"


@pytest.fixture
def image_stage(context: Context) -> Stage:
    return behind_stand_ins(context)


def behind_stand_ins(context: Context) -> Stage:
    """The real image stage, behind stages whose outputs are stand-ins."""
    outputs = {
        "stage3": {"stage3.tar.zst": "tarball"},
        "tools": {},
        "linux": {"linux.tar.xz": "source"},
        "system": {"packages.json": json.dumps(PACKAGES)},
        "kernel": {"bzImage": KERNEL, "config": "CONFIG_64BIT=y\n", "release": "6.12.57-alchemy-1.2\n"},
        "packages": {"packages.squashfs": "squashfs"},
        "identity": {"identity.squashfs": "squashfs"},
        "ramfs": {"ramfs": "ramdisk", "firmware.json": json.dumps(FIRMWARE), "unpacked": "9"},
    }
    outputs["embedded"] = {**outputs["kernel"], "bzImage": KERNEL + "ramdisk"}
    planned = plan.create(context)
    for name, files in outputs.items():
        if name not in planned.stages:
            continue

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
        "alchemy.cdx.json",
        "SHA256SUMS",
    }
    assert (contents(context.bin)["alchemy.img"], contents(context.bin)["alchemy.ramfs"]) == (KERNEL, "ramdisk")


def test_the_digests_are_those_of_all_the_other_files(image_stage: Stage) -> None:
    image_stage.make()
    lines = contents(image_stage.output)["SHA256SUMS"].splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    wanted = {
        name: sha256(text)
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
    assert manifest["outputs"]["alchemy.img"] == {"size": len(KERNEL), "sha256": sha256(KERNEL)}
    assert manifest["inputs"]["linux"]["linux_url"] == "debian:linux-source-6.12"
    assert len(manifest["inputs"]["stage3"]["sha256"]) == 64
    assert manifest["inputs"]["stages"].keys() == {"system", "kernel", "ramfs"}


def test_the_manifest_of_the_same_inputs_is_the_same(context: Context, image_stage: Stage) -> None:
    image_stage.make()
    again = dataclasses.replace(image_stage, store=context.work / "again")
    again.make()
    assert contents(again.output)["manifest.json"] == contents(image_stage.output)["manifest.json"]


def configured(context: Context, **values: object) -> Context:
    return dataclasses.replace(context, config=Config(jobs=2).model_copy(update=values))


def test_with_the_ramdisk_inside_there_is_one_file_to_boot(context: Context, image_stage: Stage) -> None:
    image_stage.make()
    image.publish(context, image_stage)
    one_file = configured(context, embed_ramfs=True)
    stage = behind_stand_ins(one_file)
    stage.make()
    image.publish(one_file, stage)
    found = contents(context.bin)
    assert found["alchemy.img"] == KERNEL + "ramdisk"
    assert "alchemy.ramfs" not in found
    assert "initrd" not in found["boot.ipxe"]
    assert found["boot.ipxe"].endswith("\nkernel alchemy.img quiet console=tty0 console=ttyS0,115200n8\nboot\n")
    assert set(json.loads(found["manifest.json"])["outputs"]) == {"alchemy.img", "boot.ipxe"}


def test_the_manifest_says_how_much_ram_a_node_needs(image_stage: Stage) -> None:
    image_stage.make()
    assert json.loads(contents(image_stage.output)["manifest.json"])["ram_mb"] > 32


@pytest.mark.parametrize("embedded", [False, True])
def test_an_image_that_needs_more_ram_than_the_budget_fails_and_bin_stays(
    context: Context, image_stage: Stage, embedded: bool
) -> None:
    image_stage.make()
    image.publish(context, image_stage)
    before = snapshot(context.bin)
    stage = behind_stand_ins(configured(context, embed_ramfs=embedded, ram_budget=64))
    with pytest.raises(BuildError, match=r"ram_budget: a node needs \d+ MB of RAM for this image, and .* 64 MB"):
        stage.make()
    assert not stage.fresh
    assert snapshot(context.bin) == before


def test_an_image_within_the_budget_is_the_same_as_without_one(context: Context, image_stage: Stage) -> None:
    image_stage.make()
    stage = behind_stand_ins(configured(context, ram_budget=512))
    stage.make()
    for name in ("alchemy.img", "alchemy.ramfs", "boot.ipxe", "manifest.json"):
        assert contents(stage.output)[name] == contents(image_stage.output)[name]


def test_the_digests_are_signed_by_an_ssh_key(context: Context, real_processes: None) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", context.root / "key"], check=True)
    signed = dataclasses.replace(configured(context, signing_key="key"), runner=Runner())
    stage = behind_stand_ins(signed)
    stage.make()
    image.publish(signed, stage)
    (context.root / "signers").write_text(f"builder {(context.root / 'key.pub').read_text()}", encoding="ascii")
    command = ["ssh-keygen", "-Y", "verify", "-f", "../signers", "-I", "builder", "-n", "file", "-s", "SHA256SUMS.sig"]
    sums = (context.bin / "SHA256SUMS").read_bytes()
    subprocess.run(command, input=sums, cwd=context.bin, check=True)
    subprocess.run(["sha256sum", "--check", "--strict"], input=sums, cwd=context.bin, check=True)


def test_the_digests_are_signed_by_an_openpgp_key(
    context: Context, real_processes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # gpg's agent wants a short path
    with tempfile.TemporaryDirectory() as folder:
        key = keys.make(Path(folder), "builder")
        monkeypatch.setenv("GNUPGHOME", str(key.home))
        signed = dataclasses.replace(configured(context, signing_key=key.fingerprint), runner=Runner())
        stage = behind_stand_ins(signed)
        stage.make()
        image.publish(signed, stage)
        key.gpg("--verify", str(context.bin / "SHA256SUMS.asc"), str(context.bin / "SHA256SUMS"))


def test_the_manifest_has_the_commit_and_says_when_it_is_not_all(context: Context, real_processes: None) -> None:
    def git(*arguments: str) -> str:
        who = ["-c", "user.name=gold", "-c", "user.email=gold@example.com"]
        command = ["git", "-C", str(context.root), *who, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message=all")
    git("tag", "v1")
    real = dataclasses.replace(context, runner=Runner())
    commit = git("rev-parse", "HEAD")
    assert plan.create(real)["image"].inputs["commit"] == commit
    (context.root / "etc/motd").write_text("changed\n", encoding="utf-8")
    assert plan.create(real)["image"].inputs["commit"] == f"{commit}-dirty"


def test_the_bill_of_materials_is_valid_and_lists_every_package(image_stage: Stage) -> None:
    image_stage.make()
    text = contents(image_stage.output)["alchemy.cdx.json"]
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    components = {component["name"]: component for component in json.loads(text)["components"]}
    assert components.keys() == {"alchemy.img", "alchemy.ramfs", "boot.ipxe", "busybox", "libc", "linux"}
    busybox = components["busybox"]
    assert (busybox["version"], busybox["purl"]) == ("1.37.0", "pkg:ebuild/sys-apps/busybox@1.37.0")
    assert busybox["licenses"] == [{"license": {"name": "|| ( GPL-2 MIT )"}}]
    assert {"name": "alchemy:use", "value": "static"} in busybox["properties"]
    said = {entry["name"]: entry["value"] for entry in json.loads(text)["metadata"]["properties"]}
    assert said["alchemy:input:linux:linux_url"] == "debian:linux-source-6.12"
    assert len(said["alchemy:input:stage3:sha256"]) == 64
    assert busybox["externalReferences"][0]["hashes"] == [{"alg": "SHA-512", "content": "ab" * 64}]
    assert components["linux"]["version"] == "6.12.57-alchemy-1.2"
    assert components["alchemy.img"]["hashes"] == [{"alg": "SHA-256", "content": sha256(KERNEL)}]


def test_the_bill_of_materials_of_the_same_inputs_is_the_same(context: Context, image_stage: Stage) -> None:
    image_stage.make()
    again = dataclasses.replace(image_stage, store=context.work / "again")
    again.make()
    assert contents(again.output)["alchemy.cdx.json"] == contents(image_stage.output)["alchemy.cdx.json"]


def test_the_signature_of_an_older_set_does_not_stay(context: Context) -> None:
    image.publish(context, built(context, {**FILES, "SHA256SUMS.sig": "signature"}))
    assert image.publish(context, built(context, FILES))
    assert contents(context.bin) == FILES
