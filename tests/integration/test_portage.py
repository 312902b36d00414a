"""Real Portage: a package is built, cached and installed into an image; one that fails says so."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

import pytest

from alchemy import archive, plan, system
from alchemy.context import Context
from alchemy.errors import BuildError, UserError
from alchemy.run import Runner

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


@pytest.fixture
def small(build_context: Context, tmp_path: Path) -> Context:
    """The context with one package set: two packages, one of them of the tests, in the tree of a copy."""
    root = tmp_path / "alchemy"
    shutil.copytree(build_context.root, root, symlinks=True)
    (root / "packages" / "packages.core").write_text("sys-apps/baselayout\napp-misc/transmute # of the tests\n")
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "stage3").symlink_to(build_context.cache / "stage3")
    return dataclasses.replace(
        build_context, root=root, work=tmp_path / "work", cache=cache, bin=root / "bin", runner=Runner()
    )


def add_package(context: Context, compile_phase: str, name: str = "transmute", more: str = "") -> None:
    folder = context.root / "overlays/embedded/app-misc" / name
    folder.mkdir(parents=True, exist_ok=True)
    text = EBUILD.replace("COMPILE", compile_phase).replace("transmute", name)
    (folder / f"{name}-1.ebuild").write_text(text + more)


def build_system(context: Context) -> Path:
    planned = plan.create(context)
    plan.realize(context, [planned["system"]])
    return planned["system"].output


def test_a_package_is_built_into_the_image_and_kept_as_a_binary(small: Context) -> None:
    add_package(small, "true")
    output = build_system(small)
    root = output / system.ROOT
    assert (root / "usr/bin/transmute").read_text() == "gold\n"
    assert not (root / "usr/share/doc").exists()
    assert not (root / "var/db/pkg").exists()
    packages = json.loads((output / system.PACKAGES).read_text())
    assert {"sys-apps/baselayout", "app-misc/transmute"} <= {f"{p['category']}/{p['name']}" for p in packages}
    assert list((small.cache / "packages").glob("*/app-misc/transmute/transmute-1-*.gpkg.tar"))


def test_a_changed_ebuild_is_built_again_without_a_revision(small: Context) -> None:
    add_package(small, "true")
    build_system(small)
    add_package(small, "echo changed >&2")
    build_system(small)
    log = small.logfile("system").read_text()
    assert re.search(r">>> Emerging \(\d of 2\) app-misc/transmute-1::embedded", log)
    assert re.search(r">>> Emerging binary \(\d of 2\) sys-apps/baselayout-", log)


def listing(root: Path) -> dict[str, tuple[int, int, int, str]]:
    """Every path below a root: permissions, owner, and a digest of what it holds."""
    return {
        str(path.relative_to(root)): (
            path.lstat().st_mode, path.lstat().st_uid, path.lstat().st_gid,
            "" if path.is_dir() and not path.is_symlink() else archive.digest(path),
        )
        for path in root.rglob("*")
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "added"), [("", True), ('pkg_postinst() {\n\ttouch "${EROOT}/etc/made-by-postinst"\n}\n', False)]
)
def test_a_package_more_gives_what_installing_all_would(small: Context, more: str, added: bool) -> None:
    sets = small.root / "packages" / "packages.core"
    add_package(small, "true")
    add_package(small, "true", "quicksilver", more)
    before = sets.read_text()
    sets.write_text(f"{before}app-misc/quicksilver\n")
    whole = build_system(small)
    expected = listing(whole / system.ROOT), (whole / system.PACKAGES).read_text()
    archive.remove(whole)
    sets.write_text(before)
    build_system(small)
    sets.write_text(f"{before}app-misc/quicksilver\n")
    planned = plan.create(small)
    plan.realize(small, [planned["tools"]])
    own = [planned["tools"].output / "root" / name for name in ("etc", "var")]
    before_adding = [listing(folder) for folder in own]
    output = build_system(small)
    assert [listing(folder) for folder in own] == before_adding
    assert (listing(output / system.ROOT), (output / system.PACKAGES).read_text()) == expected
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
