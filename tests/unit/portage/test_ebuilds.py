"""The ebuilds of overlays/, as bash reads them, and the places of their files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from alchemy.commands import ebuilds as commands
from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.portage import ebuilds, manifests
from alchemy.run import Runner
from tests import repository

pytestmark = pytest.mark.usefixtures("real_processes")

_GOLD = """\
EAPI=8
inherit vendor
MY_P=${P/_p/p}
DESCRIPTION="gold"
HOMEPAGE="https://gold.example https://other.example"
SRC_URI="
	mirror://debian/pool/main/g/gold/gold_${PV}.orig.tar.gz -> ${MY_P}.tar.gz
	https://gold.example/${MY_P}.tar.gz
	doc? ( mirror+https://gold.example/doc.zip )
"
LICENSE="MIT"
SLOT="2/7"
"""


@pytest.fixture
def real(context: Context) -> Context:
    """The context of the small repository, with a package and a runner that starts real processes."""
    folder = context.root / "overlays/embedded"
    (folder / "app-misc/gold").mkdir(parents=True)
    (folder / "app-misc/gold/gold-1.2_p3-r1.ebuild").write_text(_GOLD, encoding="utf-8")
    (folder / "eclass").mkdir()
    (folder / "eclass/vendor.eclass").write_text('EXPORT_FUNCTIONS src_install\nRESTRICT="strip"\n', encoding="utf-8")
    return dataclasses.replace(context, runner=Runner())


def test_an_ebuild_is_read_with_its_eclasses(real: Context) -> None:
    (ebuild,) = ebuilds.of(real, "app-misc/gold")
    assert (ebuild.atom, ebuild.version, ebuild.slot, ebuild.by_hand) == ("app-misc/gold", "1.2_p3-r1", "2", False)
    assert ebuild.variables["RESTRICT"] == "strip"
    assert ebuild.uris() == {
        "gold-1.2p3.tar.gz": [
            "https://gold.example/gold-1.2p3.tar.gz",
            "mirror://debian/pool/main/g/gold/gold_1.2_p3.orig.tar.gz",
        ],
        "doc.zip": ["https://gold.example/doc.zip"],
    }


@pytest.mark.parametrize("atom", ["app-misc/lead", "gold", "app-misc/gold:3", "*/*", "../app-misc/gold", ""])
def test_an_unknown_package_is_refused(real: Context, atom: str) -> None:
    with pytest.raises(UserError, match="no such ebuild in overlays/"):
        ebuilds.of(real, atom)


@pytest.mark.parametrize("text", ["die\n", "exit 1\n", "if\n", "echo no\n"])
def test_an_ebuild_that_cannot_be_read_is_named(real: Context, text: str) -> None:
    path = real.root / "overlays/embedded/app-misc/gold/gold-2.ebuild"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="some ebuilds cannot be read"):
        ebuilds.of(real, "app-misc/gold")


def test_the_places_of_a_file_are_in_the_order_of_the_build(real: Context) -> None:
    mirrored = dataclasses.replace(real, config=Config(mirrors=("/srv/distfiles",)))
    manifest = real.root / "overlays/embedded/app-misc/gold/Manifest"
    manifest.write_text("", encoding="utf-8")
    found = commands.sources(mirrored)["gold-1.2p3.tar.gz"]
    assert found[:3] == [
        "/srv/distfiles",
        "https://gold.example/gold-1.2p3.tar.gz",
        "mirror://debian/pool/main/g/gold/gold_1.2_p3.orig.tar.gz",
    ]
    assert found[3].startswith("mirror://debian-snapshot/2")
    assert found[3].endswith("Z/pool/main/g/gold/gold_1.2_p3.orig.tar.gz")


def test_every_file_of_every_manifest_has_two_places() -> None:
    context = dataclasses.replace(_of_this_repository(), runner=Runner())
    places = commands.sources(context)
    listed = {name for path in _manifests() for name in manifests.read(path.parent)}
    assert len(listed) > 100
    assert {name for name in listed if len(places.get(name, ())) < 2} == set()


def test_every_file_of_every_ebuild_is_in_a_manifest() -> None:
    context = dataclasses.replace(_of_this_repository(), runner=Runner())
    lacking = [
        f"{ebuild.atom}: {name}"
        for ebuild in ebuilds.every(context)
        if not ebuild.by_hand
        for name in ebuild.uris()
        if name not in manifests.read(ebuild.path.parent)
    ]
    assert lacking == []


def _manifests() -> list[Path]:
    return sorted((repository.ROOT / "overlays").glob("*/*/*/Manifest"))


def _of_this_repository() -> Context:
    from alchemy import context as contexts

    return contexts.create(repository.ROOT)
