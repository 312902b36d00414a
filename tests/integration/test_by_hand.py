"""The vendors' programs of overlays/alchemy: listed before anything is built, and built from what a user brings.

Their files cannot be had here. A stand-in has the layout of the vendor's own: its program is a script.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.host import folders
from alchemy.host.chroot import Chroot
from alchemy.portage import buildroot, manifests, preflight, repositories, settings, sources
from alchemy.stages import plan as plans
from tests import repository
from tests.integration.byhand import OTHERS, PROGRAM, SOURCES, VENDORS, Source, Vendor, tar
from tests.lib.mirror import Server


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


def accepting(chroot: Chroot) -> Chroot:
    """Returns the chroot of a user who accepts every licence."""
    return dataclasses.replace(chroot, env={**chroot.env, "ACCEPT_LICENSE": "*"})


def provide(context: Context, programs: Sequence[Vendor | Source]) -> None:
    """Puts the files into distfiles/ that are asked for, of which no Manifest knows a digest."""
    for program in programs:
        (context.root / "distfiles" / program.file).write_bytes(program.content)
        (context.root / "overlays/alchemy" / program.atom / "Manifest").unlink(missing_ok=True)


def build(context: Context, chroot: Chroot, programs: Sequence[Vendor | Source]) -> None:
    """Builds packages whose digests are known: all by one command, which takes half as long as one for each."""
    atoms = [program.atom for program in programs]
    preflight.check(context, chroot, atoms, context.logfile("byhand"), sets={})
    emerge = ["emerge", "--oneshot", "--nodeps", "--buildpkg", *atoms]
    context.runner.run(chroot.argv(emerge), log=context.logfile("byhand"))


@pytest.fixture(scope="module")
def refusal(inside: tuple[Context, Chroot]) -> str:
    """The message for vendors' files that are there, and whose digests nobody has recorded."""
    context, chroot = inside
    provide(context, VENDORS)
    with pytest.raises(UserError) as caught:
        preflight.check(
            context, accepting(chroot), [vendor.atom for vendor in VENDORS], context.logfile("byhand"), sets={}
        )
    return caught.value.message


@pytest.fixture(scope="module")
def installed(inside: tuple[Context, Chroot], refusal: str) -> Chroot:
    """A chroot with all vendors' programs."""
    context, chroot = inside
    licensed = accepting(chroot)
    for vendor in VENDORS:
        (file,) = (context.root / "overlays/alchemy" / vendor.atom).glob("*.ebuild")
        ebuild = f"{repositories.FOLDER}/alchemy/{vendor.atom}/{file.name}"
        context.runner.run(licensed.argv(["ebuild", ebuild, "manifest"]), log=context.logfile("byhand"))
    build(context, licensed, VENDORS)
    return licensed


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.atom)
def test_a_file_of_a_vendor_without_a_digest_is_refused(refusal: str, vendor: Vendor) -> None:
    assert f"no digest of {vendor.file}" in refusal


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.atom)
def test_a_vendor_s_program_is_built_from_the_file_in_distfiles(
    inside: tuple[Context, Chroot], installed: Chroot, vendor: Vendor
) -> None:
    context, _ = inside
    for command in vendor.commands:
        argv = installed.argv([f"/opt/bin/{command}", "-v", "two words"])
        said = context.runner.capture(argv, log=context.logfile("byhand"))
        assert said == f"gold /opt/{vendor.atom.split('/')[1]} -v two words\n"
    assert list(installed.binds[settings.BINPKGS].glob(f"{vendor.atom}/*.gpkg.tar"))


def compile_all(inside: tuple[Context, Chroot], programs: Sequence[Source]) -> dict[str, str]:
    """Compiles programs from the files in distfiles/; returns what each of them prints, by its atom."""
    context, chroot = inside
    licensed = accepting(chroot)
    for library in {library for source in programs for library in source.libraries}:
        stand_in(context, licensed, library)
    provide(context, programs)
    for source in programs:
        manifests.make(context, context.root / "overlays/alchemy" / source.atom)
    build(context, licensed, programs)
    log = context.logfile("byhand")
    return {source.atom: context.runner.capture(licensed.argv([source.program]), log=log) for source in programs}


@pytest.fixture(scope="module")
def compiled(inside: tuple[Context, Chroot]) -> dict[str, str]:
    return compile_all(inside, SOURCES)


@pytest.fixture(scope="module")
def compiled_otherwise(inside: tuple[Context, Chroot], compiled: dict[str, str]) -> dict[str, str]:
    return compile_all(inside, OTHERS)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.atom)
def test_a_program_is_compiled_from_the_file_in_distfiles(compiled: dict[str, str], source: Source) -> None:
    assert compiled[source.atom] == "gold\n"


@pytest.mark.parametrize("source", OTHERS, ids=lambda source: source.atom)
def test_its_file_may_be_packed_in_another_way(compiled_otherwise: dict[str, str], source: Source) -> None:
    assert compiled_otherwise[source.atom] == "gold\n"


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
