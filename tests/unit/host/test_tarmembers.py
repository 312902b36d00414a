"""What GNU tar and we may read differently is refused."""

from __future__ import annotations

import gzip
import io
import os
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alchemy.context import Context
from alchemy.errors import VerificationError
from alchemy.host import tarball, tarmembers
from alchemy.host.tarmembers import Kind, RefusedError
from tests.lib.tars import END, FIELDS, GNU, POSIX, V7, file, header, long_name, octal, pax, record, summed

SMUGGLED = file(b"SMUGGLED") + header(b"SMUGlink", type=b"2", target=b"../../../../etc")

REFUSED: Mapping[str, tuple[bytes, str]] = {
    "headers in a file whose name ends in a slash": (file(b"dir/", SMUGGLED) + file(b"a"), "its name ends in a slash"),
    "the same in a contiguous file": (file(b"dir/", SMUGGLED, type=b"7") + file(b"a"), "of an unknown type b'7'"),
    "the same in an old file": (file(b"dir/", SMUGGLED, type=b"\0") + file(b"a"), "its name ends in a slash"),
    "the same by a pax path": (pax((b"path", b"dir/")) + file(b"a", SMUGGLED), "its name ends in a slash"),
    "the same by a long name": (long_name(b"dir/") + file(b"a", SMUGGLED, magic=GNU), "its name ends in a slash"),
    "a link whose name ends in a slash": (header(b"l/", type=b"2", target=b"x"), "its name ends in a slash"),
    "members behind a bad checksum": (file(b"a") + header(b"b", checksum=b"000000\0 ") + SMUGGLED, "a wrong checksum"),
    "a checksum of signed bytes": (header(b"\xe9", checksum=b"006317\0 "), "a wrong checksum"),
    "a lone block of zeros": (file(b"a") + bytes(512) + SMUGGLED, "a lone block of zeros"),
    "members behind the end": (file(b"a") + END + SMUGGLED, "data after the end of the archive"),
    "a byte behind the end": (file(b"a") + END + bytes(511) + b"x", "data after the end of the archive"),
    "a folder with a size": (header(b"d", type=b"5", size=octal(512)) + bytes(512), "is not a file, and has a size"),
    "a link with a size": (header(b"l", type=b"2", target=b"x", size=octal(512)), "is not a file, and has a size"),
    "a hard link with a size": (file(b"a") + file(b"l", type=b"1", target=b"a"), "is not a file, and has a size"),
    "a size that is negative": (header(b"a", size=b"-0000000001\0"), "not octal: b'-0000000001"),
    "a size in base 256": (header(b"a", size=b"\x80" + bytes(10) + b"\1"), "not octal"),
    "a negative size in base 256": (header(b"a", size=b"\xff" * 12), "not octal"),
    "an owner in base 256": (header(b"a", uid=b"\x80" + bytes(6) + b"\1"), "not octal"),
    "a size with a NUL inside": (header(b"a", size=b"0000\x000000001"), "not octal"),
    "a size that is blank": (header(b"a", size=bytes(12)), "not octal"),
    "a device without a number": (header(b"dev/x", type=b"3", major=bytes(8)), "not octal"),
    "a pax size that is another": (pax((b"size", b"5")) + file(b"a"), "has two sizes"),
    "a pax size that is huge": (pax((b"size", b"9" * 20)) + file(b"a"), "an unsupported pax record: 'size'"),
    "a pax size that is negative": (pax((b"size", b"-1")) + file(b"a"), "an unsupported pax record: 'size'"),
    "two pax headers": (pax((b"path", b"b")) * 2 + file(b"a"), "duplicate headers of extensions"),
    "a pax header behind a long name": (long_name(b"b") + pax((b"mtime", b"1")) + file(b"a"), "duplicate headers"),
    "a long name behind a pax path": (pax((b"path", b"c")) + long_name(b"b") + file(b"a"), "duplicate headers"),
    "two long names": (long_name(b"b") + long_name(b"c") + file(b"a"), "duplicate headers of extensions"),
    "two paths in a pax header": (pax((b"path", b"b"), (b"path", b"c")) + file(b"a"), "two values of 'path'"),
    "a global path": (pax((b"path", b"b"), kind=b"g") + file(b"a"), "a global pax header with more than a comment"),
    "a global header in between": (
        pax((b"mtime", b"1")) + pax((b"comment", b"x"), kind=b"g") + file(b"a"),
        "a global pax header",
    ),
    "a pax header without a member": (file(b"a") + pax((b"path", b"b")), "a header of extensions without a member"),
    "a NUL in a pax path": (pax((b"path", b"b\0c")) + file(b"a"), "an unsupported pax record: 'path'"),
    "an empty pax path": (pax((b"path", b"")) + file(b"a"), "an unsupported pax record: 'path'"),
    "a character set": (pax((b"hdrcharset", b"BINARY")) + file(b"a"), "an unsupported pax record: 'hdrcharset'"),
    "a sparse file as GNU has it": (file(b"a", type=b"S", magic=GNU), "of an unknown type b'S'"),
    "a sparse file as pax has it": (pax((b"GNU.sparse.major", b"1")) + file(b"a"), "'GNU.sparse.major'"),
    "a name of a sparse file": (pax((b"GNU.sparse.name", b"b")) + file(b"a"), "'GNU.sparse.name'"),
    "a sparse file as star has it": (pax((b"SCHILY.realsize", b"9")) + file(b"a"), "'SCHILY.realsize'"),
    "a pax record that is too long": (file(b"x", b"99 path=b\n", type=b"x") + file(b"a"), "a malformed pax header"),
    "a pax record without an end": (file(b"x", b"9 path=bc", type=b"x") + file(b"a"), "a malformed pax header"),
    "a pax record of no length": (file(b"x", b"0 path=b\n", type=b"x") + file(b"a"), "a malformed pax header"),
    "a huge pax header": (header(b"x", type=b"x", size=octal(1 << 30)), "1073741824 bytes"),
    "a long name without an end": (file(b"x", b"b", type=b"L", magic=GNU) + file(b"a"), "a long name that does not"),
    "a NUL in a long name": (long_name(b"b\0c") + file(b"a"), "a NUL inside of a name"),
    "a NUL in a name": (file(b"a\0b"), "a NUL inside of a name"),
    "a newline in a name": (file(b"a\nb"), "a control character in its name"),
    "an escape in a name": (file(b"a\x1b[2J"), "a control character in its name"),
    "a newline in a pax path": (pax((b"path", b"a\nb")) + file(b"a"), "a control character in its name"),
    "a newline in a link": (header(b"a", type=b"2", target=b"b\nc"), "a control character in its name"),
    "no name": (file(b""), "has an empty name"),
    "a long path": (long_name(b"a/" * 2000 + b"b") + file(b"a"), "or one that is too long"),
    "a link to nothing": (header(b"a", type=b"2"), "has an empty name"),
    "a prefix in GNU's format": (file(b"a", magic=GNU, prefix=b"etc"), "a header with an unknown extension"),
    "a prefix in the oldest format": (file(b"a", magic=V7, prefix=b"etc"), "a header with an unknown extension"),
    "star's format": (file(b"a", rest=b"\0" * 8 + b"tar\0"), "a header with an unknown extension"),
    "another magic": (file(b"a", magic=b"USTAR\x0000"), "an unknown magic"),
    "a dump of a folder": (file(b"a", type=b"D", magic=GNU), "of an unknown type b'D'"),
    "a member of several volumes": (file(b"a", type=b"M", magic=GNU), "of an unknown type b'M'"),
    "a name of a volume": (file(b"a", b"", type=b"V", magic=GNU), "of an unknown type b'V'"),
    "a duplicate": (file(b"a") + file(b"a"), "its member a is a duplicate"),
    "a duplicate by another name": (file(b"a") + file(b"./a"), "its member ./a is a duplicate"),
    "a link in the place of a folder": (
        header(b"d", type=b"5") + header(b"d", type=b"2", target=b"x"),
        "its member d is a duplicate",
    ),
    "a file behind a link": (
        header(b"d", type=b"5") + header(b"l", type=b"2", target=b"d") + file(b"l/x"),
        "its member l/x is reached over a link to d",
    ),
    "a file below a file": (file(b"a") + file(b"a/b"), "is below a file that is not a folder"),
    "a name that is not plain": (file(b"a/./b"), "has a name that is not plain"),
    "a file as the root": (file(b"."), "takes the place of the root"),
}


def packed(folder: Path, content: bytes) -> Path:
    path = folder / "t.tar.gz"
    path.write_bytes(gzip.compress(content, 1))
    return path


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_tar_that_may_be_read_in_two_ways_is_refused(
    context: Context, tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(VerificationError) as caught:
        tarball.check(context, packed(tmp_path, content + END), "t")
    assert caught.value.message.startswith("t: refused: ")
    assert message in caught.value.message


@pytest.mark.parametrize("end", [0, 512, 1023])
def test_a_tar_without_its_end_is_truncated(context: Context, tmp_path: Path, end: int) -> None:
    with pytest.raises(VerificationError, match="t: truncated or corrupt tarball: truncated"):
        tarball.check(context, packed(tmp_path, file(b"a") + bytes(end)), "t")


FINE: Mapping[str, bytes] = {
    "GNU's format": header(b"d/", type=b"5", magic=GNU, major=b"", minor=b"") + file(b"d/a", magic=GNU),
    "the oldest format": file(b"a", magic=V7, type=b"\0", major=b"", minor=b""),
    "a prefix": file(b"b", prefix=b"a"),
    "long names": long_name(b"x" * 200) + long_name(b"y" * 200, b"K") + header(b"x", type=b"2", target=b"y", magic=GNU),
    "pax records": pax(
        (b"path", "é".encode()), (b"mtime", b"-1.25"), (b"size", b"4"), (b"SCHILY.xattr.user.x", b"\0\n=")
    )
    + file(b"a"),
    "a commit of git": pax((b"comment", b"0123abcd"), kind=b"g") + file(b"a"),
    "all kinds": file(b"a")
    + header(b"l", type=b"2", target=b"/x")
    + header(b"h", type=b"1", target=b"a")
    + header(b"p", type=b"6")
    + header(b"dev/", type=b"5"),
    "a root": header(b"./", type=b"5") + file(b"./a"),
}


@pytest.mark.parametrize("content", FINE.values(), ids=FINE.keys())
@pytest.mark.parametrize("padding", [0, 512, 10240])
def test_a_tar_as_others_make_them_is_fine(context: Context, tmp_path: Path, content: bytes, padding: int) -> None:
    tarball.check(context, packed(tmp_path, content + END + bytes(padding)), "t")


# ── held against GNU tar ─────────────────────────────────────────────────────────────────────────────────────────

NAMES = st.sampled_from(
    [b"a", b"b", b"a/", b"a/b", b"b/a", b"./a", b"./", b".", b"a//b", b"a/.", b"/a", b"../a", b"a/../b", b"", b"dev/a",
     b"a\0b", b"a\n", b"\xe9", b"\xc3\xa9", b"x" * 100, b"a/" * 60 + b"b", b"a ", b" a", b"-a", b"a\\n", b"*"]
)  # fmt: skip
NUMBERS = st.sampled_from(
    [b"0", b"4", b"00000000004\0", b"00000001000\0", b"1000", b" 4", b"4 ", b"4\x004", b"-1", b"", b" ", b"8", b"+4",
     b"\x80" + bytes(10) + b"\4", b"\xff" * 12, b"777777777777", b"0x4", b"4\n"]
)  # fmt: skip
KINDS = st.sampled_from([bytes([kind]) for kind in b"0123456701256\0xgLKSDMNVXA"])
MAGICS = st.sampled_from([POSIX, GNU, V7, b"ustar\0 \0", b"ustar  0", b"USTAR\x0000"])
KEYS = st.sampled_from(
    [b"path", b"linkpath", b"size", b"mtime", b"uid", b"comment", b"GNU.sparse.name", b"GNU.sparse.size", b"hdrcharset",
     b"GNU.sparse.major", b"SCHILY.xattr.user.x", b"Path", b"path ", b"GNU.volume.label"]
)  # fmt: skip
DATA = st.sampled_from([b"", b"gold", file(b"s"), header(b"s", type=b"5"), file(b"s") + END, b"x" * 513])
VALUES = st.one_of(NAMES, NUMBERS)
PLAIN_NAMES = st.sampled_from([*(b"%c" % letter for letter in b"abcdefghijkl"), b"d/x", b"d/y", b"e/x/y", b"\xc3\xa9"])
PLAIN_MAGICS = st.sampled_from([POSIX, GNU])
PLAIN = st.one_of(
    st.builds(file, PLAIN_NAMES, DATA, magic=PLAIN_MAGICS),
    st.builds(file, PLAIN_NAMES, DATA, prefix=st.sampled_from([b"", b"d", b"f/g"]), uname=st.sampled_from([b"", b"x"])),
    st.builds(header, PLAIN_NAMES, type=st.sampled_from([b"5", b"6"]), magic=PLAIN_MAGICS),
    st.builds(header, PLAIN_NAMES, type=st.sampled_from([b"1", b"2"]), target=PLAIN_NAMES, magic=PLAIN_MAGICS),
    st.builds(lambda name, entry: pax((b"path", name)) + entry, PLAIN_NAMES, st.builds(file, NAMES, DATA)),
    st.builds(lambda name, entry: long_name(name) + entry, PLAIN_NAMES, st.builds(file, NAMES, DATA)),
    st.builds(lambda key, value, entry: pax((key, value)) + entry, KEYS, VALUES, st.builds(file, PLAIN_NAMES, DATA)),
)
WILD = st.one_of(
    st.builds(file, NAMES, DATA, magic=MAGICS, type=st.sampled_from([b"0", b"\0"])),
    st.builds(header, NAMES, type=st.sampled_from([b"1", b"2"]), target=NAMES, magic=MAGICS),
    st.builds(header, NAMES, type=KINDS, target=NAMES, magic=MAGICS, size=NUMBERS, prefix=NAMES),
    st.builds(header, NAMES, type=st.just(b"5"), magic=MAGICS),
    st.lists(st.tuples(KEYS, VALUES), max_size=2).map(lambda records: pax(*records)),
    st.builds(lambda data: file(b"x", data, type=b"x"), st.one_of(st.builds(record, KEYS, VALUES), st.binary())),
    st.builds(long_name, NAMES, st.sampled_from([b"L", b"K"])),
    st.sampled_from([bytes(512), END, b"x" * 512]),
)
ENTRIES = st.one_of(PLAIN, PLAIN, PLAIN, WILD)
FIELD_VALUES = st.one_of(VALUES, KINDS, MAGICS, st.binary(max_size=12))


@st.composite
def tars(draw: st.DrawFn) -> bytes:
    """Tars of a few members, of which some fields and blocks are changed."""
    blocks = bytearray(b"".join(draw(st.lists(ENTRIES, min_size=1, max_size=5))) + END)
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
        at = 512 * draw(st.integers(0, len(blocks) // 512 - 1))
        begin, length = FIELDS[draw(st.sampled_from(sorted(FIELDS)))]
        value = draw(FIELD_VALUES)[:length]
        blocks[at + begin : at + begin + len(value)] = value
        if draw(st.integers(0, 3)):
            blocks[at : at + 512] = summed(bytes(blocks[at : at + 512]))
    if not draw(st.integers(0, 9)):
        at = 512 * draw(st.integers(0, len(blocks) // 512 - 1))
        del blocks[at : at + draw(st.sampled_from([1, 512]))]
    return bytes(blocks)


def ours(content: bytes) -> dict[str, tuple[str, object]] | None:
    """What a tar leaves, as we read it: for each name its kind, and its size or what it leads to. None when refused."""
    seen = tarball._Members("t")
    try:
        for member in tarmembers.members(io.BytesIO(content)):
            seen.check(member)
    except (RefusedError, EOFError, VerificationError):
        return None
    found: dict[str, tuple[str, object]] = {}
    for name, member in seen.names.items():
        parts = name.split("/")
        for count in range(1, len(parts)):
            found.setdefault("/".join(parts[:count]), (Kind.FOLDER.name, None))
        if member.kind is Kind.HARD_LINK:
            found[name] = found[member.target.removeprefix("./")]
        elif name != ".":
            detail = {Kind.FILE: member.size, Kind.LINK: member.target}.get(member.kind)
            found[name] = (member.kind.name, detail)
    return found


def _target(path: Path) -> str:
    return os.readlink(path) if path.is_symlink() else ""  # noqa: PTH115 (Path would tidy it)


def tars_own(content: bytes) -> dict[str, tuple[str, object]] | None:
    """What GNU tar leaves of it. None when it fails, as a build does then."""
    with tempfile.TemporaryDirectory(prefix="tar-") as folder:
        command = ["tar", "--extract", "--xattrs", "--directory", folder, "--file=-"]
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        if subprocess.run(command, input=content, capture_output=True, env=environment).returncode:
            return None
        kinds = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.FOLDER, stat.S_IFLNK: Kind.LINK, stat.S_IFIFO: Kind.PIPE,
                 stat.S_IFCHR: Kind.CHARACTER_DEVICE, stat.S_IFBLK: Kind.BLOCK_DEVICE}  # fmt: skip
        found: dict[str, tuple[str, object]] = {}
        for path in Path(folder).rglob("*"):
            status = path.lstat()
            kind = kinds[stat.S_IFMT(status.st_mode)]
            detail = {Kind.FILE: status.st_size, Kind.LINK: _target(path)}.get(kind)
            found[str(path.relative_to(folder))] = (kind.name, detail)
        return found


@pytest.mark.usefixtures("real_processes")
@pytest.mark.parametrize("content", FINE.values(), ids=FINE.keys())
def test_gnu_tar_unpacks_what_we_read(content: bytes) -> None:
    assert ours(content + END) == tars_own(content + END)


@pytest.mark.usefixtures("real_processes")
@settings(
    max_examples=int(os.environ.get("ALCHEMY_TEST_EXAMPLES", "300")),
    derandomize="ALCHEMY_TEST_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(content=tars())
def test_gnu_tar_unpacks_nothing_else_than_we_read_of_tars_made_at_random(content: bytes) -> None:
    expected = ours(content)
    if expected is not None:
        assert tars_own(content) in (None, expected)
