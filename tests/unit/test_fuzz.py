"""Everything that parses what others wrote, given nearly what it expects: it takes that, or refuses it with a message.

test.unit tries the same examples each time, and test.exhaustive `ALCHEMY_TEST_EXAMPLES` random ones for each parser.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alchemy import errors
from alchemy.config import lockfile, model, sshkeys
from alchemy.errors import BuildError, UserError, VerificationError
from alchemy.fetch import openpgp, python_index
from alchemy.fetch.openpgp import Keyring
from alchemy.host import files, mounts
from alchemy.parts import firmware, memory, modules, package_sizes
from alchemy.portage import binhosts, binpkgs, preflight, repositories, scripts, soundness
from alchemy.portage.settings import Package, installed, read_set, with_sources
from alchemy.stages import kernel
from alchemy.stages.gentoo_release import parse_digests, parse_pointer
from tests.unit.vmlinux import module

KEY = "13EBBDBEDE7A12775DFDB1BABB572E0E2D182910"
KEYRING = Keyring(frozenset({KEY}), ())
PACKAGE = Package("app-misc", "bugfoo", "1.0", "0", "mine", (), "MIT", 1)

# for each parser
EXAMPLES = 25
RANDOM_EXAMPLES = int(os.environ.get("ALCHEMY_TEST_EXAMPLES", "2000"))

Parser = Callable[[Path, bytes], object]


def in_file(name: str, parse: Callable[[Path], object]) -> Parser:
    """Writes the content to a file of a folder, and hands over the folder."""

    def parser(folder: Path, content: bytes) -> object:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return parse(folder)

    return parser


def as_text(parse: Callable[[str], object]) -> Parser:
    return lambda _, content: parse(content.decode(errors="surrogateescape"))


def configuration(folder: Path) -> object:
    for name in ("packages/packages.core", "kernels/x86_64/6.12"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return model.load(folder, {})


def database(name: str) -> Parser:
    """An entry of Portage's database, of a package that is installed with the file /usr/bin/x."""

    def parse(folder: Path) -> object:
        tree, entries = folder / "tree", folder / "db"
        (tree / "usr/bin").mkdir(parents=True, exist_ok=True)
        (tree / "usr/bin/x").touch()
        (tree / "var/db").mkdir(parents=True, exist_ok=True)
        (tree / "var/db/pkg").unlink(missing_ok=True)
        (tree / "var/db").rmdir()
        (tree / "var").rmdir()
        entry = entries / "app-misc/bugfoo-1.0"
        for other in ("SLOT", "CONTENTS", "COUNTER"):
            if not (entry / other).exists():
                (entry / other).write_text("0\n", encoding="ascii")
        results = [memory.sizes(tree, entries), package_sizes.weigh(tree, entries)]
        (tree / "var/db").mkdir(parents=True)
        entries.rename(tree / "var/db/pkg")
        return [
            *results,
            installed(tree),
            binpkgs.installed(tree),
            list(soundness._shared_files(tree)),
        ]

    return in_file(f"db/app-misc/bugfoo-1.0/{name}", parse)


ELF = Path("/bin/true").read_bytes()
POINTER = b"# Latest as of Sun, 22 Nov 2026\n# ts=1764000000\n20261122T170000Z/stage3-amd64-openrc.tar.xz 300\n"
STATUS = f"[GNUPG:] GOODSIG BB57 x\n[GNUPG:] VALIDSIG {KEY} 2026 1 0 4 0 1 10 00 {KEY}\n".encode()
MANIFEST = (
    b"-----BEGIN PGP SIGNED MESSAGE-----\nDIST x-1.tar.gz 3 BLAKE2B aa SHA512 bb\nEBUILD x 1 SHA512 cc\nIGNORE y\n"
)
ANSWER = (
    b'{"said": "", "refusal": "", "demands": [{"package": "a/b-1", "page": "x", "files": ["f"], "unknown": [],'
    b' "licences": ["EULA"]}], "sources": [{"package": "a/b-1", "file": "b-1.tar.gz", "size": 3,'
    b' "digests": {"SHA512": "'
    + b"0" * 128
    + b'"}, "places": [["uri", "https://example.org/b-1.tar.gz"]]}], "binaries": []}'
)

# each parser with a content that it takes
PARSERS: dict[str, tuple[Parser, bytes]] = {
    "a pointer": (as_text(lambda text: parse_pointer(text, "https://example.org/a/latest.txt")), POINTER),
    "a list of digests": (
        as_text(lambda text: parse_digests(text, "x")), b"# SHA512 HASH\naa  x\n# BLAKE2B HASH\nbb *./x\n",
    ),
    "the status of gpg": (as_text(lambda text: openpgp.verify_status(KEYRING, text, "x")), STATUS),
    "keys of config.yml": (
        in_file("config.yml", configuration), b"# x\nusername: smith\nssh_keys: []\njobs: 8\nembed_ramfs: false\n",
    ),
    "overlays of config.yml": (
        in_file("config.yml", configuration),
        b"overlays: [&a {url: 'https://x/y.git', branch: b}, {<<: *a, url: 'https://x/z.git'}]\nsync: {method: none}\n",
    ),
    "alchemy.lock": (
        in_file("alchemy.lock", lockfile.load), b"stage3: {digest: a, inputs: {b: c}, pin: {d: e}, files: {f: g}}\n",
    ),
    "a package set": (in_file("x", lambda folder: read_set(folder / "x")), b"a/b # c\n=a/b-1:0::r[d]\n"),
    "a commented list": (in_file("x", lambda folder: files.lines(folder / "x")), b"\xef\xbb\xbfa # b\r\n\n\xfc\n"),
    "a kernel configuration": (
        in_file("x", lambda folder: kernel.read_config([folder / "x"])),
        b'CONFIG_X=y\n# CONFIG_Y is not set\nCONFIG_Z="a"\n',
    ),
    "a Manifest": (
        in_file("app-misc/bugfoo/Manifest", lambda folder: with_sources([PACKAGE], {"mine": folder})), MANIFEST,
    ),
    "repo_name": (in_file("profiles/repo_name", repositories.name_of), b"mine\n"),
    "layout.conf": (
        in_file("metadata/layout.conf", lambda folder: (repositories.masters(folder), repositories.name_of(folder))),
        b"repo-name = mine\nmasters = gentoo other # x\n",
    ),
    "PF of the database": (database("PF"), b"bugfoo-1.0_p3-r4\n"),
    "SIZE of the database": (database("SIZE"), b"123\n"),
    "USE of the database": (database("USE"), b"a -b elibc_glibc\n"),
    "SLOT of the database": (database("SLOT"), b"0/1.2\n"),
    "COUNTER of the database": (database("COUNTER"), b"12\n"),
    "CONTENTS of the database": (
        database("CONTENTS"),
        b"dir /usr\nobj /usr/bin/x d41d8cd98f00b204e9800998ecf8427e 1\nobj /a b c 1\nsym /l -> /usr/bin/x 1\nfif /f\n",
    ),
    "a program": (in_file("x", lambda folder: soundness._read_elf(folder / "x")), ELF),
    "a script": (
        in_file("x", lambda folder: scripts.missing_interpreter(folder, folder / "x")), b"#!/usr/bin/env -S a=b sh\n",
    ),
    "ld.so.conf": (
        in_file("etc/ld.so.conf", soundness.loader_folders), b"include ld.so.conf.d/*.conf\n/usr/lib64 # x\n",
    ),
    "a module": (in_file("x.ko", modules.modinfo), module(b"alias=pci:v00001234d*\0firmware=a/b.bin\0")),
    "modinfo": (lambda _, content: firmware.asked_for(content), b"tg3.firmware=tigon/tg3.bin\0a.b=c\0"),
    "/proc/mounts": (as_text(mounts.parse), b"/dev/sda1 /mnt/a\\040b ext4 rw 0 0\n"),
    "the answer of Portage": (as_text(preflight._read), ANSWER),
    "an index of binary packages": (
        in_file("x", lambda folder: binhosts._read(
            "https://example.org", folder, "/mnt/x", (folder / "x").read_bytes().decode(errors="replace"),
        )),
        b"URI: https://example.org/a\nPACKAGES: 1\n\nCPV: a/b-1\nPATH: a/b/b-1-1.gpkg.tar\nSIZE: 3\nSHA1: aa\n\n",
    ),
    "an index page": (
        lambda _, content: python_index.parse_page(content, "https://example.org/simple/x/"),
        b'<html><a href="../x-1.tar.gz#sha256=aa">x</a><a href="http://[::1">y</a><a>z</a>',
    ),
    "a JSON index page": (
        lambda _, content: python_index.parse_page(content, "https://example.org/simple/x/"),
        b'{"files": [{"url": "x-1.tar.gz", "hashes": {"sha256": "aa"}}]}',
    ),
    "the configuration of pip": (
        as_text(python_index.parse_configuration), b"global.index-url='https://x/simple'\ninstall.find-links='\\na\\nb'\n",
    ),
    "text for the terminal": (as_text(errors.visible), b"a\x1b]52;c;x\x07b https://u:p@h/ \xe2\x80\xae\x9b2J\n"),
    "an SSH key": (
        as_text(lambda text: refusal(sshkeys.check, text)),
        b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl a@b",
    ),
}  # fmt: skip


def refusal(check: Callable[[str], object], value: str) -> object:
    """What a check returns; it refuses by ValueError, of which pydantic makes a message."""
    try:
        return check(value)
    except ValueError as error:
        return str(error)


INTERESTING = [
    b"", b"\0", b"\n", b"\r\n", b" ", b"\t", b":", b"/", b"..", b"#", b"'", b'"', b"{", b"[", b"&a ", b"*a", b"!!x",
    b"<<", b"-", b"\xff", b"\xc3\x28", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"9" * 30, b"1e999", b"\x1b[2J", b"a" * 500,
    struct.pack("<Q", 2**64 - 1), struct.pack("<I", 2**31),
]  # fmt: skip


@st.composite
def mangled(draw: st.DrawFn, content: bytes) -> bytes:
    """The content after a few edits: a part removed, repeated, or something put in its place."""
    for _ in range(draw(st.integers(0, 6))):
        begin = draw(st.integers(0, len(content)))
        end = min(len(content), begin + draw(st.integers(0, 40)))
        part = content[begin:end]
        put = draw(st.one_of(st.sampled_from(INTERESTING), st.binary(max_size=8), st.just(part * 2), st.just(b"")))
        content = content[:begin] + put + content[end:]
    return content


_FUZZING = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def try_parser(name: str, data: st.DataObject) -> None:
    """Gives a parser a mangled example. Fails for an exception that neither user nor author of the file can mend."""
    parse, content = PARSERS[name]
    with (
        tempfile.TemporaryDirectory(prefix="alchemy-fuzz-") as folder,
        suppress(UserError, BuildError, VerificationError),
    ):
        parse(Path(folder), data.draw(mangled(content)))


@pytest.mark.parametrize("name", PARSERS)
@settings(_FUZZING, max_examples=EXAMPLES, derandomize=True)
@given(data=st.data())
def test_what_others_wrote_is_taken_or_refused_with_a_message(name: str, data: st.DataObject) -> None:
    try_parser(name, data)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", PARSERS)
@settings(_FUZZING, max_examples=RANDOM_EXAMPLES)
@given(data=st.data())
def test_random_examples_are_taken_or_refused_with_a_message(name: str, data: st.DataObject) -> None:
    try_parser(name, data)


@pytest.mark.parametrize("name", PARSERS)
def test_each_parser_takes_what_it_is_made_for(name: str, tmp_path: Path) -> None:
    """Or the fuzzing is of its first line only."""
    parse, content = PARSERS[name]
    parse(tmp_path, content)
