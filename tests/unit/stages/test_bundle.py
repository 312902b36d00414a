from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import tempfile
from pathlib import Path

import pytest

from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.errors import BuildError
from alchemy.parts import sbom
from alchemy.parts.formats import pxe
from alchemy.run import Runner
from alchemy.stage import Stage
from alchemy.stages import bundle, plan
from tests.lib import bom, keys
from tests.unit.bundles import FILES, built, contents, sha256
from tests.unit.fakes import planned, put, snapshot

FIRMWARE = {"files": ["tigon/tg3.bin"], "missing": ["isci/isci_firmware.bin"]}


def test_the_boot_script_names_the_files_as_configured(context: Context) -> None:
    named = dataclasses.replace(context, config=Config(image_name="vmlinuz", ramfs_name="disk.gz"))
    lines = pxe.boot_script(bundle.parts(named, Path("kernel"), Path("ramfs"))).splitlines()
    assert lines[0] == "#!ipxe"
    assert [line.split()[:3] for line in lines if line.startswith("kernel ")] == [
        ["kernel", "vmlinuz", "initrd=disk.gz"]
    ]
    assert [line for line in lines if line.startswith("initrd ")] == ["initrd disk.gz"]
    assert lines[-1] == "boot"
    assert context.version in "".join(lines)


LEFT_OUT = [{"path": "/usr/bin/x", "interpreter": "/usr/bin/perl", "package": "a/x-1"}]
PACKAGES = [
    {
        "category": "sys-apps", "name": "busybox", "version": "1.37.0", "slot": "0", "use": ["static"],
        "licence": "|| ( GPL-2 MIT )", "repository": "embedded", "size": 1,
        "sources": [{"name": "busybox-1.37.0.tar.bz2", "sha512": "ab" * 64}], "cpe": "cpe:/a:busybox:busybox",
        "upstream": "https://github.com/mirror/busybox",
    },
    {
        "category": "virtual", "name": "libc", "version": "1-r1", "slot": "0", "use": [], "licence": "",
        "repository": "embedded", "size": 0, "sources": [], "cpe": "", "upstream": "",
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
        "system": {"packages.json": json.dumps(PACKAGES), "about.json": json.dumps({"left_out": LEFT_OUT})},
        "kernel": {
            "bzImage": KERNEL,
            "config": "CONFIG_64BIT=y\n",
            "release": "6.12.57-alchemy-1.2\n",
            "modules.alias": "alias pci:v00008086d00001533sv*sd*bc*sc*i* igb\n",
        },
        "system-squashfs": {"packages.squashfs": "squashfs"},
        "identity-squashfs": {"identity.squashfs": "squashfs"},
        "ramfs": {"ramfs": "ramdisk", "firmware.json": json.dumps(FIRMWARE), "unpacked": "9"},
    }
    outputs["embedded"] = {**outputs["kernel"], "bzImage": KERNEL + "ramdisk"}
    stages = planned(context)
    for name, contents_of in outputs.items():
        if name not in stages.stages:
            continue

        def build(folder: Path, files: dict[str, str] = contents_of) -> None:
            for file, text in files.items():
                (folder / file).write_text(text, encoding="utf-8")

        put(stages[name], build)
    return stages["bundle"]


def test_the_image_holds_what_the_contract_names(context: Context, image_stage: Stage) -> None:
    image_stage.make()
    bundle.publish(context, image_stage)
    assert contents(context.bin).keys() == {
        "alchemy.img",
        "alchemy.ramfs",
        "boot.ipxe",
        "grub.cfg",
        "pxelinux.cfg/default",
        "modules.alias",
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


def test_what_is_signed_binds_the_version_and_busybox_can_check_it(context: Context) -> None:
    """By the manifest: a comment with the version would do for coreutils, and busybox takes it for a file."""
    sums = []
    for version in ("1.2", "1.3"):
        stage = behind_stand_ins(dataclasses.replace(context, version=version))
        stage.make()
        found = contents(stage.output)
        assert json.loads(found["manifest.json"])["version"] == version
        assert f"{sha256(found['manifest.json'])}  manifest.json\n" in found["SHA256SUMS"]
        assert re.fullmatch(r"([0-9a-f]{64}  [\w./]+\n)+", found["SHA256SUMS"])
        sums.append(found["SHA256SUMS"])
    assert sums[0] != sums[1]


def test_the_manifest_says_what_is_in_the_image_and_what_it_was_made_of(image_stage: Stage) -> None:
    image_stage.make()
    manifest = json.loads(contents(image_stage.output)["manifest.json"])
    assert manifest["version"] == "1.2"
    assert manifest["kernel"]["release"] == "6.12.57-alchemy-1.2"
    assert manifest["packages"] == PACKAGES
    assert manifest["left_out"] == LEFT_OUT
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
    bundle.publish(context, image_stage)
    one_file = configured(context, embed_ramfs=True)
    stage = behind_stand_ins(one_file)
    stage.make()
    bundle.publish(one_file, stage)
    found = contents(context.bin)
    assert found["alchemy.img"] == KERNEL + "ramdisk"
    assert "alchemy.ramfs" not in found
    assert "initrd" not in found["boot.ipxe"]
    assert found["boot.ipxe"].endswith("\nkernel alchemy.img quiet console=tty0 console=ttyS0,115200n8\nboot\n")
    assert "initrd" not in found["grub.cfg"]
    assert "INITRD" not in found["pxelinux.cfg/default"]
    assert set(json.loads(found["manifest.json"])["outputs"]) == {"alchemy.img", *pxe.SCRIPTS}


def test_grub_and_pxelinux_boot_what_ipxe_boots(image_stage: Stage) -> None:
    image_stage.make()
    found = contents(image_stage.output)
    given = "quiet console=tty0 console=ttyS0,115200n8"
    assert f"\nkernel alchemy.img initrd=alchemy.ramfs {given}\ninitrd alchemy.ramfs\nboot\n" in found["boot.ipxe"]
    assert found["grub.cfg"].endswith(
        f'\nlinux "$config_directory/alchemy.img" {given}\ninitrd "$config_directory/alchemy.ramfs"\nboot\n'
    )
    assert found["pxelinux.cfg/default"].endswith(
        f"LABEL alchemy\n  LINUX alchemy.img\n  INITRD alchemy.ramfs\n  APPEND {given}\n  IPAPPEND 2\n"
    )


def test_the_manifest_says_how_much_ram_a_node_needs(image_stage: Stage) -> None:
    image_stage.make()
    assert json.loads(contents(image_stage.output)["manifest.json"])["ram_mb"] > 32


@pytest.mark.parametrize("embedded", [False, True])
def test_an_image_that_needs_more_ram_than_the_budget_fails_and_bin_stays(
    context: Context, image_stage: Stage, embedded: bool
) -> None:
    image_stage.make()
    bundle.publish(context, image_stage)
    before = snapshot(context.bin)
    stage = behind_stand_ins(configured(context, embed_ramfs=embedded, ram_budget=64))
    with pytest.raises(BuildError, match=r"ram_budget: exceeded \(expected at most 64 MB of RAM, got \d+ MB\)"):
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
    bundle.publish(signed, stage)
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
        bundle.publish(signed, stage)
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
    plan.look(real)
    assert planned(real)["bundle"].inputs["commit"] == commit
    (context.root / "etc/motd").write_text("changed\n", encoding="utf-8")
    plan.look(real)
    assert planned(real)["bundle"].inputs["commit"] == f"{commit}-dirty"


def test_without_git_there_is_no_commit(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    (context.root / ".git").mkdir()
    monkeypatch.setenv("PATH", str(context.root))
    real = dataclasses.replace(context, runner=Runner())
    plan.look(real)
    assert planned(real)["bundle"].inputs["commit"] == ""


def test_the_bill_of_materials_is_valid_and_lists_every_package(image_stage: Stage) -> None:
    image_stage.make()
    document = bom.read(contents(image_stage.output)["alchemy.cdx.json"])
    components = {component["name"]: component for component in document["components"]}
    assert components.keys() == {"alchemy.img", "alchemy.ramfs", *pxe.SCRIPTS, "busybox", "libc", "linux"}
    busybox = components["busybox"]
    assert (busybox["version"], busybox["purl"]) == ("1.37.0", "pkg:ebuild/sys-apps/busybox@1.37.0")
    assert busybox["licenses"] == [{"license": {"name": "|| ( GPL-2 MIT )"}}]
    assert {"name": "alchemy:use", "value": "static"} in busybox["properties"]
    said = {entry["name"]: entry["value"] for entry in document["metadata"]["properties"]}
    assert said["alchemy:input:linux:linux_url"] == "debian:linux-source-6.12"
    assert len(said["alchemy:input:stage3:sha256"]) == 64
    assert busybox["externalReferences"][0]["hashes"] == [{"alg": "SHA-512", "content": "ab" * 64}]
    assert components["linux"]["version"] == "6.12.57-alchemy-1.2"
    assert components["alchemy.img"]["hashes"] == [{"alg": "SHA-256", "content": sha256(KERNEL)}]


def bill(context: Context, packages: list[dict[str, object]]) -> dict[str, dict[str, str]]:
    """The components of a valid bill of materials of these packages, by name."""
    manifest = {
        "name": "Alchemy Linux", "version": "1.2", "commit": "", "packages": packages, "outputs": {},
        "kernel": {"release": "6.12.57-alchemy-1.2", "config_sha256": "ab" * 32}, "inputs": {"stages": {"system": {}}},
    }  # fmt: skip
    document = bom.read(sbom.document(manifest, context.epoch))
    return {component["name"]: component for component in document["components"]}


def made_of(category: str, name: str, version: str, *sources: str) -> dict[str, object]:
    return {
        "category": category, "name": name, "version": version, "slot": "0", "use": [], "licence": "GPL-2",
        "repository": "embedded", "size": 1, "sources": [{"name": source, "sha512": "ab" * 64} for source in sources],
        "cpe": f"cpe:/a:{name}_project:{name}", "upstream": f"https://github.com/{name}/{name}",
    }  # fmt: skip


def test_scanners_know_packages_and_kernel_by_their_cpe(context: Context) -> None:
    found = bill(context, [made_of("app-admin", "sudo", "1.9.16_p2", "sudo-1.9.16p2.tar.gz"), PACKAGES[1]])
    assert found["sudo"]["cpe"] == "cpe:2.3:a:sudo_project:sudo:1.9.16:p2:*:*:*:*:*:*"
    assert found["sudo"]["purl"] == "pkg:ebuild/app-admin/sudo@1.9.16_p2"
    links = json.dumps(found["sudo"]["externalReferences"], sort_keys=True)
    assert '{"type": "vcs", "url": "https://github.com/sudo/sudo"}' in links
    assert "cpe" not in found["libc"]
    assert found["linux"]["cpe"] == "cpe:2.3:o:linux:linux_kernel:6.12.57:*:*:*:*:*:*:*"
    assert found["linux"]["purl"] == "pkg:generic/linux@6.12.57"


def test_what_debian_has_built_has_debians_package_url(context: Context) -> None:
    gmp = "libgmp10_6.3.0+dfsg-3_amd64.deb"
    stress = made_of("app-benchmarks", "stress-ng", "0.19.02", "stress-ng_0.19.02-1_amd64.deb", gmp)
    firmware = made_of("sys-kernel", "linux-firmware", "20250410", "firmware-bnx2_20250410-2_all.deb", gmp)
    found = bill(context, [stress, firmware])
    assert found["stress-ng"]["purl"] == "pkg:deb/debian/stress-ng@0.19.02-1?arch=amd64"
    assert found["linux-firmware"]["purl"] == "pkg:ebuild/sys-kernel/linux-firmware@20250410"
    assert found["firmware-bnx2"]["purl"] == "pkg:deb/debian/firmware-bnx2@20250410-2?arch=all"
    assert found["libgmp10"]["purl"] == "pkg:deb/debian/libgmp10@6.3.0%2Bdfsg-3?arch=amd64"
    assert found["libgmp10"]["version"] == "6.3.0+dfsg-3"
    assert len(found) == 5


def test_the_bill_of_materials_names_the_digests_of_all_that_the_system_was_built_of() -> None:
    """The tree and the overlays of a configuration that fetches them, too."""
    fetched = {name: {"url": f"https://example.org/{name}", "sha256": name} for name in ("stage3", "tree", "overlays")}
    system = {
        "tree": "tree", "overlays": "overlays", "packages.core": "set", "overlays/alchemy": "ours", "etc/portage": "x",
    }  # fmt: skip
    manifest = {
        "name": "Alchemy Linux", "version": "1.2", "commit": "", "packages": [], "outputs": {},
        "kernel": {"release": "6.12.57-alchemy-1.2", "config_sha256": "0"},
        "inputs": {**fetched, "stages": {"system": system}},
    }  # fmt: skip
    properties = json.loads(sbom.document(manifest, 0))["metadata"]["properties"]
    said = {entry["name"]: entry["value"] for entry in properties}
    digests = {name: said.get(f"alchemy:input:{name}:sha256") for name in fetched}
    assert digests == {name: name for name in fetched}
    assert said["alchemy:input:packages.core"] == "set"
    assert said["alchemy:input:overlays/alchemy"] == "ours"
    assert "alchemy:input:etc/portage" not in said


def test_the_bill_of_materials_of_the_same_inputs_is_the_same(context: Context, image_stage: Stage) -> None:
    image_stage.make()
    again = dataclasses.replace(image_stage, store=context.work / "again")
    again.make()
    assert contents(again.output)["alchemy.cdx.json"] == contents(image_stage.output)["alchemy.cdx.json"]


def test_the_signature_of_an_older_set_does_not_stay(context: Context) -> None:
    bundle.publish(context, built(context, {**FILES, "SHA256SUMS.sig": "signature"}))
    assert bundle.publish(context, built(context, FILES))
    assert contents(context.bin) == FILES
