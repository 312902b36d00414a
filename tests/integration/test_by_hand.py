"""The vendors' programs of overlays/alchemy: listed before anything is built, and built from what a user brings.

Their files cannot be had here. A stand-in has the layout of the vendor's own: its program is a script.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import struct
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.host import folders
from alchemy.host.chroot import Chroot
from alchemy.portage import buildroot, manifests, preflight, repositories, settings, sources
from alchemy.stages import plan as plans
from tests import repository
from tests.lib.mirror import Server

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

# C that compilers refuse by now, a Makefile that overrides what it is given, and scripts for the boot image of Breakin
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


@pytest.fixture(scope="module")
def inside(build_context: Context, tmp_path_factory: pytest.TempPathFactory) -> tuple[Context, Chroot]:
    """A build chroot in which the overlays can be written to, and distfiles/ of its own."""
    folder = tmp_path_factory.mktemp("byhand")
    root = repository.copy(folder / "alchemy")
    context = dataclasses.replace(build_context, root=root, work=folder / "work", cache=folder / "cache")
    folders.prepare(context)
    (context.cache / "stage3").symlink_to(build_context.cache / "stage3")
    stage3 = plans.create(context, plans.recall(context))["stage3"]
    plans.realize(context, [stage3])
    sets = {"eula": [vendor.atom for vendor in VENDORS]}
    available = repositories.collect(context, {})
    chroot, _ = buildroot.prepare(context, stage3.output, folder / "chroot", available, sets, "byhand")
    without = {path: source for path, source in chroot.ro_binds.items() if path not in available.binds}
    return context, dataclasses.replace(chroot, binds={**chroot.binds, **available.binds}, ro_binds=without)


def test_the_sets_are_tested_whole() -> None:
    assert sorted(settings.read_set(repository.ROOT / "packages/packages.eula")) == sorted(v.atom for v in VENDORS)
    assert sorted(settings.read_set(repository.ROOT / "packages/packages.byhand")) == sorted(s.atom for s in SOURCES)


def test_everything_is_listed_before_anything_is_built(inside: tuple[Context, Chroot]) -> None:
    context, chroot = inside
    with pytest.raises(UserError) as caught:
        preflight.check(context, chroot, ["@alchemy"], context.logfile("byhand"), sets={})
    for vendor in VENDORS:
        assert f": {vendor.file} has to be fetched by hand from https://" in caught.value.message
    assert caught.value.message.count("not accepted: ") == len(VENDORS)
    assert str(context.root / "distfiles") in str(caught.value.hint)


def stand_in(context: Context, chroot: Chroot, library: str) -> None:
    """Makes an empty library, and what pkg-config says of it."""
    empty = ["gcc", "-shared", "-x", "c", "/dev/null", "-o", f"/usr/lib64/lib{library}.so"]
    context.runner.run(chroot.argv(empty), log=context.logfile("byhand"))
    said = chroot.root / "usr/lib64/pkgconfig" / f"{'libcurl' if library == 'curl' else library}.pc"
    said.parent.mkdir(exist_ok=True)
    said.write_text(f"Name: {library}\nDescription: a stand-in\nVersion: 1\nLibs: -l{library}\n", encoding="utf-8")


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
        preflight.check(context, licensed, [vendor.atom], context.logfile("byhand"), sets={})
    ebuild = f"{repositories.FOLDER}/alchemy/{vendor.atom}/{next(folder.glob('*.ebuild')).name}"
    log = context.logfile("byhand")
    context.runner.run(licensed.argv(["ebuild", ebuild, "manifest"]), log=log)
    preflight.check(context, licensed, [vendor.atom], log, sets={})
    context.runner.run(licensed.argv(["emerge", "--oneshot", "--nodeps", "--buildpkg", vendor.atom]), log=log)

    for command in vendor.commands:
        said = context.runner.capture(licensed.argv([f"/opt/bin/{command}", "-v", "two words"]), log=log)
        assert said == f"gold /opt/{vendor.atom.split('/')[1]} -v two words\n"
    assert list(licensed.binds[settings.BINPKGS].glob(f"{vendor.atom}/*.gpkg.tar"))


@pytest.mark.parametrize("source", [*SOURCES, *OTHERS], ids=lambda source: source.atom)
def test_a_program_is_compiled_from_the_file_in_distfiles(inside: tuple[Context, Chroot], source: Source) -> None:
    context, chroot = inside
    (context.root / "distfiles" / source.file).write_bytes(source.content)
    log = context.logfile("byhand")
    licensed = dataclasses.replace(chroot, env={**chroot.env, "ACCEPT_LICENSE": "*"})
    for library in source.libraries:
        stand_in(context, licensed, library)
    folder = context.root / "overlays/alchemy" / source.atom
    (folder / "Manifest").unlink(missing_ok=True)
    manifests.make(context, folder)
    preflight.check(context, licensed, [source.atom], log, sets={})
    context.runner.run(licensed.argv(["emerge", "--oneshot", "--nodeps", "--buildpkg", source.atom]), log=log)
    assert context.runner.capture(licensed.argv([source.program]), log=log) == "gold\n"


@pytest.mark.parametrize(
    ("prints", "status", "says"),
    [
        (" 500 :   -1.2e-12   812.31 MFlops   0.1 s", 0, "MSG: residual -1.2e-12, 812.31 MFlops"),
        (" 500 :    3.4e-05   812.31 MFlops   0.1 s", 1, "linpack: the residual is 3.4e-05 (expected at most 1e-6)"),
        (" 500 :       -nan   812.31 MFlops   0.1 s", 1, "linpack: the residual is -nan (expected at most 1e-6)"),
        ("Illegal instruction", 1, "linpack: no result"),
    ],
)
def test_the_load_of_breakin_judges_the_residual(tmp_path: Path, prints: str, status: int, says: str) -> None:
    program = f"#!/bin/sh\n[ $1 -ge 500 ] && [ $1 -le 20000 ] && [ $2 -eq $1 ] && echo '{prints}' >&2\n"
    (tmp_path / "linpack").write_text(program, encoding="utf-8")
    (tmp_path / "linpack").chmod(0o755)
    script = repository.ROOT / "overlays/alchemy/app-benchmarks/breakin/files/linpack"
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["/bin/sh", script], env=path, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert [file.name for file in tmp_path.iterdir()] == ["linpack"]
    assert (done.returncode, done.stdout, done.stderr) == (status, f"{says}\n", "")


# as a program of 32 bits begins that is compiled without the headers and files of its C library
THIRTY_TWO_BITS = """\
int puts(const char *);
void exit(int);
__attribute__((force_align_arg_pointer)) void _start(void) { puts("gold"); exit(0); }
"""


def emerge(context: Context, chroot: Chroot, atom: str) -> None:
    """Builds a free package, whose sources are fetched from their places."""
    log = context.logfile("byhand")
    needs = preflight.check(context, chroot, [atom], log, sets={})
    sources.fetch(context, needs.sources)
    context.runner.run(chroot.argv(["emerge", "--oneshot", "--nodeps", "--buildpkg", atom]), log=log)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("atom", "program", "says"),
    [
        ("dev-libs/liboop", ["cat", "/usr/include/oop.h"], "oop_source"),
        ("dev-lang/nasm", ["nasm", "-v"], "NASM version"),
    ],
)
def test_what_these_programs_are_built_with_is_built(
    inside: tuple[Context, Chroot], atom: str, program: list[str], says: str
) -> None:
    context, chroot = inside
    emerge(context, chroot, atom)
    assert says in context.runner.capture(chroot.argv(program), log=context.logfile("byhand"))


@pytest.mark.exhaustive
def test_a_program_of_32_bits_finds_its_c_library(inside: tuple[Context, Chroot]) -> None:
    context, chroot = inside
    emerge(context, chroot, "sys-libs/i386-runtime")
    log = context.logfile("byhand")
    compiler = ["gcc", "-m32", "-nostdlib", "-no-pie", "-ffreestanding", "-fno-stack-protector", "-x", "c", "-"]
    linker = ["-x", "none", "/usr/lib32/libc.so.6", "-Wl,--dynamic-linker=/lib/ld-linux.so.2", "-o", "/opt/gold"]
    context.runner.capture(chroot.argv([*compiler, *linker]), stdin=THIRTY_TWO_BITS.encode(), log=log)
    assert context.runner.capture(chroot.argv(["/opt/gold"]), log=log) == "gold\n"


DIGEST = f"SHA512 {hashlib.sha512(PROGRAM).hexdigest()}"

EBUILD = """\
EAPI=8
DESCRIPTION="A package of the tests"
HOMEPAGE="https://example.org"
SRC_URI="https://upstream.example/a/tool.zip mirror://metals/b/tool.zip https://second.example/tool.zip
	{more}https://other.example/data.zip"
LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"
RESTRICT="{restrict}"
"""

GENERAL = [("mirror", "https://m1.example"), ("mirror", "https://m2.example/sub")]
METALS = [("uri", "https://gold.example/b/tool.zip"), ("uri", "https://lead.example/x/b/tool.zip")]
UPSTREAM = [("uri", "https://upstream.example/a/tool.zip"), ("uri", "https://second.example/tool.zip")]
DATA = [("uri", "https://other.example/data.zip")]

ORDERS = {
    "mirrors first": ("", "", [*GENERAL, *UPSTREAM, *METALS], [*GENERAL, *DATA]),
    "not from mirrors": ("mirror", "", [*UPSTREAM, *METALS], DATA),
    "one file from mirrors": ("mirror", "mirror+", [*UPSTREAM, *METALS], [*GENERAL, *DATA]),
    "upstream first": ("primaryuri", "", [*UPSTREAM, *METALS, *GENERAL], [*DATA, *GENERAL]),
    "only one file may be fetched": ("fetch", "fetch+", METALS, DATA),
}


@pytest.mark.parametrize(("restrict", "more", "tool", "data"), ORDERS.values(), ids=ORDERS.keys())
def test_sources_have_the_places_of_mirrors_then_upstream_then_shared_mirrors(
    inside: tuple[Context, Chroot],
    restrict: str,
    more: str,
    tool: list[tuple[str, str]],
    data: list[tuple[str, str]],
) -> None:
    context, chroot = inside
    overlay = context.root / "overlays/alchemy"
    (overlay / "profiles/thirdpartymirrors").write_text("metals https://gold.example https://lead.example/x/\n")
    (overlay / "sys-block/tool").mkdir(exist_ok=True)
    # a version of its own: Portage remembers what an ebuild says
    version = f"tool-{len(list((overlay / 'sys-block/tool').glob('*.ebuild')))}"
    (overlay / f"sys-block/tool/{version}.ebuild").write_text(EBUILD.format(restrict=restrict, more=more))
    (overlay / "sys-block/tool/Manifest").write_text(f"DIST tool.zip 9 {DIGEST}\nDIST data.zip 7 {DIGEST}\n")
    mirrors = "https://m1.example https://m2.example/sub /var/mirror"
    chroot = dataclasses.replace(chroot, env={**chroot.env, "GENTOO_MIRRORS": mirrors})
    needs = preflight.check(context, chroot, [f"=sys-block/{version}"], context.logfile("byhand"), sets={})
    assert [(source.package, source.file, source.size) for source in needs.sources] == [
        (f"sys-block/{version}", "tool.zip", 9), (f"sys-block/{version}", "data.zip", 7)
    ]  # fmt: skip
    assert [list(source.places) for source in needs.sources] == [tool, data]
    assert dict(needs.sources[0].digests) == {"SHA512": DIGEST.split()[1]}


def test_a_build_goes_on_where_the_first_places_are_dead(inside: tuple[Context, Chroot], tmp_path: Path) -> None:
    context, chroot = inside
    dead, good = Server(tmp_path / "dead"), Server(tmp_path / "good")
    good.folder.mkdir()
    content = tar("w:gz")({"gold-1/gold": PROGRAM})
    (good.folder / "gold-1.tar.gz").write_bytes(content)
    folder = context.root / "overlays/alchemy/sys-block/gold"
    folder.mkdir()
    (folder / "gold-1.ebuild").write_text(
        f'EAPI=8\nDESCRIPTION="gold"\nHOMEPAGE="https://gold.example"\nLICENSE="MIT"\nSLOT="0"\nKEYWORDS="amd64"\n'
        f'SRC_URI="{dead.url}/gold-1.tar.gz {good.url}/gold-1.tar.gz"\nsrc_install() {{ dobin gold; }}\n'
    )
    digest = f"SHA512 {hashlib.sha512(content).hexdigest()}"
    (folder / "Manifest").write_text(f"DIST gold-1.tar.gz {len(content)} {digest}\n")
    (chroot.root / "etc/portage/mirrors").write_text(f"local {dead.url}\n")
    context = dataclasses.replace(context, config=context.config.model_copy(update={"mirrors": (dead.url,)}))
    log = context.logfile("byhand")
    try:
        needs = preflight.check(context, chroot, ["=sys-block/gold-1"], log, sets={})
        sources.fetch(context, needs.sources)
    finally:
        dead.stop()
        good.stop()
    assert [request.path for request in dead.requests] == [
        "/distfiles/layout.conf", "/distfiles/gold-1.tar.gz", "/gold-1.tar.gz"
    ]  # fmt: skip
    context.runner.run(chroot.argv(["emerge", "--oneshot", "--nodeps", "=sys-block/gold-1"]), log=log)
    assert context.runner.capture(chroot.argv(["gold", "x"]), log=log) == "gold x\n"
