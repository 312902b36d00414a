from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from alchemy import config
from alchemy.config import Config
from alchemy.errors import UserError
from alchemy.remotes import Overlay, Sync
from tests import repository
from tests.unit.fakes import snapshot

EXAMPLE = repository.ROOT / "config.yml.example"
SHA = "0123456789abcdef" * 4
TARBALL = "stage3_url: https://example.org/stage3.tar.xz"


def ssh_key(inner: str = "ssh-ed25519", outer: str | None = None) -> str:
    """An SSH public key of the type `inner`, that says it is of the type `outer`."""
    blob = len(inner).to_bytes(4, "big") + inner.encode() + (32).to_bytes(4, "big") + bytes(32)
    return f"{outer or inner} {base64.b64encode(blob).decode()}"


@dataclass(frozen=True)
class Loader:
    """Loads a config.yml of a text, for a repository."""

    root: Path
    path: Path

    def __call__(self, text: str, **environ: str) -> Config:
        self.path.write_text(text, encoding="utf-8")
        return config.load(self.root, {"ALCHEMY_CONFIG": str(self.path), **environ})

    def message(self, text: str) -> str:
        """The message for a text that must be refused."""
        with pytest.raises(UserError) as caught:
            self(text)
        assert str(self.path) in caught.value.message
        return caught.value.message


@pytest.fixture
def load(shared_root: Path, tmp_path: Path) -> Loader:
    return Loader(shared_root, tmp_path / "config.yml")


BAD: Mapping[str, tuple[str, str]] = {
    # the file
    "broken YAML": ("packages: [core", "not valid YAML"),
    "broken indentation": ("username: a: b", "not valid YAML"),
    "a tab": ("packages:\n\t- core", "not valid YAML"),
    "a list": ("- packages", "must be a mapping of keys to values, not a list"),
    "a word": ("hello", "must be a mapping of keys to values, not a str"),
    "a key twice": ("username: a\njobs: 1\nusername: b", "the key username stands twice"),
    "a tag that runs Python": ("username: !!python/object/apply:os.getcwd []", "not valid YAML"),
    "a date that is none": ("kernel_ver: 2026-13-45", "not valid YAML"),
    "a number that is none": ("jobs: 0x_", "not valid YAML"),
    "a scalar tagged as a mapping": ("!!map core", "not valid YAML"),
    "very many brackets": ("packages: " + "[" * 400, "not valid YAML"),
    # keys
    "an unknown key": ("colour: red", "colour: no such key"),
    "a misspelt key": ("packags: [core]", "packags: no such key; did you mean packages?"),
    "a key in capitals": ("Username: bob", "Username: no such key; did you mean username?"),
    # the stage3 and the kernel
    "a stage3 of nowhere": ("stage3_url: gentoo", "stage3_url: must be debian:SUITE"),
    "a suite in capitals": ("stage3_url: debian:Trixie", "stage3_url: must be debian:SUITE"),
    "a stage3 that is a number": ("stage3_url: 3", "stage3_url: input should be a valid string"),
    "a stage3 that is no tarball": ("stage3_url: https://example.org/stage3.iso", "stage3_url: must be debian:SUITE"),
    "a stage3 by FTP": ("stage3_url: ftp://example.org/stage3.tar.xz", "stage3_url: must be debian:SUITE"),
    "a stage3 with neither keys nor a digest": (
        f"{TARBALL}\nstage3_keys: []",
        "stage3_keys: without a key, stage3_sha",
    ),
    "a key's short name": (f"{TARBALL}\nstage3_keys: ['0x2D182910']", "stage3_keys.0: must be a whole fingerprint"),
    "a key's file that is not there": (f"{TARBALL}\nstage3_keys: [keys/me.asc]", "keys/me.asc: there is no such file"),
    "a short stage3's digest": (f"{TARBALL}\nstage3_sha256: {SHA[1:]}", "stage3_sha256: must be 64"),
    "a digest of a stage3 made here": (f"stage3_sha256: {SHA}", "stage3_sha256: is for a stage3 that is fetched"),
    "keys of a stage3 made here": ("stage3_keys: []", "stage3_keys: is for a stage3 that is fetched"),
    "a kernel of nowhere": ("linux_url: linux-6.12", "linux_url: must be debian:PACKAGE or"),
    "a kernel by FTP": (f"linux_url: ftp://example.org/l.tar.xz\nlinux_sha256: {SHA}", "linux_url: must be"),
    "a kernel in a zip": (f"linux_url: https://example.org/l.zip\nlinux_sha256: {SHA}", "linux_url: must be"),
    "a URL with a line's end": (
        f'linux_url: "https://example.org/l.tar.xz\\n"\nlinux_sha256: {SHA}',
        "linux_url: must be",
    ),
    "a tarball without a digest": ("linux_url: https://example.org/l.tar.xz", "linux_sha256: a kernel tarball needs"),
    "a tarball without a key": (
        "linux_url: https://example.org/l.tar.xz\nlinux_keys: []",
        "linux_sha256: a kernel tarball needs its sha256 here, or linux_keys",
    ),
    "a kernel's key that is a short name": (
        "linux_url: https://example.org/l.tar.xz\nlinux_keys: ['0x2D182910']",
        "linux_keys.0: must be a whole fingerprint",
    ),
    "a kernel's key that is not there": (
        "linux_url: https://example.org/l.tar.xz\nlinux_keys: [keys/greg.asc]",
        "linux_keys: keys/greg.asc: there is no such file",
    ),
    "keys for Debian's kernel": ("linux_keys: ['keys/a']", "linux_keys: is for a tarball, and linux_url is none"),
    "a digest of a commit": (
        f"linux_url: https://example.org/l.git\nlinux_sha256: {SHA}",
        "linux_sha256: is for a tarball, and linux_url is none",
    ),
    "git by FTP": ("linux_url: ftp://example.org/l.git", "linux_url: must be a URL that begins with https://"),
    "a short digest": (f"linux_url: https://example.org/l.tar.xz\nlinux_sha256: {SHA[1:]}", "linux_sha256: must be 64"),
    "a digest in capitals": (f"linux_sha256: {SHA.upper()}", "linux_sha256: must be 64 lower-case"),
    "a kernel version with a blank": ("kernel_ver: 6.12 rc1", "kernel_ver: "),
    "a kernel version that is a number": ("kernel_ver: 6.12", "kernel_ver: input should be a valid string"),
    "a configuration that is not there": ('kernel_conf: "6.13"', "kernel_conf: 6.13: there is no file kernels/6.13"),
    "a configuration nearly there": ('kernel_conf: "6.1"', "did you mean 6.1"),
    "a configuration that is a number": ("kernel_conf: 6.12", "kernel_conf: input should be a valid string"),
    "a configuration elsewhere": ("kernel_conf: ../6.12", "kernel_conf: must be a plain file name"),
    "a configuration that is documentation": ("kernel_conf: README.md", "kernel_conf: README.md"),
    "a fragment that is not there": ("kernel_fragments: [ipmy]", "kernel_fragments: ipmy: there is no file"),
    "a fragment nearly there": ("kernel_fragments: [ipmy]", "did you mean ipmi?"),
    "a fragment elsewhere": ("kernel_fragments: [a/b]", "kernel_fragments.0: must be a plain file name"),
    # packages
    "a set that is not there": ("packages: [core, storage]", "packages: storage: there is no file packages/packages."),
    "a set nearly there": ("packages: [cor]", "did you mean core?"),
    "a set elsewhere": ("packages: [core, ../core]", "packages.1: must be a plain file name"),
    "a set without a name": ("packages: ['']", "packages"),
    "a set that is a number": ("packages: [core, 1]", "packages.1: input should be a valid string"),
    "no packages": ("packages: []", "packages: "),
    "packages that are a word": ("packages: core", "packages: "),
    "packages that are a mapping": ("packages: {core: true}", "packages: "),
    "a licence that is two words": ("accept_licenses: [EULA and more]", "accept_licenses.0: "),
    "firmware from the root": ("firmware: [/lib/firmware/bnx2]", "firmware.0: must be a pattern of names below"),
    "firmware from above": ("firmware: [a/../../b]", "firmware.0: must be a pattern of names below"),
    "firmware without a name": ("firmware: ['']", "firmware.0: must be a pattern of names below"),
    # the admin user
    "root": ("username: root", "username: must not be root"),
    "an account of the system": ("username: sshd", "username: must not be sshd, which is an account of the system"),
    "a group of the system": ("username: wheel", "username: must not be wheel"),
    "a name in capitals": ("username: Bob", "username: must be a login name"),
    "a name that begins with a digit": ("username: 9lives", "username: must be a login name"),
    "a long name": ("username: " + "a" * 32, "username: must be a login name"),
    "a name with a line's end": ('username: "bob\\n"', "username: must be a login name"),
    "a name with a colon": ("username: 'a:b'", "username: must be a login name"),
    "an empty password": ("password: ''", "password: must be one line, and not empty"),
    "a password of two lines": ('password: "a\\nb"', "password: must be one line"),
    "a password that is a number": ("password: 12345", "password: input should be a valid string"),
    "a key that is a text": ("ssh_keys: [hello]", "ssh_keys.0: must be an OpenSSH public key"),
    "a key that is a file": ("ssh_keys: [~/.ssh/id_ed25519.pub]", "ssh_keys.0: must be an OpenSSH public key"),
    "a key that is the private one": ("ssh_keys: [-----BEGIN OPENSSH PRIVATE KEY-----]", "ssh_keys.0: must be"),
    "a key cut short": ("ssh_keys: [ssh-ed25519 AAAAC3NzaC1lZ]", "ssh_keys.0: "),
    "a key whose base64 is broken": ("ssh_keys: [ssh-ed25519 AAAAC3NzaC1lZD=]", "ssh_keys.0: is an SSH key whose"),
    "a key of another type": (
        f"ssh_keys: ['{ssh_key()}', '{ssh_key(outer='ssh-rsa')}']",
        "ssh_keys.1: is an SSH key whose type isn't the one inside it",
    ),
    "two keys in one": (f'ssh_keys: ["{ssh_key()}\\n{ssh_key()}"]', "ssh_keys.0: must be an OpenSSH public key"),
    "keys that are a word": (f"ssh_keys: {ssh_key()}", "ssh_keys: "),
    "a key for commands that is none": ("command_keys: [hello]", "command_keys.0: must be an OpenSSH public key"),
    # the output
    "an image elsewhere": ("image_name: out/alchemy.img", "image_name: must be a plain file name"),
    "an image above": ("image_name: ..", "image_name: must be a plain file name"),
    "an image that is hidden": ("image_name: .img", "image_name: must be a plain file name"),
    "an image without a name": ("image_name: ''", "image_name: "),
    "an image with a blank, which iPXE takes for two words": ("image_name: my image", "image_name: "),
    "an image with a line's end": ('image_name: "a\\nb"', "image_name: "),
    "an image named as the manifest": ("image_name: manifest.json", "image_name: "),
    "a ramfs named as the boot script": ("ramfs_name: boot.ipxe", "ramfs_name: "),
    "a ramfs named as the digests": ("ramfs_name: SHA256SUMS", "ramfs_name: "),
    "the same name twice": ("image_name: a\nramfs_name: a", "ramfs_name: must differ from image_name"),
    "the other one's default": ("image_name: alchemy.ramfs", "ramfs_name: must differ from image_name"),
    "an unknown compression": ("compression: gzip", "compression: input should be 'xz' or 'zstd'"),
    "compressions": ("compression: [xz]", "compression: "),
    # the build
    "no jobs": ("jobs: 0", "jobs: input should be greater than or equal to 1"),
    "too many jobs": ("jobs: 5000", "jobs: input should be less than or equal to 1024"),
    "jobs that are true": ("jobs: true", "jobs: input should be a valid integer"),
    "jobs that are a text": ('jobs: "2"', "jobs: input should be a valid integer"),
    "half a job": ("jobs: 1.5", "jobs: input should be a valid integer"),
    "jobs without a value": ("jobs:", "jobs: input should be a valid integer"),
    "a work directory without a name": ("work_dir: ''", "work_dir: "),
    "a cache that is a list": ("cache_dir: [cache]", "cache_dir: "),
    # the tree
    "a sync that is a word": (f"{TARBALL}\nsync: git", "sync: "),
    "a sync of no method": (f"{TARBALL}\nsync: {{}}", "sync.method: field required"),
    "a method that is none": (f"{TARBALL}\nsync: {{method: cvs}}", "sync.method: input should be 'webrsync', 'git'"),
    "a misspelt key of sync": (
        f"{TARBALL}\nsync: {{method: git, url: file:///t, brunch: main}}",
        "sync.brunch: no such key; did you mean branch?",
    ),
    "git without a URL": (f"{TARBALL}\nsync: {{method: git}}", "sync: the method git needs a url"),
    "rsync without a URL": (f"{TARBALL}\nsync: {{method: rsync}}", "sync: the method rsync needs a url"),
    "git by rsync": (f"{TARBALL}\nsync: {{method: git, url: rsync://h/t}}", "sync: url: must be a URL that begins"),
    "git by ssh's short form": (f"{TARBALL}\nsync: {{method: git, url: 'git@h:t'}}", "sync: url: must be a URL"),
    "a URL that is an option": (f"{TARBALL}\nsync: {{method: git, url: --upload-pack=x}}", "sync: url: must be a URL"),
    "a branch of webrsync": (
        f"{TARBALL}\nsync: {{method: webrsync, branch: x}}",
        "sync: branch: is not for the method",
    ),
    "a branch that is an option": (
        f"{TARBALL}\nsync: {{method: git, url: file:///t, branch: --x}}",
        "sync.branch: must be the name of a branch or tag",
    ),
    "a short commit": (
        f"{TARBALL}\nsync: {{method: git, url: file:///t, commit: 0123abc}}",
        "sync.commit: must be a whole commit",
    ),
    "a tree for a stage3 made here": ("sync: {method: webrsync}", "sync: is for a stage3 that is fetched"),
    # overlays
    "an overlay that is a folder": ("overlays: [/srv/overlay]", "overlays.0.url: must be a URL that begins with"),
    "an overlay without a URL": ("overlays: [{branch: main}]", "overlays.0.url: field required"),
    "an overlay that is a number": ("overlays: [3]", "overlays.0: "),
    "a misspelt key of an overlay": (
        "overlays: [{url: 'https://h/o', comit: x}]",
        "overlays.0.comit: no such key; did you mean commit?",
    ),
    "an overlay of an abbreviated commit": (
        "overlays: [{url: 'https://h/o', commit: 0abc}]",
        "overlays.0.commit: must be a whole commit",
    ),
    "overlays that are a word": ("overlays: https://h/o", "overlays: must be a list"),
    "an overlay twice": ("overlays: ['https://h/o', {url: 'https://h/o'}]", "overlays: https://h/o: stands twice"),
    # binary packages
    "a binhost that is a folder": ("binhosts: [/srv/binpkgs]", "binhosts.0: must be a URL that begins with https://"),
    "a binhost by ssh": ("binhosts: ['ssh://h/binpkgs']", "binhosts.0: must be a URL that begins with https://"),
    "binhosts that are a word": ("binhosts: https://h/binpkgs", "binhosts: must be a list"),
    "an embedded ramfs": ("embed_ramfs: 1", "embed_ramfs: input should be a valid boolean"),
    "a signing key": ("signing_key: missing", "signing_key: missing: there is no such file"),
    "half a fingerprint": ("signing_key: DEADBEEF", "signing_key: must be a whole fingerprint"),
    "a budget": ("ram_budget: 0", "ram_budget: input should be greater than or equal to 1"),
}


@pytest.mark.parametrize(("text", "fragment"), BAD.values(), ids=BAD.keys())
def test_a_bad_configuration_is_refused_with_a_message_that_names_the_key(
    load: Loader, text: str, fragment: str
) -> None:
    assert fragment in load.message(text)


def test_a_refused_configuration_has_touched_nothing(root: Path) -> None:
    (root / "config.yml").write_text("jobs: 0", encoding="utf-8")
    before = snapshot(root)
    with pytest.raises(UserError):
        config.load(root, {})
    assert snapshot(root) == before


def test_all_mistakes_are_reported_together(load: Loader) -> None:
    found = load.message("jobs: 0\nusername: root\ncolour: red\npackages: [cor]\nimage_name: a/b\noffline: 1\n")
    for key in ("jobs", "username", "colour", "packages", "image_name", "offline"):
        assert len(re.findall(rf"^  {key}: ", found, re.MULTILINE)) == 1


def test_a_mistake_comes_with_where_help_is(load: Loader) -> None:
    with pytest.raises(UserError) as caught:
        load("jobs: 0")
    assert "config.yml.example" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["folder", "missing", "folder/missing"])
def test_a_file_that_cannot_be_read_is_named(shared_root: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=f"{tmp_path / name}: cannot be read"):
        config.load(shared_root, {"ALCHEMY_CONFIG": str(tmp_path / name)})


def test_a_file_that_is_no_utf8_is_named(root: Path) -> None:
    (root / "config.yml").write_bytes(b"username: \xff\n")
    with pytest.raises(UserError, match=r"config\.yml: cannot be read"):
        config.load(root, {})


GOOD: Mapping[str, tuple[str, str, object]] = {
    "a word": ("username: gold_smith-9", "username", "gold_smith-9"),
    "a list": ("packages: [core, network]", "packages", ("core", "network")),
    "a list of lines": ("packages:\n  - network\n  - core\n", "packages", ("network", "core")),
    "a fragment": ("kernel_fragments: [ipmi]", "kernel_fragments", ("ipmi",)),
    "no fragment": ("kernel_fragments: []", "kernel_fragments", ()),
    "another kernel": ('kernel_conf: "6.18"', "kernel_conf", "6.18"),
    "another suite": ("stage3_url: debian:sid", "stage3_url", "debian:sid"),
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
    "a binhost": ("binhosts: ['https://h/binpkgs/']", "binhosts", ("https://h/binpkgs",)),
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
    "a licence": ("accept_licenses: [EULA, '@GPL']", "accept_licenses", ("EULA", "@GPL")),
    "a key": (f"ssh_keys: ['{ssh_key()}']", "ssh_keys", (ssh_key(),)),
    "a key with a comment": (f"ssh_keys: ['{ssh_key()} me @ home ']", "ssh_keys", (f"{ssh_key()} me @ home",)),
    "an ECDSA key": (
        f"ssh_keys: ['{ssh_key('ecdsa-sha2-nistp256')}']",
        "ssh_keys",
        (ssh_key("ecdsa-sha2-nistp256"),),
    ),
    "a key of a token": (
        f"ssh_keys: ['{ssh_key('sk-ssh-ed25519@openssh.com')}']",
        "ssh_keys",
        (ssh_key("sk-ssh-ed25519@openssh.com"),),
    ),
    "zstd": ("compression: zstd", "compression", "zstd"),
    "names": ("image_name: a.img\nramfs_name: b-1.2.ramfs", "ramfs_name", "b-1.2.ramfs"),
    "jobs": ("jobs: 7", "jobs", 7),
    "an absolute cache": ("cache_dir: /srv/cache", "cache_dir", "/srv/cache"),
    "a comment only": ("# nothing\n", "packages", ("core",)),
}


@pytest.mark.parametrize(("text", "key", "value"), GOOD.values(), ids=GOOD.keys())
def test_a_good_configuration_is_taken(load: Loader, text: str, key: str, value: object) -> None:
    assert getattr(load(text), key) == value


def test_without_a_file_the_embedded_default_is_built(shared_root: Path) -> None:
    found = config.load(shared_root, {})
    assert found == Config()
    assert (found.stage3_url, found.linux_url, found.packages) == (
        "debian:trixie",
        "debian:linux-source-6.12",
        ("core",),
    )
    assert (found.username, found.password, found.ssh_keys) == ("alchemy", None, ())
    assert found.jobs == os.cpu_count()


FREE_SETS = [path.name.removeprefix("packages.") for path in repository.SETS if path.name != "packages.eula"]


def test_the_example_is_every_free_set_on_gentoos_newest_stage3_and_tree() -> None:
    found = config.load(repository.ROOT, {"ALCHEMY_CONFIG": str(EXAMPLE)})
    assert found.stage3_url.endswith("/releases/amd64/autobuilds/latest-stage3-amd64-openrc.txt")
    assert found.sync == Sync(method="webrsync")
    assert sorted(found.packages) == sorted(FREE_SETS)
    assert found.model_fields_set == {"stage3_url", "sync", "packages"}


def test_the_example_explains_every_key() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    paragraphs = [paragraph.splitlines() for paragraph in text.split("\n\n")]
    explained = {
        match[1]
        for lines in paragraphs
        for line in lines
        if lines[0].startswith("# ") and (match := re.match(r"#?(\w+):", line))
    }
    assert explained == set(Config.model_fields)


def test_the_example_fits_the_schema_with_all_its_examples() -> None:
    validator = jsonschema.Draft202012Validator(json.loads(config.schema()))
    text = EXAMPLE.read_text(encoding="utf-8")
    entries = re.findall(r"^#?(\w+:.*(?:\n#?  - .*)*)", text, re.MULTILINE)
    assert len(entries) > len(Config.model_fields)
    for entry in entries:
        validator.validate(yaml.safe_load(re.sub(r"^#", "", entry, flags=re.MULTILINE)))


@pytest.mark.parametrize("made_here", [True, False])
def test_the_values_of_the_example_are_good_ones(tmp_path: Path, made_here: bool) -> None:
    """The examples that go together: those for a stage3 that is made here, or those for one that is fetched."""
    fetched = ("stage3_url", "stage3_keys", "stage3_sha256", "sync")
    lines = re.sub(r"^#(?=\w+:|  - )", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    values: dict[str, str] = {}
    for entry in re.findall(r"^\w+:.*(?:\n  - .*)*", lines, re.MULTILINE):
        key = entry.partition(":")[0]
        if not (made_here and key in fetched) and not (made_here and key in ("linux_keys", "linux_sha256")):
            values[key] = values.get(key, entry) if made_here else entry
    path = tmp_path / "config.yml"
    path.write_text("\n".join(values.values()), encoding="utf-8")
    found = config.load(repository.ROOT, {"ALCHEMY_CONFIG": str(path)})
    assert found.model_fields_set >= {"packages", "password", "ssh_keys", "jobs", "overlays", "binhosts"}


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config().username = "eve"


def test_alchemy_config_names_another_file(root: Path, tmp_path: Path) -> None:
    (root / "config.yml").write_text("username: one", encoding="utf-8")
    (tmp_path / "other.yml").write_text("username: two", encoding="utf-8")
    assert config.load(root, {"ALCHEMY_CONFIG": str(tmp_path / "other.yml")}).username == "two"


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


@pytest.mark.parametrize("text", ['password: "hunter2', "password: hunter2: x", "password: hunter2\npassword: hunter2"])
def test_a_password_in_a_broken_file_is_not_shown(load: Loader, text: str) -> None:
    found = load.message(text)
    assert "line " in found
    assert "hunter2" not in found


def test_the_schema_is_a_json_schema_that_names_every_key() -> None:
    schema = json.loads(config.schema())
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(Config.model_fields)
    assert "required" not in schema


def test_the_keys_are_those_of_the_contract() -> None:
    contract = """
        stage3_url stage3_keys stage3_sha256 sync linux_url linux_sha256 linux_keys kernel_ver kernel_conf
        kernel_fragments packages overlays binhosts accept_licenses username password ssh_keys embed_ramfs image_name
        ramfs_name compression firmware ram_budget command_keys signing_key offline work_dir cache_dir jobs
    """
    assert set(Config.model_fields) == set(contract.split())


@pytest.mark.parametrize("version", ["wip", "1.2", "1", "A", "1.2-rc1+git_7", "x" * 32])
def test_a_good_version_is_taken(version: str) -> None:
    assert config.check_version(version) == version


@pytest.mark.parametrize("version", ["", " ", "-1", ".1", "_", "+1", "1 2", "1/2", "1\n", "é1", "1~2", "1:2", "x" * 33])
def test_a_bad_version_is_refused(version: str) -> None:
    with pytest.raises(UserError, match="--version"):
        config.check_version(version)
