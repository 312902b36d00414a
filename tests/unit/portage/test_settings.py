from __future__ import annotations

import configparser
import dataclasses
import json
from pathlib import Path

import pytest

from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.host.chroot import Chroot
from alchemy.portage import repositories, settings
from alchemy.portage.repositories import Repositories
from alchemy.portage.settings import Package
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
        "Sys-apps/busybox",
    ],
)
def test_an_atom_is_taken(tmp_path: Path, atom: str) -> None:
    (tmp_path / "set").write_text(f"# a set\n{atom}  # why\n\n", encoding="utf-8")
    assert settings.read_set(tmp_path / "set") == [atom]


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
    with pytest.raises(UserError, match="set: not a package atom: ") as caught:
        settings.read_set(tmp_path / "set")
    assert caught.value.message.endswith(line)


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
    assert settings.split_version(full) == (name, version)


@pytest.mark.parametrize("full", ["busybox", "busybox-", "-1.0", "busybox-x", "busybox-1.0_gamma1", "busybox-1.0-r"])
def test_what_has_no_version_is_refused(full: str) -> None:
    with pytest.raises(ValueError, match="not a package with a version"):
        settings.split_version(full)


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
    gold, busybox = settings.installed(image)
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
    described = json.loads(json.dumps(settings.installed(image)[1].as_json()))
    assert described["use"] == ["selinux", "static"]
    assert described["version"] == "1.37.0-r1"


def test_a_root_without_a_database_has_no_packages(tmp_path: Path) -> None:
    assert settings.installed(tmp_path) == []


@pytest.fixture
def chroot(tmp_path: Path) -> Chroot:
    inside = Chroot(tmp_path / "chroot")
    (inside / "etc/portage").mkdir(parents=True)
    (inside / "etc/portage/make.profile").symlink_to("../../var/db/repos/embedded/profiles/default")
    return inside


@pytest.mark.parametrize(
    ("listing", "own", "mirrors"),
    [
        ("", (), None),
        ("Debian|trixie|http://m/debian/\n", (), "debian http://m/debian\n"),
        ("", ("https://h/d", "/srv/di st"), "local https://h/d file:///srv/di%20st\n"),
        ("Debian|trixie|http://m/debian/\n", ("https://h/d",), "local https://h/d\ndebian http://m/debian\n"),
    ],
)
def test_portage_is_configured_in_the_chroot(
    context: Context,
    runner: FakeRunner,
    chroot: Chroot,
    monkeypatch: pytest.MonkeyPatch,
    listing: str,
    own: tuple[str, ...],
    mirrors: str | None,
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    runner.answers["apt-get"] = listing
    (chroot / "etc/portage/make.conf").write_text('CFLAGS="-O2 -of-the-stage3"\n', encoding="utf-8")
    context = dataclasses.replace(context, config=Config(jobs=7, accept_licenses=("EULA",), mirrors=own))
    available = repositories.collect(context, {})
    settings.configure(context, chroot, available, ["sys-apps/busybox", "app-shells/bash"])
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
    (tree / "profiles/default").mkdir(parents=True)
    available = Repositories("core-kit", {"core-kit": tree, "guru": tree, "alchemy": tree}, {"alchemy": tree})
    settings.configure(context, chroot, available, [])
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
    settings.configure(context, chroot, repositories.collect(context, {}), [])
    assert read(chroot, "etc/portage/repos.conf/stage3") == "[gentoo]\n"
    assert "main-repo" not in read(chroot, "etc/portage/repos.conf/alchemy.conf")


@pytest.mark.usefixtures("no_apt")
def test_each_package_file_of_etc_portage_is_laid_over_the_stage3s(context: Context, chroot: Chroot) -> None:
    (context.root / "etc/portage/package.accept_keywords").write_text("a/b ~amd64\n", encoding="utf-8")
    (chroot / "etc/portage/package.use").write_text("a/b static\n", encoding="utf-8")
    settings.configure(context, chroot, repositories.NONE, [])
    assert read(chroot, "etc/portage/package.accept_keywords/alchemy") == "a/b ~amd64\n"
    assert read(chroot, "etc/portage/package.use/stage3") == "a/b static\n"
    assert "lldpd" in read(chroot, "etc/portage/package.use/alchemy")


BUSYBOX = settings.Package("sys-apps", "busybox", "1.37.0-r2", "0", "embedded", (), "GPL-2", 1)


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
    (package,) = settings.with_sources([BUSYBOX], {"embedded": tmp_path})
    assert [source.name for source in package.sources] == names
    assert next(source.sha512 for source in package.sources if source.name == "busybox-1.37.0.tar") == "00"


METADATA = """\
<?xml version="1.0" encoding="UTF-8"?>
<pkgmetadata>
	<upstream>
		<remote-id type="github">mirror/busybox</remote-id>
		<remote-id type="cpe">cpe:/a:busybox:busybox</remote-id>
		<remote-id type="cpe">cpe:/a:erik:busybox</remote-id>
	</upstream>
</pkgmetadata>
"""


@pytest.mark.parametrize(
    ("text", "cpe", "upstream"),
    [
        (METADATA, "cpe:/a:busybox:busybox", "https://github.com/mirror/busybox"),
        ("<pkgmetadata/>", "", ""),
        ("\0 not XML", "", ""),
        (None, "", ""),
    ],
)
def test_a_package_is_described_by_its_metadata(tmp_path: Path, text: str | None, cpe: str, upstream: str) -> None:
    (tmp_path / "sys-apps/busybox").mkdir(parents=True)
    if text is not None:
        (tmp_path / "sys-apps/busybox/metadata.xml").write_text(text, encoding="utf-8")
    (package,) = settings.with_sources([BUSYBOX], {"embedded": tmp_path})
    assert (package.cpe, package.upstream) == (cpe, upstream)


def test_a_package_of_a_tree_that_is_elsewhere_has_no_sources(tmp_path: Path) -> None:
    assert settings.with_sources([BUSYBOX], {"other": tmp_path}) == [BUSYBOX]
    assert settings.with_sources([BUSYBOX], {"embedded": tmp_path}) == [BUSYBOX]
