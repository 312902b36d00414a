"""The vendors' programs of overlays/alchemy: listed before anything is built, and built from what a user brings.

Their files cannot be had here. A stand-in has the layout of the vendor's own: its program is a script.
"""

from __future__ import annotations

import dataclasses
import io
import struct
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from alchemy import buildroot, byhand, portage, repositories
from alchemy import plan as plans
from alchemy.chroot import Chroot
from alchemy.context import Context
from alchemy.errors import UserError
from tests import repository

PROGRAM = b'#!/bin/sh\necho gold $LD_LIBRARY_PATH "$@"\n'

Files = dict[str, bytes]


def tar(mode: str) -> Callable[[Files], bytes]:
    def pack(files: Files) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(content), 0o755
                archive.addfile(member, io.BytesIO(content))
        return buffer.getvalue()

    return pack


def zipped(files: Files) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def rpm(compress: list[str]) -> Callable[[Files], bytes]:
    """A lead, two headers whose first needs padding, and a compressed archive of cpio."""

    def pack(files: Files) -> bytes:
        def header(value: bytes) -> bytes:
            index = struct.pack(">IIII", 1000, 6, 0, 1)
            return b"\x8e\xad\xe8\x01" + bytes(4) + struct.pack(">II", 1, len(value)) + index + value

        signature = header(b"abc\0\0")
        padding = bytes(-len(signature) % 8)
        payload = subprocess.run(compress, input=cpio(files), stdout=subprocess.PIPE, check=True).stdout
        return b"\xed\xab\xee\xdb".ljust(96, b"\0") + signature + padding + header(b"metadata\0") + payload

    return pack


def cpio(files: Files) -> bytes:
    """The `newc` format of cpio(5)."""
    out = b""
    for name, mode, content in [*((f"./{n}", 0o100755, c) for n, c in files.items()), ("TRAILER!!!", 0, b"")]:
        raw = name.encode() + b"\0"
        fields = [0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(raw), 0]
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + raw
        out += head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)
    return out


@dataclasses.dataclass(frozen=True)
class Vendor:
    """A package, the file it asks for, the file's stand-in, and the commands it brings."""

    atom: str
    file: str
    content: bytes
    commands: tuple[str, ...]


MEGACLI = {f"opt/MegaRAID/MegaCli/{name}": PROGRAM for name in ("MegaCli64", "libstorelibir-2.so.14.07-0")}
STORCLI = "STORCLI_SAS3.5_P38/univ_viva_cli_rel/Unified_storcli_all_os/Linux/storcli-007.3703.0000.0000-1.noarch.rpm"
YCRUNCHER = "y-cruncher v0.8.7.9547-static"
VENDORS = [
    Vendor("sys-block/megacli", "8-07-14_MegaCLI.zip",
           zipped({"Linux/MegaCli-8.07.14-1.noarch.rpm": rpm(["cat"])(MEGACLI)}), ("megacli", "MegaCli64")),
    Vendor("sys-block/storcli", "storcli-7.3703.zip",
           zipped({STORCLI: rpm(["xz"])({"opt/MegaRAID/storcli/storcli64": PROGRAM})}), ("storcli", "storcli64")),
    Vendor("sys-block/tw_cli", "368_tw_cli_debian8_beta.tgz",
           tar("w:gz")({"debian8/x86_64/tw_cli": PROGRAM}), ("tw_cli",)),
    Vendor("sys-block/hpssacli", "ssacli-6.25-9.0.x86_64.rpm",
           rpm(["gzip"])({"opt/smartstorageadmin/ssacli/bin/ssacli": PROGRAM}), ("hpssacli", "ssacli")),
    Vendor("sys-block/areca-cli", "linuxcli_V1.15.8_180529.zip",
           zipped({"linuxcli_V1.15.8_180529/x86_64/cli64": PROGRAM}), ("areca-cli", "cli64")),
    Vendor("sci-mathematics/gimps", "gimps-30.19.13.linux64.tar.gz",
           tar("w:gz")({"mprime": PROGRAM, "libgmp.so.10.4.1": b"", "libgmp.so.10": b""}), ("mprime",)),
    Vendor("app-benchmarks/y-cruncher", "y-cruncher-0.8.7.9547-static.tar.xz",
           tar("w:xz")({f"{YCRUNCHER}/{name}": PROGRAM for name in ("y-cruncher", "Binaries/13-HSW")}),
           ("y-cruncher",)),
]  # fmt: skip


@pytest.fixture(scope="module")
def inside(build_context: Context, tmp_path_factory: pytest.TempPathFactory) -> tuple[Context, Chroot]:
    """A build chroot in which the overlays can be written to, and distfiles/ of its own."""
    folder = tmp_path_factory.mktemp("byhand")
    root = repository.copy(folder / "alchemy")
    cache = folder / "cache"
    cache.mkdir()
    (cache / "stage3").symlink_to(build_context.cache / "stage3")
    context = dataclasses.replace(build_context, root=root, work=folder / "work", cache=cache)
    stage3 = plans.create(context)["stage3"]
    plans.realize(context, [stage3])
    sets = {"eula": [vendor.atom for vendor in VENDORS]}
    available = repositories.collect(context, ())
    chroot = buildroot.prepare(context, stage3, folder / "chroot", available, sets, "byhand")
    without = {path: source for path, source in chroot.ro_binds.items() if path not in available.binds}
    return context, dataclasses.replace(chroot, binds={**chroot.binds, **available.binds}, ro_binds=without)


def test_the_set_is_tested_whole() -> None:
    assert sorted(portage.read_set(repository.ROOT / "packages/packages.eula")) == sorted(v.atom for v in VENDORS)


def test_everything_is_listed_before_anything_is_built(inside: tuple[Context, Chroot]) -> None:
    context, chroot = inside
    with pytest.raises(UserError) as caught:
        byhand.check(context, chroot, ["@alchemy"], context.logfile("byhand"), sets={})
    for vendor in VENDORS:
        assert f": {vendor.file} has to be fetched by hand from https://" in caught.value.message
    assert caught.value.message.count("not accepted: ") == len(VENDORS)
    assert str(context.root / "distfiles") in str(caught.value.hint)


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.atom)
def test_a_vendor_s_program_is_built_from_the_file_in_distfiles(
    inside: tuple[Context, Chroot], vendor: Vendor, tmp_path: Path
) -> None:
    context, chroot = inside
    (context.root / "distfiles" / vendor.file).write_bytes(vendor.content)
    folder = context.root / "overlays/alchemy" / vendor.atom
    (folder / "Manifest").unlink(missing_ok=True)
    licensed = dataclasses.replace(chroot, env={**chroot.env, "ACCEPT_LICENSE": "*"})

    with pytest.raises(UserError, match=f"no digest of {vendor.file}"):
        byhand.check(context, licensed, [vendor.atom], context.logfile("byhand"), sets={})
    ebuild = f"{repositories.FOLDER}/alchemy/{vendor.atom}/{next(folder.glob('*.ebuild')).name}"
    log = context.logfile("byhand")
    context.runner.run(licensed.argv(["ebuild", ebuild, "manifest"]), log=log)
    byhand.check(context, licensed, [vendor.atom], log, sets={})
    context.runner.run(licensed.argv(["emerge", "--oneshot", "--nodeps", "--buildpkg", vendor.atom]), log=log)

    for command in vendor.commands:
        said = context.runner.capture(licensed.argv([f"/opt/bin/{command}", "-v", "two words"]), log=log)
        assert said == f"gold /opt/{vendor.atom.split('/')[1]} -v two words\n"
    assert list((context.cache / "packages").glob(f"*/{vendor.atom}/*.gpkg.tar"))
