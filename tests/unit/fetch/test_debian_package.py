from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.errors import BuildError, UserError
from alchemy.fetch import debian_package
from tests.unit.fakes import FakeRunner

STABLE = ("sid", "sid-updates", "sid-security")
BACKPORTS = ("sid-backports",)
MIRRORS = "Debian|trixie|http://m/debian/\nDebian|trixie-security|http://s/debian-security/\n"

# what apt-cache said of trixie and of trixie-backports on 2026-11-28
NAMES = {STABLE: "linux-source-6.12\n", BACKPORTS: "linux-source-7.3\nlinux-source-7.2\n"}
MADISON: Mapping[str, Mapping[tuple[str, ...], str]] = {
    "linux-source-6.12": {
        STABLE: """\
linux-source-6.12 | 6.12.118-1 | http://s/debian-security trixie-security/main amd64 Packages
linux-source-6.12 | 6.12.117-1 | http://m/debian trixie/main amd64 Packages
"""
    },
    "linux-source-7.3": {
        BACKPORTS: "linux-source-7.3 | 7.3.4-1~bpo13+1 | http://m/debian trixie-backports/main amd64 Packages\n"
    },
}


class Apt:
    """apt-get and apt-cache, which answer by the suites that the sources.list has when the lists are read."""

    def __init__(self, runner: FakeRunner, folder: Path) -> None:
        self.runner, self.folder = runner, folder
        self.lists: list[str] = []
        self.suites: tuple[str, ...] = ()
        self.without: tuple[str, ...] = ()
        runner.answers["apt-get"] = MIRRORS
        runner.on_run = self

    def __call__(self, argv: list[str]) -> None:
        if "update" in argv:
            self.lists.append((self.folder / "apt/etc/sources.list").read_text(encoding="ascii"))
            self.suites = tuple(line.split()[3] for line in self.lists[-1].splitlines())
            if self.suites == self.without:
                raise BuildError("failed with status 100")
        if "pkgnames" in argv:
            self.runner.answers["apt-cache"] = NAMES[self.suites]
        if "madison" in argv:
            self.runner.answers["apt-cache"] = MADISON.get(argv[-1], {}).get(self.suites, "")
        if "download" in argv:
            (self.folder / f"{argv[-1].replace('=', '_')}_all.deb").touch()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "downloads"
    made.mkdir()
    return made


@pytest.fixture
def apt(runner: FakeRunner, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Apt:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    return Apt(runner, folder)


@pytest.mark.parametrize(
    ("package", "suites"),
    [
        ("linux-source-6.12", [STABLE]),
        ("linux-source-6.12=6.12.117-1", [STABLE]),
        ("linux-source-7.3", [STABLE, BACKPORTS]),
        ("linux-source-7.3=7.3.4-1~bpo13+1", [STABLE, BACKPORTS]),
    ],
)
def test_backports_are_read_only_where_the_suite_has_no_such_package(
    context: Context, apt: Apt, folder: Path, package: str, suites: list[tuple[str, ...]]
) -> None:
    found = debian_package.fetch(context, "sid", package, folder, folder / "log")
    assert found == folder / f"{package.replace('=', '_')}_all.deb"
    assert [path.name for path in folder.iterdir()] == [found.name]
    assert [tuple(line.split()[3] for line in text.splitlines()) for text in apt.lists] == suites


def test_a_package_is_fetched_by_an_apt_of_its_own(
    context: Context, apt: Apt, runner: FakeRunner, folder: Path
) -> None:
    debian_package.fetch(context, "sid", "linux-source-7.3", folder, folder / "log")
    lines = "".join(apt.lists).splitlines()
    assert all(line.startswith("deb [signed-by=/") for line in lines)
    assert lines[-1].split("] ")[1] == "http://m/debian/ sid-backports main"
    for call in runner.calls[1:]:
        assert f"Dir::State={folder}/apt/state" in call.argv
        assert f"Dir::Etc={folder}/apt/etc" in call.argv


@pytest.mark.parametrize(
    ("package", "message", "hint"),
    [
        (
            "linux-source-7.4",
            "debian:linux-source-7.4: not found in the suites sid, sid-updates, sid-security, sid-backports of Debian "
            "(expected linux-source-7.4, got linux-source-6.12, linux-source-7.2, linux-source-7.3)",
            "set linux_url and kernel_conf",
        ),
        (
            "linux-source-6.12=6.12.57-1",
            "debian:linux-source-6.12=6.12.57-1: not found in the suites sid, sid-updates, sid-security, sid-backports "
            "of Debian (expected 6.12.57-1, got 6.12.117-1, 6.12.118-1)",
            "./run build.lock --update",
        ),
        (
            "linux-source-7.4=7.4.1-1",
            "debian:linux-source-7.4=7.4.1-1: not found in the suites sid, sid-updates, sid-security, sid-backports of "
            "Debian",
            "./run build.lock --update",
        ),
    ],
)
def test_a_package_that_no_suite_has_is_the_users_error(
    context: Context, apt: Apt, folder: Path, package: str, message: str, hint: str
) -> None:
    with pytest.raises(UserError) as caught:
        debian_package.fetch(context, "sid", package, folder, folder / "log")
    assert caught.value.message == message
    assert caught.value.hint is not None
    assert hint in caught.value.hint
    assert not list(folder.glob("*.deb"))


def test_a_mirror_that_cannot_be_read_is_no_missing_package(context: Context, apt: Apt, folder: Path) -> None:
    apt.without = BACKPORTS
    with pytest.raises(BuildError, match="failed with status 100"):
        debian_package.fetch(context, "sid", "linux-source-7.3", folder, folder / "log")


def test_a_package_without_a_mirror_is_the_users_error(
    context: Context, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(UserError, match="debian:gold: this host's apt has no Debian mirror"):
        debian_package.fetch(context, "sid", "gold", folder, folder / "log")
