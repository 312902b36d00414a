"""An image holds what its repositories say, whatever other states of them have left in the cache; and nothing that an
untrusted build has left there."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from alchemy.config.model import Config
from alchemy.config.remotes import Overlay, Sync
from alchemy.context import Context
from alchemy.errors import BuildError, VerificationError
from alchemy.host import files
from alchemy.run import Runner
from alchemy.stages import outputs, plan, stage3
from tests.lib import gits, tables

EBUILD = """\
EAPI=8
{inherit}
DESCRIPTION="A file, for a test"
HOMEPAGE="https://example.com/"
LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"
S="${{WORKDIR}}"

src_install() {{
	insinto /usr/share/bugfoo
	echo "{text} ${{PV}} ${{MARK}} $(cat "${{FILESDIR}}"/mark)" >x || die
	doins x
}}
"""


@dataclasses.dataclass(frozen=True)
class State:
    """A state of a repository with app-misc/bugfoo: its version, its text, and that of its eclass and of its files/."""

    version: str = "1.1"
    text: str = "first"
    eclass: str = "first"
    file: str = "first"
    # an ebuild of this version is there too, and does not fit the Manifest
    broken: str | None = None

    @property
    def installed(self) -> str:
        return f"{self.text} {self.version} {self.eclass} {self.file}\n"

    def write(self, repository: Path) -> None:
        """Writes it into a repository, over another state."""
        folder = repository / "app-misc/bugfoo"
        files.remove(folder)
        (folder / "files").mkdir(parents=True)
        (repository / "eclass").mkdir(exist_ok=True)
        # Portage gives no hint of which eclass is inherited when its name comes from a variable
        text = EBUILD.format(text=self.text, inherit='NAME=mark\n[[ ${PV} == 1* ]] && inherit "${NAME}"')
        (folder / f"bugfoo-{self.version}.ebuild").write_text(text)
        (folder / "files/mark").write_text(f"{self.file}\n")
        (repository / "eclass/mark.eclass").write_text(f'MARK="{self.eclass}"\n')
        if self.broken:
            (folder / f"bugfoo-{self.broken}.ebuild").write_text(text)
        (folder / "Manifest").write_text("".join(_entry(folder, path) for path in sorted(folder.rglob("*"))))
        if self.broken:
            (folder / f"bugfoo-{self.broken}.ebuild").write_text(f"{text}# changed\n")


def _entry(folder: Path, path: Path) -> str:
    """The line of a Manifest about a file (GLEP 74)."""
    if path.is_dir():
        return ""
    content = path.read_bytes()
    kind, name = ("EBUILD", path.name) if path.parent == folder else ("AUX", str(path.relative_to(folder / "files")))
    digests = f"BLAKE2B {hashlib.blake2b(content).hexdigest()} SHA512 {hashlib.sha512(content).hexdigest()}"
    return f"{kind} {name} {len(content)} {digests}\n"


ONE = State("1.0")
TWO = State()
TEXT = State(text="second")
ECLASS = State(text="second", eclass="second")
FILE = State(text="second", eclass="second", file="second")

Put = Callable[[State], Context]


@pytest.fixture
def small(build_context: Context, tmp_path: Path) -> Context:
    """The context with one set of two packages, and a cache that has the stage3 only."""
    root = tmp_path / "alchemy"
    shutil.copytree(build_context.root, root, symlinks=True)
    (root / "packages" / "packages.core").write_text("sys-apps/baselayout\napp-misc/bugfoo\n")
    (root / "chroot" / "setup.sh").write_text("")  # it requires what this image lacks, and no test sets it up
    return elsewhere(dataclasses.replace(build_context, root=root, bin=root / "bin"), tmp_path / "cache")


def elsewhere(context: Context, cache: Path) -> Context:
    """The context with a new cache."""
    cache.mkdir()
    (cache / "stage3").symlink_to((context.cache / "stage3").resolve())
    return dataclasses.replace(context, cache=cache, work=cache.with_name("work"), runner=Runner())


def build_system(context: Context) -> Path:
    """Builds the system, even if it is there; its output."""
    for output in (context.cache / "stages").glob("system-*"):
        files.remove(output)
    planned = plan.create(context, plan.recall(context))
    plan.realize(context, [planned["system"]])
    return planned["system"].output


def shown(output: Path) -> tuple[str, str, str]:
    """What the image has of app-misc/bugfoo, the list of its packages, and a digest of its files."""
    root = output / outputs.ROOT
    return (root / "usr/share/bugfoo/x").read_text(), (output / outputs.PACKAGES).read_text(), files.digest(root)


def versions(output: Path) -> dict[str, str]:
    listed = json.loads((output / outputs.PACKAGES).read_text())
    return {package["name"]: package["version"] for package in listed}


def emerged(context: Context) -> set[str]:
    """The packages that the last build has built from source."""
    log = context.logfile("system").read_text()
    return set(re.findall(r">>> Emerging \(\d+ of \d+\) (\S+)::", log))


def overlay(context: Context, folder: Path) -> Put:
    """A repository in git that is laid over the others, at a commit for each state."""
    git = gits.make(folder)
    git.commit("profiles/repo_name", "mine\n")
    git.commit("profiles/categories", "app-misc\n")
    git.commit("metadata/layout.conf", "masters = gentoo\nthin-manifests = false\n")

    def put(state: State) -> Context:
        state.write(folder)
        git.git("add", "--all")
        git.git("commit", "--quiet", "--allow-empty", "-m", "a state")
        pinned = Overlay(url=f"file://{folder}", commit=git.git("rev-parse", "HEAD"))
        return dataclasses.replace(context, config=Config(overlays=(pinned,), jobs=2), runner=Runner())

    return put


def ours(context: Context, _: Path) -> Put:
    """A repository of overlays/."""

    def put(state: State) -> Context:
        state.write(context.root / "overlays/embedded")
        return dataclasses.replace(context, runner=Runner())

    return put


def main_tree(context: Context, folder: Path) -> Put:
    """The main repository, synced with git, of a stage3 that is fetched."""
    shutil.copytree(context.root / "overlays/embedded", folder)
    git = gits.Repository(folder)
    git.git("init", "--quiet", "--initial-branch=main")
    tarball = next((context.cache / "stage3").glob(f"*/{stage3.TARBALL}")).resolve()
    cache = context.cache / "stage3"
    cache.unlink()

    def put(state: State) -> Context:
        state.write(folder)
        git.git("add", "--all")
        git.git("commit", "--quiet", "--allow-empty", "-m", "a state")
        synced = Sync(method="git", url=f"file://{folder}", commit=git.git("rev-parse", "HEAD"), verify=False)
        config = Config(stage3_url=f"file://{tarball}", stage3_sha256=files.sha256(tarball), sync=synced, jobs=2)
        return dataclasses.replace(context, config=config, runner=Runner())

    return put


WALKS = {
    "an overlay": (overlay, (TWO, ECLASS, TWO)),
    "an overlay, through all": (overlay, (TWO, ONE, TEXT, ECLASS, FILE, TWO, ECLASS)),
    "a repository of overlays/": (ours, (TWO, ONE, TEXT, TWO)),
    "the main repository": (main_tree, (TWO, ONE, ECLASS, TWO)),
}


@pytest.mark.parametrize(("repository", "walk"), tables.rows(WALKS, "an overlay"))
def test_an_image_is_of_the_state_of_its_repositories_forth_and_back(
    small: Context, tmp_path: Path, repository: Callable[[Context, Path], Put], walk: tuple[State, ...]
) -> None:
    put = repository(small, tmp_path / "repository")
    seen: dict[State, tuple[str, str, str]] = {}
    for state in walk:
        context = put(state)
        output = build_system(context)
        found = shown(output)
        assert (found[0], versions(output)["bugfoo"]) == (state.installed, state.version)
        # a state that was there before costs nothing
        assert {package.partition("-1")[0] for package in emerged(context)} & {"app-misc/bugfoo"} == (
            set() if state in seen else {"app-misc/bugfoo"}
        )
        assert seen.setdefault(state, found) == found


@pytest.mark.exhaustive
def test_what_is_built_with_the_cache_of_other_states_is_what_is_built_from_nothing(
    small: Context, tmp_path: Path
) -> None:
    put = overlay(small, tmp_path / "repository")
    for state in (TWO, FILE):
        build_system(put(state))
    last = put(ONE)
    (tmp_path / "nothing").mkdir()
    assert shown(build_system(last)) == shown(build_system(elsewhere(last, tmp_path / "nothing/cache")))


@pytest.mark.exhaustive
def test_an_ebuild_that_does_not_fit_its_manifest_is_not_replaced_by_another_version(
    small: Context, tmp_path: Path
) -> None:
    put = overlay(small, tmp_path / "repository")
    build_system(put(ONE))
    with pytest.raises(VerificationError, match="Digest verification failed") as caught:
        build_system(put(dataclasses.replace(ONE, broken="1.2")))
    assert "bugfoo-1.2.ebuild" in caught.value.message
    assert caught.value.status == 4


EVIL = """\
EAPI=8
DESCRIPTION="Writes wherever it can"
SLOT="0"
KEYWORDS="amd64"
S="${WORKDIR}"

src_install() {
	local file
	for file in $(find / -xdev -name '*.gpkg.tar') /var/cache/binpkgs/*/*/*.gpkg.tar; do
		echo poisoned >"${file}"
	done
	mkdir -p /var/cache/binpkgs/app-misc/bugfoo
	echo poisoned >/var/cache/binpkgs/app-misc/bugfoo/bugfoo-1.1-99.gpkg.tar
}
"""


@pytest.mark.exhaustive
def test_an_ebuild_that_replaces_binary_packages_changes_no_trusted_build(small: Context, tmp_path: Path) -> None:
    TWO.write(small.root / "overlays/embedded")
    before = shown(build_system(small))
    git = gits.make(tmp_path / "evil")
    git.commit("profiles/repo_name", "evil\n")
    git.commit("profiles/categories", "app-misc\n")
    git.commit("metadata/layout.conf", "masters = gentoo\nthin-manifests = true\n")
    commit = git.commit("app-misc/evil/evil-1.ebuild", EVIL)
    sets = small.root / "packages/packages.core"
    text = sets.read_text()
    sets.write_text(f"app-misc/evil\n{text}")
    untrusted = Config(overlays=(Overlay(url=f"file://{tmp_path / 'evil'}", commit=commit),), jobs=1)
    try:
        build_system(dataclasses.replace(small, config=untrusted, runner=Runner()))
    except (BuildError, VerificationError):
        # its file is not a package
        assert "poisoned" not in small.logfile("system").read_text()
    sets.write_text(text)
    trusted = dataclasses.replace(small, runner=Runner())
    assert shown(build_system(trusted)) == before
    assert emerged(trusted) == set()


MAKEFILE = """\
allnoconfig:
	cp .config.requested .config
bzImage:
	mkdir -p arch/x86/boot include/config
	{command}
	echo 6.12.0$(LOCALVERSION) > include/config/kernel.release
	: > modules.builtin.modinfo
"""


def test_a_kernel_that_writes_into_the_compiler_cache_changes_no_other_kernel(small: Context, tmp_path: Path) -> None:
    (small.root / "kernels/x86_64/6.12").write_text("CONFIG_64BIT=y\n")
    image = "arch/x86/boot/bzImage"
    commands = {
        "evil": f"echo poisoned | tee /mnt/ccache/object >{image}",
        "good": f"cat /mnt/ccache/object >{image} || echo compiled >{image}",
    }
    images = {}
    for name, command in commands.items():
        folder = tmp_path / name / "linux"
        folder.mkdir(parents=True)
        (folder / "Makefile").write_text(MAKEFILE.format(command=command))
        # the same name: what is kept apart is not kept apart by it
        tarball = tmp_path / "linux.tar.gz"
        with tarfile.open(tarball, "w:gz") as file:
            file.add(folder, "linux")
        config = Config(linux_url=f"file://{tarball}", linux_sha256=files.sha256(tarball), jobs=1)
        configured = dataclasses.replace(small, config=config, runner=Runner())
        planned = plan.create(configured, plan.recall(configured))
        plan.realize(small, [planned["kernel"]])
        images[name] = (planned["kernel"].output / outputs.KERNEL).read_text()
    assert images == {"evil": "poisoned\n", "good": "compiled\n"}
