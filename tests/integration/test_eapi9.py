"""Ebuilds and profiles of EAPI 9, on a stage3 whose bash is new enough for them: that of Debian's next suite."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.errors import AlchemyError
from alchemy.fetch import debian_package
from alchemy.host import files
from alchemy.stages import outputs, plan, stage3
from tests import repository
from tests.integration import layout, realtree
from tests.lib.clones import Clone, kernel_source, small_clone
from tests.lib.keys import Key
from tests.lib.mirror import Server

pytestmark = pytest.mark.exhaustive

SUITE = "forky"

# bash 5.3 alone understands this substitution; a failure in a pipe is noticed, and one that is expected is shown
_PIPES = """\
src_compile() {
	[[ ${ echo gold; } == gold ]] || die "this is an older bash"
	edo mkdir ore
	printf 'lead\\ngold\\n' | grep gold >ore/metal
	pipestatus || die
	false | true
	pipestatus -v >ore/status && die "a failure in a pipe goes unnoticed"
}

src_install() {
	insinto /usr/share/nine
	doins ore/*
}
"""

# no version is replaced, and variables are there for the ebuild alone
_INSTALLED = """\
src_install() {
	[[ -n ${PN} && -z $(printenv PN) ]] || die "variables of the ebuild are in the environment"
	insinto /usr/share/nine
	newins - eapi <<<"${EAPI}"
}

pkg_postinst() {
	ver_replacing -lt 9 || echo first >"${EROOT}"/usr/share/nine/version || die
}
"""

_STABLE = """\
src_install() {
	insinto /usr/share/nine
	newins - use <<<"$(usev gold) $(usev lead) $(usev tin)"
}
"""

PACKAGES: Mapping[str, str] = {
    "pipes": realtree.ebuild(_PIPES, EAPI="9", RDEPEND="app-misc/installed"),
    "installed": realtree.ebuild(_INSTALLED, EAPI="9"),
    "stable": realtree.ebuild(_STABLE, EAPI="9", IUSE="gold lead tin"),
    # one of EAPI 8 beside them
    "older": realtree.ebuild(realtree.installs("/usr/share/nine/older", "${EAPI}"), RDEPEND="app-misc/pipes"),
}

# what EAPI 9 takes away, and what Portage says of it
BANNED = {"assert": "'assert' banned in EAPI 9", "domo": "'domo' has been banned for EAPI '9'"}

ATOMS = ["sys-apps/baselayout", "sys-apps/busybox", "app-misc/stable", "app-misc/older"]


def overlay(folder: Path) -> None:
    """A repository `vendor` of EAPI 9: a profile has it, too, where it names none."""
    profile = "profiles/node"
    texts = {
        "profiles/repo_name": "vendor\n",
        "profiles/eapi": "9\n",
        f"{profile}/use.stable": "gold\n",
        f"{profile}/package.use.stable": "app-misc/stable lead\n",
        "metadata/layout.conf": "masters = gentoo\nthin-manifests = true\nprofile-formats = portage-2\n",
        **{f"app-misc/{name}/{name}-9.ebuild": text for name, text in PACKAGES.items()},
        **{
            f"app-misc/with-{name}/with-{name}-9.ebuild": realtree.ebuild(f"src_install() {{\n\t{name}\n}}\n", EAPI="9")
            for name in BANNED
        },
    }
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def bash(build_context: Context, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The program bash of the next suite, whose package apt has verified."""
    folder = tmp_path_factory.mktemp("bash")
    try:
        deb = debian_package.fetch(build_context, SUITE, "bash", folder, folder / "log")
    except AlchemyError as error:
        repository.skip_or_fail(f"EAPI 9 needs a bash of Debian's {SUITE}: {error.message}")
    subprocess.run(["dpkg-deb", "--extract", deb, folder / "unpacked"], check=True)
    return (folder / "unpacked/usr/bin/bash").read_bytes()


@pytest.fixture(scope="module")
def clone(
    build_context: Context, bash: bytes, secrets: Mapping[str, Key], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Clone]:
    """A clone whose user has configured a stage3 with that bash, and an overlay of EAPI 9, with an image."""
    folder = tmp_path_factory.mktemp("eapi9")
    base = plan.create(build_context, plan.recall(build_context))["stage3"]
    plan.realize(build_context, [base])
    (folder / "mirror").mkdir()
    tarball = folder / "mirror/stage3.tar.zst"
    layout.stage3(base.output / stage3.TARBALL, tarball, "gentoo", secrets["ours"], {"bash": bash})
    layout.serve(layout.tree(folder / "tree", "gentoo"), folder / "mirror/git/gentoo.git")
    linux = kernel_source(folder / "mirror")
    made = small_clone(folder / "clone", ATOMS, shared=("distfiles",))
    overlay(made.root / "overlays/vendor")
    server = Server(folder / "mirror")
    made.configure(
        {
            "stage3_url": f"{server.url}/{tarball.name}",
            "stage3_sha256": files.sha256(tarball),
            "sync": {"method": "git", "url": f"{server.url}/git/gentoo.git", "verify": False},
            "profile": [f"gentoo:{layout.PROFILE}", "vendor:node"],
            "linux_url": f"{server.url}/{linux.name}",
            "linux_sha256": files.sha256(linux),
        }
    )
    try:
        made.build("build.all", "--version=1.2")
        yield made
    finally:
        server.stop()


SHOWN = {
    "the EAPI of a package": ("eapi", "9"),
    "edo, and pipestatus of a pipe that succeeds": ("metal", "gold"),
    "pipestatus of a pipe that fails": ("status", "1 0"),
    "ver_replacing at the first installation": ("version", "first"),
    "use.stable and package.use.stable of a profile": ("use", "gold lead "),
    "a package of EAPI 8 that needs one of EAPI 9": ("older", "8"),
}


@pytest.mark.parametrize(("name", "text"), SHOWN.values(), ids=SHOWN)
def test_the_image_has_what_packages_of_eapi_9_install(clone: Clone, name: str, text: str) -> None:
    (root,) = clone.cache.glob(f"stages/system-*/{outputs.ROOT}")
    assert (root / "usr/share/nine" / name).read_text(encoding="utf-8") == f"{text}\n"


def test_the_manifest_lists_packages_of_eapi_9_and_their_profile(clone: Clone) -> None:
    manifest = json.loads((clone.root / "bin/manifest.json").read_text(encoding="utf-8"))
    assert manifest["profile"] == [f"gentoo:{layout.PROFILE}", "vendor:node"]
    listed = {f"{package['category']}/{package['name']}": package["version"] for package in manifest["packages"]}
    assert {f"app-misc/{name}" for name in PACKAGES} <= listed.keys()
    assert {listed[f"app-misc/{name}"] for name in PACKAGES} == {"9"}


@pytest.mark.parametrize(("name", "said"), BANNED.items(), ids=BANNED)
def test_a_command_that_eapi_9_has_banned_ends_the_build(clone: Clone, name: str, said: str) -> None:
    sets = clone.root / "packages/packages.core"
    sets.write_text(f"app-misc/with-{name}\n", encoding="utf-8")
    status, message = clone.run("build.system")
    assert status != 0
    assert f"app-misc/with-{name}-9: failed to build" in message
    assert said in message
