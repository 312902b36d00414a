from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr

from alchemy.config import model
from alchemy.config.model import Config
from alchemy.config.remotes import Overlay, Sync
from alchemy.errors import UserError
from tests.unit import publickeys
from tests.unit.configs import HASH, SHA, TARBALL, Loader, ssh_key

GOOD: Mapping[str, tuple[str, str, object]] = {
    "a word": ("username: gold_smith-9", "username", "gold_smith-9"),
    "a list": ("packages: [core, network]", "packages", ("core", "network")),
    "a list of lines": ("packages:\n  - network\n  - core\n", "packages", ("network", "core")),
    "a fragment": ("kernel_fragments: [ipmi]", "kernel_fragments", ("ipmi",)),
    "no fragment": ("kernel_fragments: []", "kernel_fragments", ()),
    "another kernel": ('kernel_conf: "6.18"', "kernel_conf", "6.18"),
    "the embedded stage3": ("stage3_url: debian:trixie", "stage3_url", "debian:trixie"),
    "no key for a stage3 that is pinned": (f"{TARBALL}\nstage3_sha256: {SHA}\nstage3_keys: []", "stage3_keys", ()),
    "a stage3 tarball": (TARBALL, "stage3_url", "https://example.org/stage3.tar.xz"),
    "a pointer": ("stage3_url: file:///m/latest-stage3.txt", "stage3_url", "file:///m/latest-stage3.txt"),
    "a fingerprint as gpg shows it": (
        f"{TARBALL}\nstage3_keys: ['13EB BDBE DE7A 1277 5DFD  B1BA BB57 2E0E 2D18 2910']",
        "stage3_keys",
        ("13EBBDBEDE7A12775DFDB1BABB572E0E2D182910",),
    ),
    "a tree by webrsync": (TARBALL, "sync", Sync(method="webrsync")),
    "no tree": (f"{TARBALL}\nsync: {{method: none}}", "sync", Sync(method="none")),
    "no tree for a stage3 made here": ("sync: {method: none}", "sync", Sync(method="none")),
    "a tree in git": (
        f"{TARBALL}\nsync: {{method: git, url: 'https://h/t', branch: stable, commit: '{SHA[:40]}', verify: false}}",
        "sync",
        Sync(method="git", url="https://h/t", branch="stable", commit=SHA[:40], verify=False),
    ),
    "an overlay": ("overlays: ['https://h/o.git']", "overlays", (Overlay(url="https://h/o.git"),)),
    "an overlay of a branch": (
        "overlays: [{url: 'ssh://git@h/o', branch: dev/x}]",
        "overlays",
        (Overlay(url="ssh://git@h/o", branch="dev/x"),),
    ),
    "overlays that merge another": (
        "overlays:\n"
        "  - &a {url: 'https://h/a', branch: stable}\n"
        "  - {<<: *a, url: 'https://h/b'}\n"
        "  - {<<: [*a], url: 'https://h/c', branch: main}\n",
        "overlays",
        (
            Overlay(url="https://h/a", branch="stable"),
            Overlay(url="https://h/b", branch="stable"),
            Overlay(url="https://h/c", branch="main"),
        ),
    ),
    "an overlay by ssh at a port": (
        "overlays: ['ssh://git@h:2222/o']",
        "overlays",
        (Overlay(url="ssh://git@h:2222/o"),),
    ),
    "a mirror of IPv6": (
        "stage3_url: http://[2001:db8::1]:8080/s.tar.xz",
        "stage3_url",
        "http://[2001:db8::1]:8080/s.tar.xz",
    ),
    "a mirror behind a user's page": (
        "overlays: ['https://h/@user/o']",
        "overlays",
        (Overlay(url="https://h/@user/o"),),
    ),
    "a binhost": ("binhosts: ['https://h/binpkgs/']", "binhosts", ("https://h/binpkgs",)),
    "mirrors": (
        "mirrors: ['https://h/gentoo/', /srv/distfiles, ../files]",
        "mirrors",
        ("https://h/gentoo", "/srv/distfiles", "../files"),
    ),
    "offline": ("offline: true", "offline", True),
    "another Debian kernel": ("linux_url: debian:linux-source-6.1", "linux_url", "debian:linux-source-6.1"),
    "a tarball": (
        f"linux_url: https://example.org/linux-6.12.tar.xz\nlinux_sha256: {SHA}",
        "linux_url",
        "https://example.org/linux-6.12.tar.xz",
    ),
    "a file": (f"linux_url: file:///srv/l.tar.gz\nlinux_sha256: {SHA}", "linux_sha256", SHA),
    "a kernel in git": ("linux_url: https://example.org/l.git", "linux_url", "https://example.org/l.git"),
    "a kernel by ssh": ("linux_url: ssh://git@example.org/l", "linux_url", "ssh://git@example.org/l"),
    "a tarball with a key": (
        "linux_url: https://example.org/l.tar.xz\nlinux_keys: [647F28654894E3BD457199BE38DBBDC86092693E]",
        "linux_keys",
        ("647F28654894E3BD457199BE38DBBDC86092693E",),
    ),
    "a version of Debian's": ("kernel_ver: 6.12.57-1~bpo13+1", "kernel_ver", "6.12.57-1~bpo13+1"),
    "a profile": ("profile: default/linux/amd64/23.0", "profile", ("default/linux/amd64/23.0",)),
    "profiles": ("profile: ['core-kit:arch/x86-64bit', 'a:b']", "profile", ("core-kit:arch/x86-64bit", "a:b")),
    "a licence": ("accept_licenses: [EULA, '@GPL']", "accept_licenses", ("EULA", "@GPL")),
    "a key": (f"ssh_keys: ['{ssh_key()}']", "ssh_keys", (ssh_key(),)),
    "a key with a comment": (f"ssh_keys: ['{ssh_key()} me @ home ']", "ssh_keys", (f"{ssh_key()} me @ home",)),
    "an ECDSA key": (
        f"ssh_keys: ['{publickeys.NISTP256}']",
        "ssh_keys",
        (publickeys.NISTP256,),
    ),
    "a key of a token": (
        f"ssh_keys: ['{publickeys.SK_ED25519}']",
        "ssh_keys",
        (publickeys.SK_ED25519,),
    ),
    "a hash": (f"password_hash: {HASH}", "password_hash", SecretStr(HASH)),
    "locked with a key": (f"locked: true\nssh_keys: ['{ssh_key()}']", "locked", True),
    "locked with a password": ("locked: true\npassword: a", "locked", True),
    "locked with a hash": (f"locked: true\npassword_hash: {HASH}", "locked", True),
    "zstd": ("compression: zstd", "compression", "zstd"),
    "names": ("image_name: a.img\nramfs_name: b-1.2.ramfs", "ramfs_name", "b-1.2.ramfs"),
    "jobs": ("jobs: 7", "jobs", 7),
    "an absolute cache": ("cache_dir: /srv/cache", "cache_dir", "/srv/cache"),
    "a comment only": ("# nothing\n", "packages", ("core",)),
}


@pytest.mark.parametrize(("text", "key", "value"), GOOD.values(), ids=GOOD.keys())
def test_a_valid_configuration_is_accepted(load: Loader, text: str, key: str, value: object) -> None:
    assert getattr(load(text), key) == value


def test_without_a_file_the_embedded_default_is_built(shared_root: Path) -> None:
    found = model.load(shared_root, {})
    assert found == Config()
    assert (found.stage3_url, found.linux_url, found.packages) == (
        "debian:trixie",
        "debian:linux-source-6.12",
        ("core",),
    )
    assert (found.username, found.password, found.ssh_keys) == ("alchemy", None, ())
    assert found.jobs == os.cpu_count()


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config().username = "eve"


def test_alchemy_config_names_another_file(root: Path, tmp_path: Path) -> None:
    (root / "config.yml").write_text("username: one", encoding="utf-8")
    (tmp_path / "other.yml").write_text("username: two", encoding="utf-8")
    assert model.load(root, {"ALCHEMY_CONFIG": str(tmp_path / "other.yml")}).username == "two"


@pytest.mark.parametrize(
    ("name", "key"), [("ALCHEMY_CACHE_DIR", "cache_dir"), ("ALCHEMY_WORK_DIR", "work_dir")], ids=["cache", "work"]
)
@pytest.mark.parametrize(("value", "wanted"), [("/srv/elsewhere", "/srv/elsewhere"), ("", "configured")])
def test_the_environment_overrides_a_folder(load: Loader, name: str, key: str, value: str, wanted: str) -> None:
    assert getattr(load(f"{key}: configured", **{name: value}), key) == wanted


@pytest.mark.parametrize("text", ["password: {}", "password: '{}'\njobs: 0", "password: [{}]", "Password: {}"])
def test_a_password_is_in_no_message_and_no_description(load: Loader, text: str) -> None:
    try:
        found = load(text.format("hunter2"))
        shown = f"{found!r} {found} {found.model_dump()} {found.model_dump_json()} {found.model_dump(mode='json')}"
        assert found.password is not None
        assert found.password.get_secret_value() == "hunter2"
    except UserError as error:
        shown = f"{error!r} {error} {error.hint}"
    assert "hunter2" not in shown


@pytest.mark.parametrize("text", ["password_hash: {}", "password_hash: {}\njobs: 0", "password_hash: [{}]"])
@pytest.mark.parametrize("hashed", [HASH, HASH[:-1], HASH.replace("$y$", "$1$")])
def test_a_hash_is_in_no_message_and_no_description(load: Loader, text: str, hashed: str) -> None:
    try:
        found = load(text.format(hashed))
        shown = f"{found!r} {found} {found.model_dump()} {found.model_dump_json()} {found.model_dump(mode='json')}"
    except UserError as error:
        shown = f"{error!r} {error} {error.hint}"
    assert hashed[-40:] not in shown


@pytest.mark.parametrize(
    "text",
    [
        'password: "hunter2',
        "password: hunter2: x",
        "password: hunter2\npassword: hunter2",
        "password: *hunter2",
        "password: !hunter2 x",
        "password: !hunter2!x y",
        "username: &hunter2 a\npassword: &hunter2 b",
        "password: !!int hunter2",
    ],
)
def test_a_password_in_a_broken_file_is_not_shown(load: Loader, text: str) -> None:
    found = load.message(text)
    assert "line " in found
    assert "hunter2" not in found


def test_the_schema_is_a_json_schema_that_names_every_key() -> None:
    schema = json.loads(model.schema({}))
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(Config.model_fields)
    assert "required" not in schema


def test_the_keys_are_those_of_the_contract() -> None:
    contract = """
        stage3_url stage3_keys stage3_sha256 sync linux_url linux_sha256 linux_keys kernel_ver kernel_conf
        kernel_fragments kernel_modules packages overlays binhosts mirrors accept_licenses keep_scripts profile
        username password password_hash ssh_keys locked embed_ramfs image_name ramfs_name compression firmware microcode
        ram_budget command_keys signing_key offline
        work_dir cache_dir jobs
    """
    assert set(Config.model_fields) == set(contract.split())


@pytest.mark.parametrize("version", ["wip", "1.2", "1", "A", "1.2-rc1+git_7", "x" * 32])
def test_a_valid_version_is_accepted(version: str) -> None:
    assert model.check_version(version) == version


@pytest.mark.parametrize("version", ["", " ", "-1", ".1", "_", "+1", "1 2", "1/2", "1\n", "é1", "1~2", "1:2", "x" * 33])
def test_a_bad_version_is_refused(version: str) -> None:
    with pytest.raises(UserError, match="--version"):
        model.check_version(version)
