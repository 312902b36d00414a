from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from alchemy.errors import BuildError
from alchemy.portage import soundness

LOADER = "/lib64/ld-linux-x86-64.so.2"
NEEDED, STRTAB, STRSZ, RPATH, RUNPATH = 1, 5, 10, 15, 29  # d_tag
LOAD, DYNAMIC, INTERP = 1, 2, 3  # p_type


def elf(
    *needed: str, interpreter: str = "", rpath: str = "", runpath: str = "", machine: int = 62, kind: int = 3,
    bits: int = 64,
) -> bytes:  # fmt: skip
    """An ELF file that holds what the loader reads, and no code (System V ABI, chapters 4 and 5)."""
    names = [*needed, rpath, runpath, interpreter]
    text = b"\0" + b"".join(name.encode() + b"\0" for name in names)
    at = {name: text.index(b"\0" + name.encode() + b"\0") + 1 for name in names if name}
    header_size, segment_size, address = (64, 56, "Q") if bits == 64 else (52, 32, "I")
    start = header_size + 3 * segment_size
    tags = [(NEEDED, at[name]) for name in needed]
    tags += [(RPATH, at[rpath])] if rpath else []
    tags += [(RUNPATH, at[runpath])] if runpath else []
    tags += [(STRTAB, start), (STRSZ, len(text)), (0, 0)]
    dynamic = b"".join(struct.pack(f"<2{address}", *tag) for tag in tags)
    size = start + len(text) + len(dynamic)

    def segment(kind: int, offset: int, length: int) -> bytes:
        if bits == 32:
            return struct.pack("<8I", kind, offset, offset, offset, length, length, 4, 1)
        return struct.pack("<IIQQQQQQ", kind, 4, offset, offset, offset, length, length, 1)

    segments = [segment(LOAD, 0, size), segment(DYNAMIC, start + len(text), len(dynamic))]
    segments += [segment(INTERP, start + at[interpreter], len(interpreter) + 1)] if interpreter else []
    ident = b"\x7fELF" + bytes([bits // 32, 1, 1]) + bytes(9)
    sizes = (header_size, segment_size, len(segments), header_size, 0, 0)
    header = struct.pack(f"<HHI3{address}I6H", kind, machine, 1, 0, header_size, 0, 0, *sizes)
    return ident + header + b"".join(segments).ljust(3 * segment_size, b"\0") + text + dynamic


def program(*needed: str, **options: str) -> bytes:
    return elf(*needed, interpreter=LOADER, **options)  # type: ignore[arg-type]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An image with a loader, a C library, a shell, and a program that needs a library that needs another."""
    for folder in ("usr/bin", "usr/lib64", "etc/ld.so.conf.d", "opt/tool/lib"):
        (tmp_path / folder).mkdir(parents=True)
    for link in ("bin", "lib64"):
        (tmp_path / link).symlink_to(f"usr/{link}")
    write(tmp_path, "usr/lib64/ld-linux-x86-64.so.2", elf())
    write(tmp_path, "usr/lib64/libc.so.6", elf("ld-linux-x86-64.so.2", interpreter=LOADER))
    write(tmp_path, "usr/bin/sh", program("libc.so.6"))
    write(tmp_path, "usr/lib64/libone.so.1.2", elf("libtwo.so", "libc.so.6"))
    (tmp_path / "usr/lib64/libone.so").symlink_to("/usr/lib64/libone.so.1.2")
    write(tmp_path, "usr/lib64/libtwo.so", elf("libc.so.6"))
    write(tmp_path, "usr/bin/tool", program("libone.so"))
    return tmp_path


def write(root: Path, name: str, content: bytes | str, mode: int = 0o755) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


def link(root: Path, name: str, target: str) -> Path:
    (root / name).symlink_to(target)
    return root / name


def problems(root: Path) -> list[str]:
    """What the check says, a line each; none when it says nothing."""
    try:
        soundness.check(root)
    except BuildError as error:
        return [line.strip() for line in error.message.splitlines()[1:]]
    return []


def test_an_image_that_has_all_it_needs_is_sound(root: Path) -> None:
    assert problems(root) == []


def test_a_library_that_is_taken_away_is_missed_by_all_that_need_it(root: Path) -> None:
    (root / "usr/lib64/libtwo.so").unlink()
    assert problems(root) == [
        "/usr/bin/tool: missing library libtwo.so",
        "/usr/lib64/libone.so.1.2: missing library libtwo.so",
    ]


def test_file_capabilities_are_for_the_programs_on_the_list(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # setting them needs root
    permitted = {"ping": 1 << 21, "mtr-packet": 1 << 13, "tool": 1 << 21}

    def getxattr(path: Path, name: str, **_: object) -> bytes:
        if path.name not in permitted or name != "security.capability":
            raise OSError(errno.ENODATA, "no data")
        return struct.pack("<5I", 0x02000001, permitted[path.name], 0, 0, 0)

    monkeypatch.setattr(os, "getxattr", getxattr)
    for name in ("ping", "mtr-packet"):
        write(root, f"usr/bin/{name}", program())
    said = "setuid, setgid or with file capabilities, and not on the list of programs that may be"
    assert problems(root) == [f"/usr/bin/tool: {said}"]


def test_a_loader_that_is_taken_away_is_missed(root: Path) -> None:
    (root / "usr/lib64/ld-linux-x86-64.so.2").unlink()
    assert f"/usr/bin/sh: missing loader {LOADER}" in problems(root)


def test_what_programs_of_32_bits_lack_is_named_with_the_package_of_their_bits(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    loader = "/lib/ld-linux.so.2"
    write(root, "usr/bin/coin", elf("libc.so.6", interpreter=loader, bits=32, machine=3))
    chroot = tmp_path_factory.mktemp("chroot")
    write(chroot, "usr/lib64/libc.so.6", elf())
    write(chroot, "var/db/pkg/sys-libs/glibc-2/CONTENTS", "obj /usr/lib64/libc.so.6 0123 1\n")
    with pytest.raises(BuildError) as caught:
        soundness.check(root, chroot)
    assert caught.value.message.splitlines()[1:] == [
        f"  /usr/bin/coin: missing loader {loader} (expected a C library of 32 bits)",
        "  /usr/bin/coin: missing library libc.so.6 of 32 bits",
    ]
    assert "build sys-libs/glibc with USE=multilib" in str(caught.value.hint)
    write(chroot, "usr/lib/libc.so.6", elf(bits=32, machine=3))
    write(chroot, "var/db/pkg/sys-libs/i386-runtime-2/CONTENTS", "obj /usr/lib/libc.so.6 0123 1\n")
    with pytest.raises(BuildError, match=r"libc\.so\.6 of 32 bits \(it is in sys-libs/i386-runtime-2\)"):
        soundness.check(root, chroot)


UNSOUND: dict[str, tuple[Callable[[Path], object], str]] = {
    "a script without its interpreter": (
        lambda root: write(root, "usr/bin/script", "#!/usr/bin/perl -w\n"),
        "/usr/bin/script: missing interpreter /usr/bin/perl",
    ),
    "a script whose interpreter is looked for": (
        lambda root: [write(root, "usr/bin/env", ""), write(root, "usr/bin/script", "#!/usr/bin/env -S python3 -u\n")],
        "/usr/bin/script: missing interpreter python3",
    ),
    "a library of another machine": (
        lambda root: write(root, "usr/lib64/libtwo.so", elf(machine=183)),
        "/usr/bin/tool: missing library libtwo.so",
    ),
    "a file that is not a library": (
        lambda root: write(root, "usr/lib64/libtwo.so", "INPUT(libtwo.so.1)"),
        "/usr/bin/tool: missing library libtwo.so",
    ),
    "a link that leads nowhere": (
        lambda root: link(root, "usr/lib64/broken", "nowhere").replace(root / "usr/lib64/libtwo.so"),
        "/usr/bin/tool: missing library libtwo.so",
    ),
    "a library in a folder that nobody names": (
        lambda root: [write(root, "opt/tool/lib/libx.so", elf()), write(root, "usr/bin/x", program("libx.so"))],
        "/usr/bin/x: missing library libx.so",
    ),
    "a setuid program": (lambda root: write(root, "usr/bin/rootme", program(), 0o4755), "/usr/bin/rootme: setuid"),
    "a setgid program": (lambda root: write(root, "usr/bin/rootme", program(), 0o2755), "/usr/bin/rootme: setuid"),
    "a sudo that is elsewhere": (lambda root: write(root, "opt/x/sudo", program(), 0o4755), "/opt/x/sudo: setuid"),
    "a file of two packages": (
        lambda root: [
            write(root, "var/db/pkg/a/one-1/CONTENTS", "dir /usr\nobj /usr/bin/my tool 0123 1\n"),
            write(root, "var/db/pkg/b/two-1/CONTENTS", "dir /usr\nobj /bin/my tool 4567 1\n"),
        ],
        "/bin/my tool: belongs to a/one-1 and to b/two-1",
    ),
    "a link of two packages": (
        lambda root: [
            write(root, "var/db/pkg/a/one-1/CONTENTS", "sym /usr/bin/x -> busybox 1\n"),
            write(root, "var/db/pkg/b/two-1/CONTENTS", "obj /usr/bin/x 4567 1\n"),
        ],
        "/usr/bin/x: belongs to a/one-1 and to b/two-1",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), UNSOUND.values(), ids=UNSOUND.keys())
def test_an_image_is_unsound_with(root: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(root)
    assert any(problem.startswith(message) for problem in problems(root)), problems(root)


SOUND: dict[str, Callable[[Path], object]] = {
    "sudo": lambda root: write(root, "usr/bin/sudo", program(), 0o4755),
    "a script": lambda root: write(root, "usr/bin/script", "#! /bin/sh -e\n"),
    "a script that nobody can run": lambda root: write(root, "usr/share/x.pl", "#!/usr/bin/perl\n", 0o644),
    "a folder of ld.so.conf": lambda root: [
        write(root, "etc/ld.so.conf.d/tool.conf", "# ours\n/opt/tool/lib\n"),
        write(root, "opt/tool/lib/libx.so", elf()),
        write(root, "usr/bin/x", program("libx.so")),
    ],
    "a RUNPATH": lambda root: [
        write(root, "opt/tool/lib/libx.so", elf()),
        write(root, "opt/tool/x", program("libx.so", runpath="/nowhere:$ORIGIN/lib")),
    ],
    "an RPATH, which holds for the libraries too": lambda root: [
        write(root, "opt/tool/lib/libx.so", elf("liby.so")),
        write(root, "opt/tool/lib/liby.so", elf()),
        write(root, "opt/tool/x", program("libx.so", rpath="/opt/tool/lib")),
    ],
    "a library beside a vendor's program": lambda root: [
        write(root, "opt/tool/libx.so", elf()),
        write(root, "opt/tool/x", program("libx.so")),
    ],
    "an object file": lambda root: write(root, "usr/lib64/crt1.o", elf("libnone.so", kind=1)),
    "one package with a folder of another": lambda root: [
        write(root, "var/db/pkg/a/one-1/CONTENTS", "dir /usr/bin\nobj /usr/bin/sh 0123 1\n"),
        write(root, "var/db/pkg/b/two-1/CONTENTS", "dir /usr/bin\nobj /usr/bin/tool 0123 1\n"),
    ],
}


@pytest.mark.parametrize("add", SOUND.values(), ids=SOUND.keys())
def test_an_image_is_sound_with(root: Path, add: Callable[[Path], object]) -> None:
    add(root)
    assert problems(root) == []


def test_an_elf_file_that_is_cut_short_is_named(root: Path) -> None:
    path = write(root, "usr/bin/short", program("libc.so.6")[:100])
    with pytest.raises(BuildError, match=f"{path}: cannot be read as ELF"):
        soundness.check(root)
