"""Real Portage: a package is built, cached and installed into an image; one that fails says so."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import select
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.errors import BuildError, UserError, VerificationError
from alchemy.host import files
from alchemy.run import Runner
from alchemy.stages import outputs, plan
from tests.lib import tables
from tests.lib.mirror import Server

EBUILD = """\
EAPI=8

DESCRIPTION="A package of the tests"
SLOT="0"
KEYWORDS="amd64"
S=${WORKDIR}

src_compile() {
	COMPILE
}

src_install() {
	printf 'gold\\n' > transmute || die
	dobin transmute
	dodoc transmute
}
"""


def make_small(build_context: Context, folder: Path) -> Context:
    """Returns the context with one package set: two packages, one of them of the tests, in the tree of a copy."""
    root = folder / "alchemy"
    shutil.copytree(build_context.root, root, symlinks=True)
    (root / "packages" / "packages.core").write_text("sys-apps/baselayout\napp-misc/transmute # of the tests\n")
    (root / "chroot" / "setup.sh").write_text("")  # it requires what this image lacks, and no test sets it up
    cache = folder / "cache"
    cache.mkdir()
    (cache / "stage3").symlink_to(build_context.cache / "stage3")
    return dataclasses.replace(
        build_context, root=root, work=folder / "work", cache=cache, bin=root / "bin", runner=Runner()
    )


@pytest.fixture
def small(build_context: Context, tmp_path: Path) -> Context:
    return make_small(build_context, tmp_path)


def add_package(context: Context, compile_phase: str, name: str = "transmute", more: str = "") -> None:
    folder = context.root / "overlays/embedded/app-misc" / name
    folder.mkdir(parents=True, exist_ok=True)
    text = EBUILD.replace("COMPILE", compile_phase).replace("transmute", name)
    (folder / f"{name}-1.ebuild").write_text(text + more)


def build_system(context: Context) -> Path:
    planned = plan.create(context, plan.recall(context))
    plan.realize(context, [planned["system"]])
    return planned["system"].output


@pytest.fixture(scope="module")
def gold(build_context: Context, tmp_path_factory: pytest.TempPathFactory) -> Context:
    """The small context of the tests that begin with an image of their package."""
    context = make_small(build_context, tmp_path_factory.mktemp("gold"))
    add_package(context, "true")
    return context


def test_a_package_is_built_into_the_image_and_kept_as_a_binary(gold: Context) -> None:
    output = build_system(gold)
    root = output / outputs.ROOT
    assert (root / "usr/bin/transmute").read_text() == "gold\n"
    assert not (root / "usr/share/doc").exists()
    assert not (root / "var/db/pkg").exists()
    packages = json.loads((output / outputs.PACKAGES).read_text())
    assert {"sys-apps/baselayout", "app-misc/transmute"} <= {f"{p['category']}/{p['name']}" for p in packages}
    assert list((gold.cache / "packages").glob("*/app-misc/transmute-1/*/transmute-1-*.gpkg.tar"))


def test_a_changed_ebuild_is_built_again_without_a_revision(gold: Context) -> None:
    build_system(gold)
    add_package(gold, "echo changed >&2")
    build_system(gold)
    log = gold.logfile("system").read_text()
    assert re.search(r">>> Emerging \(\d of 2\) app-misc/transmute-1::embedded", log)
    assert re.search(r">>> Emerging binary \(\d of 2\) sys-apps/baselayout-", log)


def listing(root: Path) -> dict[str, tuple[int, int, int, str]]:
    """Every path below a root: permissions, owner, and a digest of what it holds."""
    return {
        str(path.relative_to(root)): (
            path.lstat().st_mode, path.lstat().st_uid, path.lstat().st_gid,
            "" if path.is_dir() and not path.is_symlink() else files.digest(path),
        )
        for path in root.rglob("*")
    }  # fmt: skip


MORE = {
    "files alone": ("", True),
    "a postinst": ('pkg_postinst() {\n\ttouch "${EROOT}/etc/made-by-postinst"\n}\n', False),
}


@pytest.mark.parametrize(("more", "added"), tables.rows(MORE, "files alone"))
def test_a_package_more_gives_what_installing_all_would(small: Context, more: str, added: bool) -> None:
    sets = small.root / "packages" / "packages.core"
    add_package(small, "true")
    add_package(small, "true", "quicksilver", more)
    before = sets.read_text()
    sets.write_text(f"{before}app-misc/quicksilver\n")
    whole = build_system(small)
    expected = listing(whole / outputs.ROOT), (whole / outputs.PACKAGES).read_text()
    files.remove(whole)
    sets.write_text(before)
    build_system(small)
    sets.write_text(f"{before}app-misc/quicksilver\n")
    planned = plan.create(small, plan.recall(small))
    plan.realize(small, [planned["tools"]])
    own = [planned["tools"].output / "root" / name for name in ("etc", "var")]
    before_adding = [listing(folder) for folder in own]
    output = build_system(small)
    assert [listing(folder) for folder in own] == before_adding
    assert (listing(output / outputs.ROOT), (output / outputs.PACKAGES).read_text()) == expected
    emerges = re.findall(r"^\$ .* emerge .*", small.logfile("system").read_text(), re.MULTILINE)
    assert "--nodeps" in emerges[0]
    assert (len(emerges) == 1) == added
    assert "usr/bin/quicksilver" in expected[0]


def test_a_package_that_fails_is_named_with_its_log(small: Context) -> None:
    add_package(small, 'echo "the lead stays lead" >&2; die "no gold"')
    with pytest.raises(BuildError) as caught:
        build_system(small)
    message = str(caught.value)
    assert "app-misc/transmute-1" in message
    assert "no gold" in message
    log = Path(message.split("log of the package: ")[1].splitlines()[0])
    assert "the lead stays lead" in log.read_text()
    assert not list((small.cache / "stages").glob(".system-*"))


def test_an_atom_that_is_nowhere_is_named(small: Context) -> None:
    packages = small.root / "packages" / "packages.core"
    packages.write_text("app-misc/philosophers-stone\n")
    with pytest.raises(UserError) as caught:
        build_system(small)
    assert caught.value.message.splitlines()[1] == "  packages/packages.core: app-misc/philosophers-stone"
    assert 'there are no ebuilds to satisfy "app-misc/philosophers-stone"' in caught.value.message
    assert str(caught.value.hint) == "edit packages/packages.core"


def test_use_flags_that_a_package_is_not_built_with_are_explained(small: Context) -> None:
    add_package(small, "true", "quicksilver", 'IUSE="+liquid"\n')
    packages = small.root / "packages" / "packages.core"
    packages.write_text("sys-apps/baselayout\napp-misc/quicksilver[-liquid]\n")
    with pytest.raises(UserError, match="Change USE: -liquid") as caught:
        build_system(small)
    assert str(caught.value.hint) == "edit etc/portage/package.use"
    (small.root / "etc/portage/package.use").write_text("app-misc/quicksilver -liquid\n")
    # the failure has stopped the runner
    build_system(dataclasses.replace(small, runner=Runner()))


def test_a_line_that_is_no_atom_is_named(small: Context) -> None:
    packages = small.root / "packages" / "packages.core"
    packages.write_text("sys-apps/baselayout\nnot an atom\n")
    with pytest.raises(UserError, match="not a package atom: not an atom"):
        build_system(small)


GOLD = b"gold, as its Manifest says\n"

# Each of its phases asks a web server and an abstract socket of the host; programs may not be called in global scope.
# What it leaves in the chroot has Portage ask as it fetches.
CURIOUS = r"""
SRC_URI="SOURCES"

ask_server() {
	( exec 3<>/dev/tcp/127.0.0.1/PORT && printf 'GET /from-%s HTTP/1.0\r\n\r\n' "${1}" >&3 ) 2>/dev/null
	return 0
}
ask() {
	ask_server "${1}"
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect("\0ABSTRACT")' 2>/dev/null
	return 0
}

ask_server global-scope
( echo "FETCHCOMMAND=\"sh -c 'curl http://127.0.0.1:PORT/from-fetch; wget -O \\\${DISTDIR}/\\\${FILE} \\\${URI}'\"" \
	>>/etc/portage/make.conf ) 2>/dev/null
pkg_pretend() { ask pretend; }
pkg_nofetch() { ask nofetch; }
pkg_setup() { ask setup; }
src_unpack() { ask unpack; }
src_prepare() { ask prepare; default; }
src_install() { ask install; dobin "${DISTDIR}/gold-1.txt"; }
pkg_postinst() { ask postinst; }
"""


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "mirror")
    yield server
    server.stop()


def add_source(context: Context, mirror: Server, content: bytes, more: str = "") -> None:
    """A package of a source that a mirror has at its second place only."""
    (mirror.folder / "second").mkdir(parents=True)
    (mirror.folder / "second/gold-1.txt").write_bytes(content)
    places = " ".join(f"{mirror.url}/{name}/gold-1.txt" for name in ("first", "second"))
    install = 'src_install() { dobin "${DISTDIR}/gold-1.txt"; }\n'
    add_package(context, "true", more=more.replace("SOURCES", places) or f'SRC_URI="{places}"\n{install}')
    digests = f"BLAKE2B {hashlib.blake2b(GOLD).hexdigest()} SHA512 {hashlib.sha512(GOLD).hexdigest()}"
    manifest = context.root / "overlays/embedded/app-misc/transmute/Manifest"
    manifest.write_text(f"DIST gold-1.txt {len(GOLD)} {digests}\n")


def test_a_source_that_is_not_as_its_manifest_says_ends_the_build(small: Context, mirror: Server) -> None:
    add_source(small, mirror, GOLD.upper())
    with pytest.raises(VerificationError) as caught:
        build_system(small)
    assert caught.value.status == 4
    assert f"{mirror.url}/second/gold-1.txt: digest mismatch (expected BLAKE2B" in caught.value.message
    assert not (small.cache / "distfiles/gold-1.txt").exists()
    assert "emerge --oneshot --usepkg" not in small.logfile("system").read_text()


@dataclasses.dataclass(frozen=True)
class Fetched:
    """An image of a package with a source: what the mirror was asked for, and whether a socket of the host was."""

    context: Context
    root: Path
    paths: list[str]
    is_socket_asked: bool


@pytest.fixture(scope="module")
def fetched(build_context: Context, tmp_path_factory: pytest.TempPathFactory) -> Fetched:
    """The image of the package whose phases ask services of the host."""
    folder = tmp_path_factory.mktemp("fetched")
    context, mirror = make_small(build_context, folder), Server(folder / "mirror")
    name = f"alchemy-test-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        stack.callback(mirror.stop)
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind(f"\0{name}")
        abstract.listen()
        port = mirror.url.rpartition(":")[2]
        add_source(context, mirror, GOLD, CURIOUS.replace("PORT", port).replace("ABSTRACT", name))
        root = build_system(context) / outputs.ROOT
        is_asked, _, _ = select.select([abstract], [], [], 0)
    return Fetched(context, root, [request.path for request in mirror.requests], bool(is_asked))


def test_a_source_is_fetched_from_the_place_that_has_it(fetched: Fetched) -> None:
    assert (fetched.root / "usr/bin/gold-1.txt").read_bytes() == GOLD
    assert fetched.paths == ["/first/gold-1.txt", "/second/gold-1.txt"]
    assert (fetched.context.cache / "distfiles/gold-1.txt").read_bytes() == GOLD


def test_no_phase_of_an_ebuild_reaches_a_service_of_the_host(fetched: Fetched) -> None:
    # what fetches the sources has asked the mirror
    assert set(fetched.paths) == {"/first/gold-1.txt", "/second/gold-1.txt"}
    assert not fetched.is_socket_asked
