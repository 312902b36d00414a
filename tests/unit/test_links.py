"""What a stage3, an ebuild repository or an image may leave links in: none of them is followed to a file of the host.

The host's own files are in the folder `host`, where the secret of each is; what holds for kernels, images and layers as
a stage makes them is with the tests of these stages.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.errors import BuildError, UserError, VerificationError
from alchemy.host import files
from alchemy.host.chroot import Chroot
from alchemy.parts import firmware, layer, memory, package_sizes
from alchemy.portage import binpkgs, buildroot, increment, repositories, settings, soundness
from alchemy.portage.repositories import Repositories
from alchemy.portage.settings import Package
from tests.unit.fakes import FakeRunner, snapshot

SECRET = "host-secret"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Files of the host, named as those are that are looked for in trees."""
    files = ("make.conf", "package.use/x", "repos.conf/x", "binrepos.conf/x", "sets/x", "mirrors", "repo_name",
             "x-1/PF", "x-1/CONTENTS", "x-1/SLOT", "x-1/BUILD_ID", "x-1/DEFINED_PHASES", "Manifest", "x-1.ebuild",
             "layout.conf", "portage/build.log", "secret", "portage/x", "portage/package.use/x")  # fmt: skip
    for name in files:
        (tmp_path / "host" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "host" / name).write_text(f"{SECRET}\n", encoding="utf-8")
    return tmp_path / "host"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree").mkdir()
    return tmp_path / "tree"


def link(tree: Path, place: str, target: Path) -> None:
    (tree / place).parent.mkdir(parents=True, exist_ok=True)
    (tree / place).symlink_to(target)


# ── what is written ──────────────────────────────────────────────────────────────────────────────────────────────

WRITTEN = [
    ("etc/portage/make.conf", "make.conf"),
    ("etc/portage/repos.conf", "repos.conf"),
    ("etc/portage/binrepos.conf", "binrepos.conf"),
    ("etc/portage/sets", "sets"),
    ("etc/portage/mirrors", "mirrors"),
    ("etc/portage/package.use", "package.use"),
    ("etc/portage/package.use", "secret"),
    ("etc/portage/make.profile", "portage"),
    ("etc/portage", "portage"),
    ("etc", "."),
    ("usr/share/portage/config/repos.conf", "repos.conf"),
    ("usr/share", "."),
]


@pytest.mark.parametrize(("place", "target"), WRITTEN)
@pytest.mark.parametrize("main", [None, "gentoo"])
def test_configuring_a_stage3_follows_no_link_to_the_host(
    context: Context,
    runner: FakeRunner,
    tree: Path,
    host: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    target: str,
    main: str | None,
) -> None:
    monkeypatch.setattr("alchemy.portage.settings.debian_mirror", lambda _: "http://mirror.example/debian")
    link(tree, place, host / target)
    profile = "etc/portage/make.profile"
    if not profile.startswith(place):
        link(tree, profile, Path("../../var/db/repos/gentoo/profiles/small"))
    (tmp_path / "gentoo/profiles/small").mkdir(parents=True)
    available = Repositories(main, {main: tmp_path / "gentoo"} if main else {}, {})
    before = snapshot(host)
    # A link in place of a folder is refused, one in place of a file is replaced. A link to the host names no profile.
    with suppress(VerificationError, UserError):
        settings.configure(context, Chroot(tree), available, ["a/b"])
    assert snapshot(host) == before
    copied = [path for path in tree.rglob("*") if not path.is_symlink() and path.is_file()]
    assert not [path for path in copied if SECRET in path.read_text(encoding="utf-8")]


def test_a_link_within_the_stage3_is_followed(context: Context, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alchemy.portage.settings.debian_mirror", lambda _: None)
    (tree / "opt/conf").mkdir(parents=True)
    (tree / "opt/conf/make.conf").write_text("# the stage3's\n", encoding="utf-8")
    link(tree, "etc/portage", Path("/opt/conf"))
    settings.configure(context, Chroot(tree), repositories.NONE, ["a/b"])
    assert "# the stage3's\n" in (tree / "opt/conf/make.conf").read_text(encoding="utf-8")


@pytest.mark.parametrize("place", ["var/db/pkg", "var/db", "var"])
def test_adding_to_an_image_makes_no_folder_on_the_host(
    context: Context, runner: FakeRunner, tree: Path, host: Path, tmp_path: Path, place: str
) -> None:
    database = tmp_path / "database"
    (tmp_path / "root").mkdir()
    runner.answers["bwrap"] = "[binary   R  ] a/b-1-1::x to /tmp/empty/\n"
    runner.on_run = lambda argv: link(tree, place, host) if f"{tmp_path}/root/." in argv else None
    before = snapshot(host)
    parts = {tmp_path / "root": Path(), database: Path("var/db/pkg")}
    with pytest.raises(VerificationError, match="in the way"):
        increment.add(context, Chroot(tree), parts, tree, ["a/b"], [])
    assert snapshot(host) == before
    assert not [call for call in runner.calls if str(host) in " ".join(call.argv)]


def test_a_file_of_ours_is_not_written_through_a_link_at_its_temporary_name(tmp_path: Path, host: Path) -> None:
    link(tmp_path, "packages/.x.json.tmp", host / "secret")
    before = snapshot(host)
    files.write_json(tmp_path / "packages/x.json", {})
    assert snapshot(host) == before
    assert not (tmp_path / "packages/x.json").is_symlink()


# ── what is read ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("place", "target"), [("profiles/repo_name", "repo_name"), ("profiles", ".")])
def test_a_repository_whose_name_is_a_file_of_the_host_is_refused(
    tree: Path, host: Path, place: str, target: str
) -> None:
    link(tree, place, host / target)
    with pytest.raises(UserError, match="not an ebuild repository") as caught:
        repositories.name_of(tree)
    assert SECRET not in caught.value.message


@pytest.mark.parametrize(("place", "target"), [("metadata/layout.conf", "layout.conf"), ("metadata", ".")])
def test_masters_are_not_read_of_the_host(tree: Path, host: Path, place: str, target: str) -> None:
    (host / "layout.conf").write_text(f"masters = {SECRET}\n", encoding="utf-8")
    link(tree, place, host / target)
    assert repositories.masters(tree) == []


@pytest.mark.parametrize(("place", "target"), [("a/x/Manifest", "Manifest"), ("a/x", "."), ("a", ".")])
def test_a_manifest_is_not_read_of_the_host(tree: Path, host: Path, place: str, target: str) -> None:
    for folder in (host, host / "x"):
        folder.mkdir(exist_ok=True)
        (folder / "Manifest").write_text(f"DIST {SECRET} 1 SHA512 00\n", encoding="utf-8")
    link(tree, place, host / target)
    package = Package("a", "x", "1", "0", "r", (), "", 0)
    assert settings.with_sources([package], {"r": tree}) == [package]


@pytest.mark.parametrize(
    ("place", "target"), [("var/db/pkg/a/x-1/PF", "x-1/PF"), ("var/db/pkg/a/x-1", "x-1"), ("var/db/pkg/a", ".")]
)
def test_what_is_installed_is_not_read_of_the_host(tree: Path, host: Path, place: str, target: str) -> None:
    (host / "x-1/PF").write_text("secret-2\n", encoding="utf-8")
    link(tree, place, host / target)
    assert "secret" not in [package.name for package in settings.installed(tree)]
    assert "secret" not in str(binpkgs.installed(tree))


@pytest.mark.parametrize("way", ["out", "secret", "../host/secret"])
def test_the_files_of_a_package_are_not_those_of_the_host(tree: Path, host: Path, tmp_path: Path, way: str) -> None:
    link(tree, "out", host)
    link(tree, "secret", host / "secret")
    folder = tmp_path / "database/a/x-1"
    folder.mkdir(parents=True)
    name = "out/secret" if way == "out" else way
    (folder / "CONTENTS").write_text(f"obj /{name} 0 1\n", encoding="utf-8")
    (folder / "SLOT").write_text("0\n", encoding="utf-8")
    own = len(str(host / "secret")) if way == "secret" else 0  # of the link itself
    assert memory.sizes(tree, tmp_path / "database") == {"a/x-1": own}
    assert package_sizes.weigh(tree, tmp_path / "database") == {"a/x": 0}


@pytest.mark.parametrize("name", ["CONTENTS", "SLOT"])
def test_a_database_is_not_read_of_the_host(tree: Path, host: Path, name: str) -> None:
    for version in "12":
        (tree / f"a/x-{version}").mkdir(parents=True)
        for other in {"CONTENTS", "SLOT"} - {name} if version == "1" else {"CONTENTS", "SLOT"}:
            (tree / f"a/x-{version}" / other).write_text("", encoding="utf-8")
    link(tree, f"a/x-1/{name}", host / "x-1" / name)
    with pytest.raises(VerificationError, match=f"/a/x-1/{name}: no such file"):
        package_sizes.weigh(tree, tree)


@pytest.mark.parametrize("place", ["etc/ld.so.conf", "etc/ld.so.conf.d/x.conf", "etc"])
def test_where_libraries_are_is_not_read_of_the_host(tree: Path, host: Path, place: str) -> None:
    (host / "ld.so.conf").write_text("/secret\n", encoding="utf-8")
    link(tree, place, host if place == "etc" else host / "ld.so.conf")
    assert soundness.loader_folders(tree) == ()


def test_who_owns_a_file_is_not_read_of_the_host(tree: Path, host: Path) -> None:
    (tree / "var/db/pkg/a/y-1").mkdir(parents=True)
    (tree / "var/db/pkg/a/y-1/CONTENTS").write_text("obj /usr/bin/x 0 1\n", encoding="utf-8")
    (host / "x-1/CONTENTS").write_text("obj /usr/bin/x 0 1\n", encoding="utf-8")
    link(tree, "var/db/pkg/a/x-1", host / "x-1")
    assert list(soundness._shared_files(tree)) == []


@pytest.mark.parametrize("links", [{"a.bin": "d/secret", "d": ""}, {"d/e": "..", "a.bin": "d/e/h/secret", "h": ""}])
def test_firmware_is_not_copied_from_the_host(tree: Path, host: Path, tmp_path: Path, links: dict[str, str]) -> None:
    for place, target in links.items():
        link(tree, place, Path(target) if target else host)
    assert firmware.copy(tree, ["*.bin"], tmp_path / "target", required=False) == ([], ["*.bin"])
    assert not (tmp_path / "target").exists()


def test_firmware_that_is_a_pipe_is_not_read(tree: Path, tmp_path: Path) -> None:
    os.mkfifo(tree / "pipe")
    link(tree, "a.bin", Path("pipe"))
    assert firmware.copy(tree, ["a.bin", "pipe"], tmp_path / "target", required=False) == ([], ["a.bin", "pipe"])
    assert not (tmp_path / "target").exists()


def test_a_layer_is_not_compared_with_files_of_the_host(tmp_path: Path, tree: Path, host: Path) -> None:
    """Else a file that is the same as the host's would not be in the layer."""
    link(tree, "etc", host)
    changed = tmp_path / "changed"
    (changed / "etc").mkdir(parents=True)
    (changed / "etc/secret").write_text(f"{SECRET}\n", encoding="utf-8")
    (tmp_path / "layer").mkdir()
    layer.difference(tree, changed, tmp_path / "layer")
    assert snapshot(tmp_path / "layer") == {"etc": "", "etc/secret": f"{SECRET}\n"}


def test_a_pipe_is_in_a_layer_as_it_is(tmp_path: Path, tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    (tmp_path / "base").mkdir()
    (tmp_path / "layer").mkdir()
    layer.difference(tmp_path / "base", tree, tmp_path / "layer")
    assert (tmp_path / "layer/pipe").is_fifo()
    assert len(files.digest(tree)) == 64


# ── logs of packages ─────────────────────────────────────────────────────────────────────────────────────────────

LOGS: Mapping[str, Callable[[Path, Path], str]] = {
    "a path out of the chroot": lambda tree, host: _climbing(tree / "var/tmp/portage", host / "portage/build.log"),
    "another file of the chroot": lambda tree, host: "/etc/build.log",
    "a link": lambda tree, host: _linked(tree, "var/tmp/portage/build.log", host / "portage/build.log"),
    "a link within": lambda tree, host: _linked(tree, "var/log/portage/build.log", Path("/etc/build.log")),
    "behind a link": lambda tree, host: _linked(tree, "var/tmp", host) and "/var/tmp/portage/build.log",
    "a pipe": lambda tree, host: _pipe(tree / "var/tmp/portage/build.log"),
}


def _linked(tree: Path, place: str, target: Path) -> str:
    link(tree, place, target)
    return f"/{place}"


def _climbing(folder: Path, target: Path) -> str:
    folder.mkdir(parents=True)
    return f"/var/tmp/portage/{os.path.relpath(target, folder)}"


def _pipe(path: Path) -> str:
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    return "/var/tmp/portage/build.log"


@pytest.mark.parametrize("name", LOGS.values(), ids=LOGS.keys())
def test_a_build_log_that_is_not_one_is_not_printed(
    context: Context, runner: FakeRunner, tree: Path, host: Path, name: Callable[[Path, Path], str]
) -> None:
    (tree / "etc").mkdir()
    (tree / "etc/build.log").write_text(f"{SECRET}\n", encoding="utf-8")
    log = context.root / "log"
    said = " * ERROR: a/b-1::x failed (compile phase):\n"
    said += f" * The complete build log is located at '{name(tree, host)}'.\n"

    def fail(_: list[str]) -> None:
        log.write_text(said, encoding="utf-8")
        raise BuildError("emerge failed with status 1\nby hand: emerge a/b")

    runner.on_run = fail
    with pytest.raises(BuildError) as caught:
        buildroot.emerge(context, Chroot(tree), ["a/b"], log)
    assert SECRET not in str(caught.value)


# ── mount points ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("place", ["mnt", "tmp", "dev", "var", "var/cache", "var/cache/binpkgs", "etc/resolv.conf"])
def test_nothing_is_mounted_behind_a_link(tree: Path, host: Path, place: str) -> None:
    """bubblewrap makes a missing mount point wherever a link leads: /oldroot is the host while it sets up."""
    inside = Chroot(tree, network=True, binds={"/var/cache/binpkgs": host}, ro_binds={"/mnt/x": host})
    assert "bwrap" in inside.argv(["true"])
    link(tree, place, Path("/oldroot") / host)
    with pytest.raises(VerificationError, match=f"/{place}: a link"):
        inside.argv(["true"])


def test_what_is_below_a_file_system_of_the_chroots_own_may_be_anything(tree: Path, host: Path) -> None:
    link(tree, "mnt/x", host)
    assert "/mnt/x" in Chroot(tree, ro_binds={"/mnt/x": host}).argv(["true"])
