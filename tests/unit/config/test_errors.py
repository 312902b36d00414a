from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from alchemy.config import model
from alchemy.errors import UserError
from tests.unit import publickeys
from tests.unit.configs import HASH, SHA, TARBALL, Loader, ssh_key
from tests.unit.fakes import snapshot

BAD: Mapping[str, tuple[str, str]] = {
    # the file
    "broken YAML": ("packages: [core", "invalid YAML"),
    "broken indentation": ("username: a: b", "invalid YAML"),
    "a tab": ("packages:\n\t- core", "invalid YAML"),
    "a list": ("- packages", "expected a mapping of keys to values, got a list"),
    "a word": ("hello", "expected a mapping of keys to values, got a string"),
    "a key twice": ("username: a\njobs: 1\nusername: b", "duplicate key: username"),
    "a key twice in an overlay": ("overlays: [{url: 'https://h/o', url: 'https://h/p'}]", "duplicate key: url"),
    "a key twice in what is merged": (
        "jobs: 1\n<<: {username: a, username: b}",
        "duplicate key: username, line 2",
    ),
    "two merge keys": ("jobs: 1\n<<: {}\n<<: {}", "duplicate key: <<, line 3, column 1"),
    "a merge of a word": ("jobs: 1\n<<: core", "but found scalar, line 2, column 5"),
    "a list that contains itself": ("overlays: &a [*a]", "overlays.0: input should be a valid dictionary"),
    "a mapping that contains itself": ("sync: &a {method: *a}", "sync.method: input should be 'webrsync'"),
    "an anchor that is not there": ("jobs: *a", "undefined alias (quote a value that begins with *), line 1, column 7"),
    "a date that is a text": ("kernel_ver: !!timestamp today", "not a valid timestamp, line 1, column 13"),
    "an empty number": ("jobs: !!int ''", "not a valid int, line 1, column 7"),
    "an invalid truth value": ("offline: !!bool maybe", "not a valid bool, line 1, column 10"),
    "a NUL": ("jobs: 1\nusername: a\0b", "character #x0000 is not allowed, line 2, column 12"),
    "a tag that runs Python": ("username: !!python/object/apply:os.getcwd []", "invalid YAML"),
    "an invalid date": ("kernel_ver: 2026-13-45", "invalid YAML: not a valid timestamp, line 1, column 13"),
    "an invalid number": ("jobs: 0x_", "invalid YAML"),
    "a scalar tagged as a mapping": ("!!map core", "invalid YAML"),
    "very many brackets": ("packages: " + "[" * 400, "invalid YAML"),
    "lists in each other": ("packages: " + "[" * 4000 + "]" * 4000, "invalid YAML: nested too deeply"),
    # keys
    "an unknown key": ("colour: red", "colour: unknown key"),
    "a misspelt key": ("packags: [core]", "packags: unknown key; did you mean packages?"),
    "a key in capitals": ("Username: bob", "Username: unknown key; did you mean username?"),
    # the stage3 and the kernel
    "a stage3 of nowhere": ("stage3_url: gentoo", "stage3_url: must be debian:SUITE"),
    "a suite in capitals": ("stage3_url: debian:Trixie", "stage3_url: must be debian:SUITE"),
    "a suite that the embedded tree does not fit": (
        "stage3_url: debian:bookworm",
        "stage3_url: unsupported suite (expected debian:trixie, got debian:bookworm): the ebuilds of overlays/embedded",
    ),
    "no key for a tree that is verified": (
        f"{TARBALL}\nstage3_sha256: {SHA}\nstage3_keys: []\nsync: {{method: git, url: 'https://h/t'}}",
        "stage3_keys: must not be empty when sync verifies the tree (expected keys, or verify: false)",
    ),
    "a stage3 that is a number": ("stage3_url: 3", "stage3_url: must be text: quote it"),
    "another file than a tarball": ("stage3_url: https://example.org/stage3.iso", "stage3_url: must be debian:SUITE"),
    "a stage3 by FTP": ("stage3_url: ftp://example.org/stage3.tar.xz", "stage3_url: must be debian:SUITE"),
    "a stage3 with neither keys nor a digest": (
        f"{TARBALL}\nstage3_keys: []",
        "stage3_keys: must not be empty without stage3_sha256",
    ),
    "a key's short name": (f"{TARBALL}\nstage3_keys: ['0x2D182910']", "stage3_keys.0: must be a full fingerprint"),
    "a key's file that is not there": (f"{TARBALL}\nstage3_keys: [keys/me.asc]", "keys/me.asc: no such file"),
    "a short stage3's digest": (f"{TARBALL}\nstage3_sha256: {SHA[1:]}", "stage3_sha256: must be 64"),
    "a digest of a stage3 made here": (
        f"stage3_sha256: {SHA}",
        "stage3_sha256: only valid for a downloaded stage3 (debian:SUITE is built",
    ),
    "keys of a stage3 made here": ("stage3_keys: []", "stage3_keys: only valid for a downloaded stage3"),
    "a kernel of nowhere": ("linux_url: linux-6.12", "linux_url: must be debian:PACKAGE or"),
    "a kernel by FTP": (f"linux_url: ftp://example.org/l.tar.xz\nlinux_sha256: {SHA}", "linux_url: must be"),
    "a kernel in a zip": (f"linux_url: https://example.org/l.zip\nlinux_sha256: {SHA}", "linux_url: must be"),
    "a URL with a line's end": (
        f'linux_url: "https://example.org/l.tar.xz\\n"\nlinux_sha256: {SHA}',
        "linux_url: must be",
    ),
    "a tarball without a digest": (
        "linux_url: https://example.org/l.tar.xz",
        "linux_sha256: missing (expected for a kernel tarball",
    ),
    "a tarball without a key": (
        "linux_url: https://example.org/l.tar.xz\nlinux_keys: []",
        "linux_sha256: missing (expected for a kernel tarball, unless linux_keys",
    ),
    "a kernel's key that is a short name": (
        "linux_url: https://example.org/l.tar.xz\nlinux_keys: ['0x2D182910']",
        "linux_keys.0: must be a full fingerprint",
    ),
    "a kernel's key that is not there": (
        "linux_url: https://example.org/l.tar.xz\nlinux_keys: [keys/greg.asc]",
        "linux_keys: keys/greg.asc: no such file",
    ),
    "keys for Debian's kernel": ("linux_keys: ['keys/a']", "linux_keys: only valid when linux_url is a tarball"),
    "a digest of a commit": (
        f"linux_url: https://example.org/l.git\nlinux_sha256: {SHA}",
        "linux_sha256: only valid when linux_url is a tarball",
    ),
    "git by FTP": ("linux_url: ftp://example.org/l.git", "linux_url: must be a URL that begins with https://"),
    "a short digest": (f"linux_url: https://example.org/l.tar.xz\nlinux_sha256: {SHA[1:]}", "linux_sha256: must be 64"),
    "a digest in capitals": (f"linux_sha256: {SHA.upper()}", "linux_sha256: must be 64 lower-case"),
    "a kernel version with a blank": ("kernel_ver: 6.12 rc1", "kernel_ver: "),
    "a kernel version that is a number": ("kernel_ver: 6.12", "kernel_ver: must be text: quote it"),
    "a configuration that is not there": ('kernel_conf: "6.13"', "kernel_conf: 6.13: no file kernels/x86_64/6.13"),
    "a configuration nearly there": ('kernel_conf: "6.1"', "did you mean 6.1"),
    "a configuration that is a number": ("kernel_conf: 6.12", "kernel_conf: must be text: quote it"),
    "a version that is a number": ("kernel_ver: 6.10", "kernel_ver: must be text: quote it"),
    "a name that is true": ("username: yes", "username: must be text: quote it"),
    "an octal number": ("jobs: 010", "ambiguous number (write it without leading zeros, or quote it), line 1"),
    "a sexagesimal number": ("kernel_ver: 6:12", "ambiguous number"),
    "a configuration elsewhere": ("kernel_conf: ../6.12", "kernel_conf: must be a plain file name"),
    "a configuration that is documentation": ("kernel_conf: README.md", "kernel_conf: README.md"),
    "a configuration that is a list of devices": (
        "kernel_conf: fragments.alias",
        "kernel_conf: fragments.alias: no file kernels/x86_64/fragments.alias",
    ),
    "a fragment that is not there": ("kernel_fragments: [ipmy]", "kernel_fragments: ipmy: no file"),
    "a fragment nearly there": ("kernel_fragments: [ipmy]", "did you mean ipmi?"),
    "a fragment elsewhere": ("kernel_fragments: [a/b]", "kernel_fragments.0: must be a plain file name"),
    # packages
    "a set that is not there": ("packages: [core, storage]", "packages: storage: no file packages/packages."),
    "a set nearly there": ("packages: [cor]", "did you mean core?"),
    "a set elsewhere": ("packages: [core, ../core]", "packages.1: must be a plain file name"),
    "a set without a name": ("packages: ['']", "packages"),
    "a set that is a number": ("packages: [core, 1]", "packages.1: must be text: quote it"),
    "no packages": ("packages: []", "packages: "),
    "packages that are a word": ("packages: core", "packages: "),
    "packages that are a mapping": ("packages: {core: true}", "packages: "),
    "a licence that is two words": ("accept_licenses: [EULA and more]", "accept_licenses.0: "),
    "a profile above its repository": ("profile: default/../../x", "profile.0: "),
    "a profile from the root": ("profile: /var/db/repos/gentoo/profiles/default", "profile.0: "),
    "a profile of two repositories": ("profile: ['a:b:c']", "profile.0: "),
    "a profile without a name": ("profile: ['a:']", "profile.0: "),
    "a profile that is a number": ("profile: 23.0", "profile: "),
    "firmware from the root": ("firmware: [/lib/firmware/bnx2]", "firmware.0: must be a pattern of names below"),
    "firmware from above": ("firmware: [a/../../b]", "firmware.0: must be a pattern of names below"),
    "firmware without a name": ("firmware: ['']", "firmware.0: must be a pattern of names below"),
    # the admin user
    "root": ("username: root", "username: must not be root"),
    "an account of the system": ("username: sshd", "username: must not be sshd, a system account"),
    "a group of the system": ("username: wheel", "username: must not be wheel"),
    "a name in capitals": ("username: Bob", "username: must be a login name"),
    "a name that begins with a digit": ("username: 9lives", "username: must be a login name"),
    "a long name": ("username: " + "a" * 32, "username: must be a login name"),
    "a name with a line's end": ('username: "bob\\n"', "username: must be a login name"),
    "a name with a colon": ("username: 'a:b'", "username: must be a login name"),
    "an empty password": ("password: ''", "password: must be one line and not empty"),
    "a password of two lines": ('password: "a\\nb"', "password: must be one line"),
    "a password and its hash": (
        f"password: a\npassword_hash: {HASH}",
        "password_hash: conflicts with password (expected one of them)",
    ),
    "a hash that is a password": (
        "password_hash: hunter2",
        "password_hash: must be a complete crypt(5) hash (expected yes",
    ),
    "a hash of MD5": (
        "password_hash: $1$salt$qJH7.N4xYta3aEG/dfqo/0",
        "password_hash: must be a complete crypt(5) hash",
    ),
    "a locked image that nobody could log in to": ("locked: true", "locked: nobody could log in (expected ssh_keys,"),
    "a locked image without a key": ("locked: true\nssh_keys: []", "locked: nobody could log in"),
    "microcode in an embedded ramfs": ("embed_ramfs: true\nmicrocode: true", "microcode: conflicts with embed_ramfs"),
    "a lock that is a word": ("locked: 'yes'", "locked: input should be a valid boolean"),
    "a password that is a number": ("password: 12345", "password: must be text: quote it"),
    "a key that is a text": ("ssh_keys: [hello]", "ssh_keys.0: must be an OpenSSH public key"),
    "a key that is a file": ("ssh_keys: [~/.ssh/id_ed25519.pub]", "ssh_keys.0: must be an OpenSSH public key"),
    "a key that is the private one": ("ssh_keys: [-----BEGIN OPENSSH PRIVATE KEY-----]", "ssh_keys.0: must be"),
    "a key cut short": ("ssh_keys: [ssh-ed25519 AAAAC3NzaC1lZ]", "ssh_keys.0: "),
    "a key whose base64 is broken": (
        "ssh_keys: [ssh-ed25519 AAAAC3NzaC1lZD=]",
        "ssh_keys.0: corrupt SSH key (invalid base64",
    ),
    "a key of another type": (
        f"ssh_keys: ['{ssh_key()}', '{ssh_key(outer='ssh-rsa')}']",
        "ssh_keys.1: corrupt SSH key (expected type ssh-rsa, got ssh-ed25519)",
    ),
    "a key wrapped by an editor": (
        f"ssh_keys:\n  - {publickeys.RSA_2048[:200]}\n    {publickeys.RSA_2048[200:]} admin@example.com",
        "ssh_keys.0: truncated SSH key (expected a field of 257 bytes, got ",
    ),
    "a cut key": (f"ssh_keys: ['{publickeys.RSA_2048[:208]}']", "ssh_keys.0: truncated SSH key"),
    "a cut key for commands": (f"command_keys: ['{publickeys.RSA_2048[:208]}']", "command_keys.0: truncated SSH key"),
    "two keys in one": (f'ssh_keys: ["{ssh_key()}\\n{ssh_key()}"]', "ssh_keys.0: must be an OpenSSH public key"),
    "keys that are a word": (f"ssh_keys: {ssh_key()}", "ssh_keys: "),
    "an invalid key for commands": ("command_keys: [hello]", "command_keys.0: must be an OpenSSH public key"),
    # the output
    "an image elsewhere": ("image_name: out/alchemy.img", "image_name: must be a plain file name"),
    "an image above": ("image_name: ..", "image_name: must be a plain file name"),
    "an image that is hidden": ("image_name: .img", "image_name: must be a plain file name"),
    "an image without a name": ("image_name: ''", "image_name: "),
    "an image with a blank, which iPXE takes for two words": ("image_name: my image", "image_name: "),
    "an image with a line's end": ('image_name: "a\\nb"', "image_name: "),
    "an image named as the manifest": ("image_name: manifest.json", "image_name: "),
    "a ramfs named as the boot script": ("ramfs_name: boot.ipxe", "ramfs_name: "),
    "a ramfs named as the list of drivers": ("ramfs_name: modules.alias", "ramfs_name: conflicts with another file"),
    "an image named as the script for GRUB": ("image_name: grub.cfg", "image_name: conflicts with another file"),
    "a ramfs named as the folder for pxelinux": ("ramfs_name: pxelinux.cfg", "ramfs_name: conflicts with another file"),
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
    "an unknown method": (f"{TARBALL}\nsync: {{method: cvs}}", "sync.method: input should be 'webrsync', 'git'"),
    "a misspelt key of sync": (
        f"{TARBALL}\nsync: {{method: git, url: file:///t, brunch: main}}",
        "sync.brunch: unknown key; did you mean branch?",
    ),
    "git without a URL": (f"{TARBALL}\nsync: {{method: git}}", "sync: url: missing (expected for method git)"),
    "rsync without a URL": (f"{TARBALL}\nsync: {{method: rsync}}", "sync: url: missing (expected for method rsync)"),
    "git by rsync": (f"{TARBALL}\nsync: {{method: git, url: rsync://h/t}}", "sync: url: must be a URL that begins"),
    "git by ssh's short form": (f"{TARBALL}\nsync: {{method: git, url: 'git@h:t'}}", "sync: url: must be a URL"),
    "a URL that is an option": (f"{TARBALL}\nsync: {{method: git, url: --upload-pack=x}}", "sync: url: must be a URL"),
    "a branch of webrsync": (
        f"{TARBALL}\nsync: {{method: webrsync, branch: x}}",
        "sync: branch: unsupported by method",
    ),
    "a branch that is an option": (
        f"{TARBALL}\nsync: {{method: git, url: file:///t, branch: --x}}",
        "sync.branch: must be the name of a branch or tag",
    ),
    "a short commit": (
        f"{TARBALL}\nsync: {{method: git, url: file:///t, commit: 0123abc}}",
        "sync.commit: must be a full commit",
    ),
    "a tree for a stage3 made here": ("sync: {method: webrsync}", "sync: only valid for a downloaded stage3"),
    # credentials in URLs
    "a stage3 with a password": (
        "stage3_url: https://ci:s3cret@h.example/stage3.tar.xz",
        "stage3_url: must not contain credentials, as URLs are published: write `machine h.example login USER password",
    ),
    "a pointer with a token": ("stage3_url: https://s3cret@h/latest.txt", "stage3_url: must not contain credentials"),
    "a kernel with a password": (
        f"linux_url: https://ci:s3cret@h/l.tar.xz\nlinux_sha256: {SHA}",
        "linux_url: must not contain credentials",
    ),
    "a kernel in git with a token": ("linux_url: https://s3cret@h/l.git", "linux_url: must not contain credentials"),
    "a tree with a password": (
        f"{TARBALL}\nsync: {{method: git, url: 'https://ci:s3cret@h:8443/t'}}",
        "sync: url: must not contain credentials, as URLs are published: write `machine h login USER password",
    ),
    "a mirror with a password": (
        f"{TARBALL}\nsync: {{method: webrsync, url: 'http://ci:s3cret@h'}}",
        "sync: url: must not contain credentials",
    ),
    "rsync with a password": (
        f"{TARBALL}\nsync: {{method: rsync, url: 'rsync://ci:s3cret@h/t'}}",
        "sync: url: must not contain credentials",
    ),
    "an overlay with a password": (
        "overlays: ['https://ci:s3cret@h/o']",
        "overlays.0.url: must not contain credentials",
    ),
    "an overlay with a token": (
        "overlays: [{url: 'https://s3cret@h/o', branch: x}]",
        "overlays.0.url: must not contain credentials",
    ),
    "an overlay by ssh with a password": (
        "overlays: ['ssh://git:s3cret@h/o']",
        "overlays.0.url: must not contain credentials, as URLs are published: use an SSH key, and ssh://git@h/",
    ),
    "an overlay by git's own way with a user": ("overlays: ['git://s3cret@h/o']", "overlays.0.url: must not contain"),
    "an overlay with a password twice": (
        "overlays: ['https://ci:s3cret@h/o', 'https://ci:s3cret@h/o']",
        "overlays.1.url: must not contain credentials",
    ),
    "a password with an @": ("overlays: ['https://ci:s3@cret@h/o']", "overlays.0.url: must not contain credentials"),
    "a password with a /": ("overlays: ['https://ci:s3/s3cret@h/o']", "overlays.0.url: must have HOST or HOST:PORT"),
    "a user behind the encoding": ("overlays: ['https://ci%3As3cret%40h/o']", "overlays.0.url: must have HOST"),
    "a token in a query": (
        "overlays: ['https://h/o?private_token=s3cret']",
        "overlays.0.url: must not contain a query",
    ),
    "a stage3 with a token in a query": (
        "stage3_url: https://h/get?token=s3cret&f=/stage3.tar.xz",
        "stage3_url: must not contain a query",
    ),
    "a host behind a backslash": ("overlays: ['https://s3cret\\@h/o']", "overlays.0.url: must not contain a query"),
    "a host that is an option": ("overlays: ['ssh://-oProxyCommand=s3cret/o']", "overlays.0.url: must have HOST"),
    "a user that is an option": ("overlays: ['ssh://-os3cret@h/o']", "overlays.0.url: must have HOST"),
    "a binhost with a password": (
        "binhosts: ['https://ci:s3cret@h/b']",
        "binhosts.0: must not contain credentials, as URLs are published: Portage cannot log in",
    ),
    "a key that is a URL with a password": ("https://ci:s3cret@h/o: x", "…@h/o: unknown key"),
    # overlays
    "an overlay that is a folder": ("overlays: [/srv/overlay]", "overlays.0.url: must be a URL that begins with"),
    "an overlay without a URL": ("overlays: [{branch: main}]", "overlays.0.url: field required"),
    "an overlay that is a number": ("overlays: [3]", "overlays.0: "),
    "a misspelt key of an overlay": (
        "overlays: [{url: 'https://h/o', comit: x}]",
        "overlays.0.comit: unknown key; did you mean commit?",
    ),
    "an overlay of an abbreviated commit": (
        "overlays: [{url: 'https://h/o', commit: 0abc}]",
        "overlays.0.commit: must be a full commit",
    ),
    "overlays that are a word": ("overlays: https://h/o", "overlays: must be a list"),
    "an overlay twice": ("overlays: ['https://h/o', {url: 'https://h/o'}]", "overlays: duplicate overlay: https://h/o"),
    # binary packages
    "a binhost that is a folder": ("binhosts: [/srv/binpkgs]", "binhosts.0: must be a URL that begins with https://"),
    "a binhost by ssh": ("binhosts: ['ssh://h/binpkgs']", "binhosts.0: must be a URL that begins with https://"),
    "binhosts that are a word": ("binhosts: https://h/binpkgs", "binhosts: must be a list"),
    # sources
    "a mirror by ftp": ("mirrors: ['ftp://h/gentoo']", "mirrors.0: must be a URL that begins with https://, http://"),
    "a mirror of sources with a password": (
        "mirrors: ['https://ci:s3cret@h/d']",
        "mirrors.0: must not contain credentials",
    ),
    "a mirror without a name": ("mirrors: [' ']", "mirrors.0: must be a URL (https, http) or a folder"),
    "mirrors that are a word": ("mirrors: /srv/distfiles", "mirrors: must be a list"),
    "an embedded ramfs": ("embed_ramfs: 1", "embed_ramfs: input should be a valid boolean"),
    "a signing key": ("signing_key: missing", "signing_key: missing: no such file"),
    "half a fingerprint": ("signing_key: DEADBEEF", "signing_key: must be a full fingerprint"),
    "a budget": ("ram_budget: 0", "ram_budget: input should be greater than or equal to 1"),
}


@pytest.mark.parametrize(("text", "fragment"), BAD.values(), ids=BAD.keys())
def test_a_bad_configuration_is_refused_with_a_message_that_names_the_key(
    load: Loader, text: str, fragment: str
) -> None:
    found = load.message(text)
    assert fragment in found
    assert "s3cret" not in found


def test_a_refused_configuration_changes_no_file(root: Path) -> None:
    (root / "config.yml").write_text("jobs: 0", encoding="utf-8")
    before = snapshot(root)
    with pytest.raises(UserError):
        model.load(root, {})
    assert snapshot(root) == before


def test_all_mistakes_are_reported_together(load: Loader) -> None:
    found = load.message("jobs: 0\nusername: root\ncolour: red\npackages: [cor]\nimage_name: a/b\noffline: 1\n")
    for key in ("jobs", "username", "colour", "packages", "image_name", "offline"):
        assert len(re.findall(rf"^  {key}: ", found, re.MULTILINE)) == 1


def test_a_mistake_has_a_hint(load: Loader) -> None:
    with pytest.raises(UserError) as caught:
        load("jobs: 0")
    assert "config.yml.example" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["folder", "missing", "folder/missing"])
def test_a_file_that_cannot_be_read_is_named(shared_root: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=f"{tmp_path / name}: cannot be read"):
        model.load(shared_root, {"ALCHEMY_CONFIG": str(tmp_path / name)})


def test_a_file_that_is_not_utf8_is_named(root: Path) -> None:
    (root / "config.yml").write_bytes(b"username: \xff\n")
    with pytest.raises(UserError, match=r"config\.yml: cannot be read"):
        model.load(root, {})
