from __future__ import annotations

import configparser
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from alchemy import portage, repositories
from alchemy.chroot import Chroot
from alchemy.config import Config
from alchemy.context import Context
from alchemy.portage import Package
from alchemy.repositories import Repositories
from tests.unit.fakes import FakeRunner


@pytest.mark.parametrize(
    "atom",
    [
        "sys-apps/busybox",
        "=sys-apps/busybox-1.37.0",
        "=sys-apps/busybox-1.37*",
        "~sys-apps/busybox-1.37.0",
        ">=dev-libs/openssl-3.0.0_p1-r2",
        "<=dev-libs/openssl-3",
        "<dev-libs/openssl-4",
        ">dev-libs/openssl-1",
        "dev-libs/openssl:0",
        "dev-libs/openssl:0/3",
        "dev-libs/openssl:=",
        "dev-libs/openssl:*",
        "dev-libs/openssl:0=",
        "net-misc/curl[ssl,-ldap]",
        "net-misc/curl[ssl?,!ldap?,idn=]",
        "net-misc/curl:0[ssl(+)]",
        "dev-cpp/gtkmm",
        "x11-libs/gtk+",
        "virtual/libc",
        "0ad/_game",
    ],
)
def test_an_atom_is_taken(tmp_path: Path, atom: str) -> None:
    (tmp_path / "set").write_text(f"# a set\n{atom}  # why\n\n", encoding="utf-8")
    assert portage.read_set(tmp_path / "set") == [atom]


@pytest.mark.parametrize(
    "line",
    [
        "busybox",
        "sys-apps/",
        "/busybox",
        "sys-apps/busybox sys-apps/bash",
        "!sys-apps/busybox",
        "!!sys-apps/busybox",
        "ssl? ( dev-libs/openssl )",
        "|| ( a/b c/d )",
        "@system",
        "Sys-apps/busybox",
        "sys-apps/busybox:",
        "sys-apps/busybox[]",
        "sys-apps/busybox[ssl",
        "sys-apps/busybox;rm",
        "--pretend",
        "==sys-apps/busybox-1",
        "sys-apps/busybox/",
        "../sys-apps/busybox",
    ],
)
def test_a_line_that_is_no_atom_is_refused_by_name(tmp_path: Path, line: str) -> None:
    (tmp_path / "set").write_text(f"sys-apps/bash\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="set: not a package atom: ") as caught:
        portage.read_set(tmp_path / "set")
    assert str(caught.value).endswith(line)


@pytest.mark.parametrize(
    ("full", "name", "version"),
    [
        ("busybox-1.37.0", "busybox", "1.37.0"),
        ("gcc-runtime-1", "gcc-runtime", "1"),
        ("openssh-10.0_p1", "openssh", "10.0_p1"),
        ("lshw-02.19.2_p20210619", "lshw", "02.19.2_p20210619"),
        ("openssl-1.1.1w-r3", "openssl", "1.1.1w-r3"),
        ("x-1.0_rc", "x", "1.0_rc"),
        ("x-1_alpha2_p3-r4", "x", "1_alpha2_p3-r4"),
        ("font-adobe-100dpi-1.0.4", "font-adobe-100dpi", "1.0.4"),
        ("gtk+-3.24", "gtk+", "3.24"),
        ("ca-certificates-20250419", "ca-certificates", "20250419"),
    ],
)
def test_a_package_is_split_from_its_version(full: str, name: str, version: str) -> None:
    assert portage.split_version(full) == (name, version)


@pytest.mark.parametrize("full", ["busybox", "busybox-", "-1.0", "busybox-x", "busybox-1.0_gamma1", "busybox-1.0-r"])
def test_what_has_no_version_is_refused(full: str) -> None:
    with pytest.raises(ValueError, match="not a package with a version"):
        portage.split_version(full)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with three ebuilds, of which one inherits an eclass and one has files."""
    files = {
        "eclass/meson.eclass": "# an eclass\ninherit toolchain\n",
        "eclass/toolchain.eclass": "# inherited by another\ninherit meson\n",
        "eclass/other.eclass": "# nobody's\n",
        "app-misc/plain/plain-1.ebuild": "EAPI=8\n",
        "app-misc/plain/Manifest": "DIST plain-1.tar.gz\n",
        "app-misc/patched/patched-1-r1.ebuild": "EAPI=8\n",
        "app-misc/patched/files/a.patch": "a patch\n",
        "dev-libs/inheriting/inheriting-2.ebuild": "EAPI=8\ninherit meson\n",
        "profiles/repo_name": "tree\n",
    }
    for name, text in files.items():
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_text(text, encoding="utf-8")
    return tmp_path / "tree"


ALL = {"app-misc/plain-1", "app-misc/patched-1-r1", "dev-libs/inheriting-2"}


def test_every_ebuild_has_a_digest(tree: Path) -> None:
    assert portage.ebuild_digests(tree).keys() == ALL


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("app-misc/plain/plain-1.ebuild", {"app-misc/plain-1"}),
        ("app-misc/patched/files/a.patch", {"app-misc/patched-1-r1"}),
        ("app-misc/patched/files/b.patch", {"app-misc/patched-1-r1"}),
        ("eclass/meson.eclass", {"dev-libs/inheriting-2"}),
        ("eclass/toolchain.eclass", {"dev-libs/inheriting-2"}),
        ("eclass/other.eclass", set()),
        ("eclass/new.eclass", set()),
        ("app-misc/plain/Manifest", set()),
        ("profiles/repo_name", set()),
    ],
)
def test_a_change_of_a_file_changes_the_digests_of(tree: Path, name: str, changed: set[str]) -> None:
    before = portage.ebuild_digests(tree)
    (tree / name).write_text("something else\ninherit meson\n", encoding="utf-8")
    after = portage.ebuild_digests(tree)
    assert {key for key in after if after[key] != before[key]} == changed


@pytest.fixture
def binpkgs(tmp_path: Path) -> Path:
    """A PKGDIR with packages of the tree, and others that look like them."""
    folder = tmp_path / "binpkgs"
    for name in (
        "app-misc/plain/plain-1-1.gpkg.tar",
        "app-misc/plain/plain-1-2.gpkg.tar",
        "app-misc/plain/plain-1-r1-1.gpkg.tar",
        "app-misc/plain/plain-1.1-1.gpkg.tar",
        "app-misc/patched/patched-1-r1-1.gpkg.tar",
        "dev-libs/inheriting/inheriting-2-1.gpkg.tar",
        "Packages",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def packages(folder: Path) -> set[str]:
    return {path.name.removesuffix(".gpkg.tar") for path in folder.rglob("*.gpkg.tar")}


def drop(binpkgs: Path, tree: Path) -> list[str]:
    """What a build does: drop what is stale, and note what it will build from."""
    stale = portage.drop_stale(binpkgs, [tree])
    portage.note_ebuilds(binpkgs, [tree])
    return stale


def test_the_first_look_at_the_ebuilds_drops_nothing(binpkgs: Path, tree: Path) -> None:
    before = packages(binpkgs)
    assert drop(binpkgs, tree) == []
    assert packages(binpkgs) == before


def test_binary_packages_of_a_changed_ebuild_are_dropped_and_no_others(binpkgs: Path, tree: Path) -> None:
    drop(binpkgs, tree)
    before = packages(binpkgs)
    (tree / "app-misc/plain/plain-1.ebuild").write_text("EAPI=8\n# changed\n", encoding="utf-8")
    assert drop(binpkgs, tree) == ["app-misc/plain-1"]
    assert before - packages(binpkgs) == {"plain-1-1", "plain-1-2"}
    assert (binpkgs / "Packages").exists()


def test_a_dropped_package_is_dropped_once(binpkgs: Path, tree: Path) -> None:
    drop(binpkgs, tree)
    (tree / "eclass/meson.eclass").write_text("# changed\n", encoding="utf-8")
    assert drop(binpkgs, tree) == ["dev-libs/inheriting-2"]
    (binpkgs / "dev-libs/inheriting/inheriting-2-1.gpkg.tar").touch()
    assert drop(binpkgs, tree) == []
    assert "inheriting-2-1" in packages(binpkgs)


def test_an_ebuild_that_comes_back_changed_is_noticed(binpkgs: Path, tree: Path) -> None:
    drop(binpkgs, tree)
    ebuild = tree / "app-misc/plain/plain-1.ebuild"
    ebuild.unlink()
    assert drop(binpkgs, tree) == []
    ebuild.write_text("EAPI=8\n# changed\n", encoding="utf-8")
    assert drop(binpkgs, tree) == ["app-misc/plain-1"]


def test_what_is_stale_stays_so_until_the_ebuilds_are_noted(binpkgs: Path, tree: Path) -> None:
    drop(binpkgs, tree)
    (tree / "app-misc/plain/plain-1.ebuild").write_text("EAPI=8\n# changed\n", encoding="utf-8")
    for _ in range(2):
        assert portage.drop_stale(binpkgs, [tree]) == ["app-misc/plain-1"]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A root with Portage's database of two packages, and what a killed merge leaves."""
    texts = {
        "sys-apps/busybox-1.37.0-r1": {
            "PF": "busybox-1.37.0-r1\n",
            "SLOT": "0/1.37\n",
            "repository": "embedded\n",
            "IUSE": "+static -debug selinux\n",
            "USE": "amd64 elibc_glibc static selinux\n",
            "LICENSE": "GPL-2\n",
            "SIZE": "1048576\n",
        },
        "app-misc/gold-1": {"PF": "gold-1\n", "SLOT": "0\n"},
    }
    for package, files in texts.items():
        folder = tmp_path / "image/var/db/pkg" / package
        folder.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    return tmp_path / "image"


def test_the_installed_packages_are_read_from_portages_database(image: Path) -> None:
    gold, busybox = portage.installed(image)
    assert busybox == Package(
        category="sys-apps",
        name="busybox",
        version="1.37.0-r1",
        slot="0",
        repository="embedded",
        use=("selinux", "static"),
        licence="GPL-2",
        size=1048576,
    )
    assert busybox.atom == "sys-apps/busybox"
    assert (gold.atom, gold.use, gold.licence, gold.size) == ("app-misc/gold", (), "", 0)


def test_an_installed_package_can_be_put_into_the_manifest(image: Path) -> None:
    described = json.loads(json.dumps(portage.installed(image)[1].as_json()))
    assert described["use"] == ["selinux", "static"]
    assert described["version"] == "1.37.0-r1"


def test_a_root_without_a_database_has_no_packages(tmp_path: Path) -> None:
    assert portage.installed(tmp_path) == []


@pytest.fixture
def chroot(tmp_path: Path) -> Chroot:
    inside = Chroot(tmp_path / "chroot")
    (inside / "etc/portage").mkdir(parents=True)
    (inside / "etc/portage/make.profile").symlink_to("../../var/db/repos/embedded/profiles/default")
    return inside


@pytest.mark.parametrize(
    ("listing", "mirrors"), [("", None), ("Debian|trixie|http://m/debian/\n", "debian http://m/debian\n")]
)
def test_portage_is_configured_in_the_chroot(
    context: Context,
    runner: FakeRunner,
    chroot: Chroot,
    monkeypatch: pytest.MonkeyPatch,
    listing: str,
    mirrors: str | None,
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    runner.answers["apt-get"] = listing
    (chroot / "etc/portage/make.conf").write_text('CFLAGS="-O2 -of-the-stage3"\n', encoding="utf-8")
    context = dataclasses.replace(context, config=Config(jobs=7, accept_licenses=("EULA",)))
    available = repositories.collect(context, ())
    portage.configure(context, chroot, available, ["sys-apps/busybox", "app-shells/bash"])
    files = {name: chroot / "etc/portage" / name for name in ("make.conf", "sets/alchemy", "repos.conf/alchemy.conf")}
    texts = {name: path.read_text(encoding="utf-8") for name, path in files.items()}
    assert texts["sets/alchemy"] == "sys-apps/busybox\napp-shells/bash\n"
    assert "-of-the-stage3" in texts["make.conf"]
    assert "-j7" in texts["make.conf"]
    assert "EULA" in texts["make.conf"]
    assert "[alchemy]" in texts["repos.conf/alchemy.conf"]
    assert (chroot / "etc/portage/package.use/alchemy").exists()
    written = chroot / "etc/portage/mirrors"
    assert (written.read_text(encoding="utf-8") if written.exists() else None) == mirrors


@pytest.fixture
def no_apt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)


def read(chroot: Chroot, name: str) -> str:
    return (chroot / name).read_text(encoding="utf-8")


@pytest.mark.usefixtures("no_apt")
def test_portage_knows_of_no_repositories_but_those_of_the_configuration(context: Context, chroot: Chroot) -> None:
    stage3s = chroot / "usr/share/portage/config/repos.conf"
    stage3s.parent.mkdir(parents=True)
    for path in (stage3s, chroot / "etc/portage/repos.conf"):
        path.write_text("[gentoo]\nlocation = /var/db/repos/gentoo\n", encoding="utf-8")
    tree = chroot / "tree"
    available = Repositories("core-kit", {"core-kit": tree, "guru": tree, "alchemy": tree}, {"alchemy": tree})
    portage.configure(context, chroot, available, [])
    conf = configparser.ConfigParser()
    conf.read_string(read(chroot, "etc/portage/repos.conf/alchemy.conf"))
    assert conf.defaults() == {"main-repo": "core-kit"}
    assert conf.sections() == ["core-kit", "guru", "alchemy"]
    assert conf["core-kit"]["aliases"] == "gentoo"
    assert conf["core-kit"]["location"] == "/var/db/repos/core-kit"
    assert int(conf["guru"]["priority"]) < int(conf["alchemy"]["priority"])
    assert [path.name for path in (chroot / "etc/portage/repos.conf").iterdir()] == ["alchemy.conf"]
    assert not stage3s.exists()


@pytest.mark.usefixtures("no_apt")
def test_the_repositories_of_a_stage3_are_kept_where_none_is_synced(context: Context, chroot: Chroot) -> None:
    (chroot / "etc/portage/repos.conf").write_text("[gentoo]\n", encoding="utf-8")
    portage.configure(context, chroot, repositories.collect(context, ()), [])
    assert read(chroot, "etc/portage/repos.conf/stage3") == "[gentoo]\n"
    assert "main-repo" not in read(chroot, "etc/portage/repos.conf/alchemy.conf")


@pytest.mark.usefixtures("no_apt")
def test_each_package_file_of_etc_portage_is_laid_over_the_stage3s(context: Context, chroot: Chroot) -> None:
    (context.root / "etc/portage/package.accept_keywords").write_text("a/b ~amd64\n", encoding="utf-8")
    (chroot / "etc/portage/package.use").write_text("a/b static\n", encoding="utf-8")
    portage.configure(context, chroot, repositories.NONE, [])
    assert read(chroot, "etc/portage/package.accept_keywords/alchemy") == "a/b ~amd64\n"
    assert read(chroot, "etc/portage/package.use/stage3") == "a/b static\n"
    assert "lldpd" in read(chroot, "etc/portage/package.use/alchemy")


def test_a_profile_may_be_a_folder(context: Context, runner: FakeRunner, chroot: Chroot) -> None:
    runner.answers["bwrap"] = "CFLAGS=-O2"
    path = chroot / "etc/portage/make.profile"
    path.unlink()
    path.mkdir()
    folders = []
    for parent in ("core-kit:arch/x86-64bit", "core-kit:arch/arm-64bit"):
        (path / "parent").write_text(parent, encoding="utf-8")
        folders.append(portage.package_cache(context, chroot, context.logfile("system")))
    assert folders[0] != folders[1]


def profile(chroot: Chroot, target: str) -> None:
    (chroot / "etc/portage/make.profile").unlink()
    (chroot / "etc/portage/make.profile").symlink_to(target)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        pytest.param(lambda runner, chroot: None, True, id="nothing"),
        pytest.param(lambda runner, chroot: runner.answers.update(bwrap="CFLAGS=-O3"), False, id="CFLAGS or compiler"),
        pytest.param(lambda runner, chroot: profile(chroot, "../other"), False, id="profile"),
    ],
)
def test_binary_packages_have_a_folder_for_what_portage_does_not_compare(
    context: Context,
    runner: FakeRunner,
    chroot: Chroot,
    change: Callable[[FakeRunner, Chroot], None],
    same: bool,
) -> None:
    runner.answers["bwrap"] = "CFLAGS=-O2"
    folders = [portage.package_cache(context, chroot, context.logfile("system"))]
    change(runner, chroot)
    folders.append(portage.package_cache(context, chroot, context.logfile("system")))
    assert all(folder.is_dir() and folder.parent == context.cache / "packages" for folder in folders)
    assert (folders[0] == folders[1]) == same


BUSYBOX = portage.Package("sys-apps", "busybox", "1.37.0-r2", "0", "embedded", (), "GPL-2", 1)


@pytest.mark.parametrize(
    ("versions", "names"),
    [
        (["1.37.0-r2"], ["busybox-1.36.tar", "busybox-1.37.0.tar", "patches.tar"]),
        (["1.36", "1.37.0-r2"], ["busybox-1.37.0.tar"]),
    ],
)
def test_the_sources_of_a_package_are_those_of_its_manifest(
    tmp_path: Path, versions: list[str], names: list[str]
) -> None:
    folder = tmp_path / "sys-apps/busybox"
    folder.mkdir(parents=True)
    for version in versions:
        (folder / f"busybox-{version}.ebuild").touch()
    files = ("busybox-1.37.0.tar", "busybox-1.36.tar", "patches.tar")
    lines = [f"DIST {name} 9 BLAKE2B 00 SHA512 {number}{number}" for number, name in enumerate(files)]
    (folder / "Manifest").write_text("\n".join(["EBUILD x 1 SHA512 ff", *lines]), encoding="ascii")
    (package,) = portage.with_sources([BUSYBOX], {"embedded": tmp_path})
    assert [source.name for source in package.sources] == names
    assert next(source.sha512 for source in package.sources if source.name == "busybox-1.37.0.tar") == "00"


def test_a_package_of_a_tree_that_is_elsewhere_has_no_sources(tmp_path: Path) -> None:
    assert portage.with_sources([BUSYBOX], {"other": tmp_path}) == [BUSYBOX]
    assert portage.with_sources([BUSYBOX], {"embedded": tmp_path}) == [BUSYBOX]
