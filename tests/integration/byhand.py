"""Stand-ins for the files that people bring: each has the layout of the vendor's own, and its program is a script."""

from __future__ import annotations

import dataclasses
import io
import struct
import subprocess
import tarfile
import zipfile
from collections.abc import Callable

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
    Vendor("sys-block/sas2ircu", "SAS2IRCU_P20.zip",
           zipped({"SAS2IRCU_P20/sas2ircu_linux_x86_rel/sas2ircu": PROGRAM}), ("sas2ircu",)),
    Vendor("sci-mathematics/gimps", "gimps-30.19.13.linux64.tar.gz",
           tar("w:gz")({"mprime": PROGRAM, "libgmp.so.10.4.1": b"", "libgmp.so.10": b""}), ("mprime",)),
    Vendor("app-benchmarks/y-cruncher", "y-cruncher-0.8.7.9547-static.tar.xz",
           tar("w:xz")({f"{YCRUNCHER}/{name}": PROGRAM for name in ("y-cruncher", "Binaries/13-HSW")}),
           ("y-cruncher",)),
]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Source:
    """A package that is compiled from a file that only a person may fetch: the file's stand-in, its program, and the
    shared libraries that it is linked with, which empty ones stand in for."""

    atom: str
    file: str
    content: bytes
    program: str
    libraries: tuple[str, ...] = ()


SAYS_GOLD = b'#include <stdio.h>\nint main(void) { puts("gold"); return 0; }\n'


def made_by(target: str, program: str, folder: str, **more: bytes) -> bytes:
    """A tarball whose Makefile has a target that compiles a program."""
    makefile = f"{target}: gold.c\n\t$(CC) $(CFLAGS) -o {program} gold.c\n".encode()
    files = {"Makefile": makefile, "gold.c": SAYS_GOLD, **{name.replace("_", "."): text for name, text in more.items()}}
    return tar("w:gz")({f"{folder}/{name}": content for name, content in files.items()})


CONFIGURED = {
    "autogen.sh": b"#!/bin/sh\necho 'echo all: >made' >configure\nchmod +x configure\n",
    "Makefile": (
        b"include made\nall: gold.c\n\t$(CC) $(CFLAGS) -o sysbench gold.c\n"
        b"install:\n\tinstall -D sysbench $(DESTDIR)/usr/bin/sysbench\n"
    ),
    "gold.c": SAYS_GOLD,
}

PCOPY = {
    "configure": b"#!/bin/sh\necho 'pcopy: gold.c; $(CC) -o pcopy gold.c' >Makefile\n",
    "gold.c": SAYS_GOLD,
}

# old C that today's compilers reject, a Makefile that ignores given variables, and scripts for Breakin's boot image
BREAKIN = {
    "Makefile": (
        b"CFLAGS= -DTHREADING\nLIBS=-lpanel -lncurses `curl-config --libs`\nVERSION:=0.0\nINSTALLPREFIX=SET_ME\n"
        b"all: breakin hpl_calc_n\n"
        b'breakin: breakin.c\n\t$(CC) -DPRODUCT_VERSION=\\"${VERSION}\\" $(CFLAGS) $^ -o $@ ${LIBS}\n'
    ),
    "breakin.c": b'nothing() { return; }\nmain() { nothing(); puts("gold"); return 0; }\n',
    "scripts/startup.sh": b"#!/bin/ash\n. /etc/library.sh\n/etc/breakin/stop.sh\nexec /usr/local/bin/breakin ${ARGS}\n",
    "scripts/stop.sh": b"#!/bin/ash\nexit 0\n",
    "scripts/tests/ecc": b"#!/bin/sh\n",
    "scripts/tests/hpl": b"#!/bin/ash\n",
    "scripts/tests/mcelog": b"#!/bin/ash\n",
}
LATER = b"#!/bin/sh\nDESTDIR=@DESTDIR@\n${DESTDIR}/etc/breakin/stop.sh\nexec ${DESTDIR}/bin/breakin ${ARGS}\n"

SOURCES = [
    Source("app-benchmarks/nbench", "nbench-byte-2.2.3.tar.gz",
           made_by("nbench", "nbench", "nbench-byte-2.2.3", NNET_DAT=b"5 7 8\n"), "nbench"),
    Source("app-benchmarks/iozone", "iozone3_506.tgz",
           made_by("linux-AMD64", "iozone", "iozone3_506/src/current"), "iozone"),
    Source("app-benchmarks/stream", "stream-5.10.c", SAYS_GOLD, "stream"),
    Source("app-benchmarks/tiobench", "tiobench-0.3.3.tar.gz",
           made_by("tiotest", "tiotest", "tiobench-0.3.3"), "tiotest"),
    Source("app-benchmarks/bandwidth", "bandwidth-1.5.1.tar.gz",
           made_by("bandwidth64", "bandwidth64", "bandwidth-1.5.1"), "bandwidth"),
    Source("app-benchmarks/systester", "systester-1.5.1.tar.gz",
           made_by("all", "systester-cli", "systester-1.5.1/cli"), "systester-cli"),
    Source("app-benchmarks/sysbench", "sysbench-1.0.20.tar.gz",
           tar("w:gz")({f"sysbench-1.0.20/{name}": content for name, content in CONFIGURED.items()}), "sysbench"),
    Source("app-benchmarks/hpl", "hpl-2.3.tar.gz",
           tar("w:gz")({"hpl-2.3/testing/ptest/gold.c": b'#include "mpi.h"\n' + SAYS_GOLD, "hpl-2.3/src/lead.c": b"",
                        "hpl-2.3/include/hpl.h": b""}), "xhpl", libraries=("openblas",)),
    Source("net-analyzer/nepim", "nepim-0.54.tar.gz", made_by("nepim", "nepim", "nepim-0.54/src"), "nepim"),
    Source("app-misc/pcopy", "pcopy-1.5.tar.gz",
           tar("w:gz")({f"pcopy-1.5/{name}": content for name, content in PCOPY.items()}), "pcopy"),
    Source("app-benchmarks/breakin", "breakin-3.2.tar.gz",
           tar("w:gz")({f"breakin-3.2/{name}": content for name, content in BREAKIN.items()}),
           "/etc/breakin/startup.sh", libraries=("panel", "ncurses", "curl")),
]  # fmt: skip

# what a person has of a program need not be packed as its author did
OTHERS = [
    Source("app-misc/pcopy", "pcopy-1.5.tar.gz", tar("w:xz")({"gold.c": SAYS_GOLD}), "pcopy"),
    Source("app-benchmarks/breakin", "breakin-3.2.tar.gz",
           tar("w:bz2")({**BREAKIN, "scripts/startup.sh": LATER, "breakin.c": SAYS_GOLD}),
           "/etc/breakin/startup.sh", libraries=("panel", "ncurses", "curl")),
]  # fmt: skip
