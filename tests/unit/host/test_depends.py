from __future__ import annotations

import json
import sys
from dataclasses import astuple
from pathlib import Path

import pytest

from alchemy.config.model import Config
from alchemy.host import depends, ovmf
from alchemy.host.depends import BOOT, BUILD, IPXE, OVMF, SERVE, SOME, TEST, Tool

GOLD = Tool("gold-x", "libgold", "gold-devel", "gold", "sys-devel/gold", "turns lead")
LEAD = Tool("lead-x", "lead common", "lead", "lead", "sys-devel/lead", "is turned")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is all of PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def install(path: Path, name: str, mode: int = 0o755) -> None:
    (path / name).touch()
    (path / name).chmod(mode)


def test_all_that_are_missing_are_found_at_once(path: Path) -> None:
    assert depends.missing((GOLD, LEAD)) == [GOLD, LEAD]


def test_what_is_on_the_path_is_not_missing(path: Path) -> None:
    install(path, "gold-x")
    install(path, "lead-x", 0o644)
    assert depends.missing((GOLD, LEAD)) == [LEAD]


@pytest.mark.parametrize(("soname", "missing"), [("libc.so.6", False), ("libgold.so.2", True)])
def test_a_library_that_does_not_load_is_missing(path: Path, soname: str, missing: bool) -> None:
    library = Tool(soname, "libgold2", "libgold", "libgold", "dev-libs/gold", "turns lead")
    assert (depends.missing((library,)) == [library]) == missing


@pytest.mark.parametrize(("found", "missing"), [(object(), []), (None, [OVMF])])
def test_the_uefi_firmware_is_missing_where_no_descriptor_names_one(
    monkeypatch: pytest.MonkeyPatch, found: object, missing: list[Tool]
) -> None:
    monkeypatch.setattr(ovmf, "find", lambda: found)
    assert depends.missing((OVMF,)) == missing


@pytest.mark.parametrize(("there", "missing"), [(True, []), (False, [IPXE])])
def test_ipxe_is_missing_where_no_distribution_has_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool, missing: list[Tool]
) -> None:
    file = tmp_path / "undionly.kpxe"
    if there:
        file.touch()
    monkeypatch.setattr(depends, "_IPXE_FILES", (tmp_path / "none", file))
    assert depends.missing((IPXE,)) == missing


def test_a_report_names_each_tool_and_one_command_for_each_distribution() -> None:
    assert depends.report([GOLD, LEAD]).splitlines() == [
        "  gold-x: turns lead",
        "  lead-x: is turned",
        "Debian:  apt-get install libgold lead common",
        "Fedora:  dnf install gold-devel lead",
        "Arch:    pacman -S gold lead",
        "Gentoo:  emerge sys-devel/gold sys-devel/lead",
    ]


def test_a_package_of_two_tools_is_named_once() -> None:
    assert depends.report([GOLD, GOLD]).count("sys-devel/gold") == 1


ALL = BUILD + SOME + BOOT + TEST


@pytest.mark.parametrize("tool", ALL, ids=lambda tool: tool.name)
def test_every_tool_has_a_package_on_each_distribution_and_a_reason(tool: Tool) -> None:
    assert all(astuple(tool))
    assert "/" in tool.gentoo


SHA256 = "0" * 64
KEY = "0123456789ABCDEF0123456789ABCDEF01234567"
STAGE3: dict[str, object] = {"stage3_url": "https://example.org/stage3.tar.xz"}
PINNED: dict[str, object] = {"stage3_url": "https://example.org/stage3.tar.bz2", "stage3_sha256": SHA256}
TARBALL: dict[str, object] = {"linux_url": "https://example.org/linux-6.12.tar.gz", "linux_sha256": SHA256}
GIT_TREE = {"method": "git", "url": "https://example.org/tree.git"}
# what a configuration asks for beyond the tools of every build
OF_BUILDS: dict[str, tuple[dict[str, object], set[str]]] = {
    "the embedded default": ({}, {"mmdebstrap", "apt-get", "dpkg-deb", "xz", "zstd"}),
    "a kernel tarball": (TARBALL, {"mmdebstrap", "apt-get", "zstd"}),
    "Gentoo's latest stage3": (
        {"stage3_url": "https://example.org/latest.txt", **TARBALL}, {"gpg", "xz", "zstd", "bzip2"},
    ),
    "a signed stage3": ({**STAGE3, **TARBALL}, {"gpg", "xz"}),
    "a pinned stage3": ({**PINNED, **TARBALL}, {"bzip2"}),
    "a pinned stage3 without keys": ({**PINNED, "stage3_keys": [], **TARBALL}, {"bzip2"}),
    "a stage3 that is pinned and signed": ({**PINNED, "stage3_keys": [KEY], **TARBALL}, {"bzip2", "gpg"}),
    "Debian's kernel on a fetched stage3": (PINNED, {"apt-get", "dpkg-deb", "bzip2", "xz"}),
    "a kernel in git": ({**PINNED, "linux_url": "https://example.org/linux.git"}, {"bzip2", "git"}),
    "a signed kernel": (
        {**PINNED, "linux_url": "https://example.org/l.tar.zst", "linux_keys": [KEY]}, {"bzip2", "gpg", "zstd"},
    ),
    "an overlay": ({**PINNED, **TARBALL, "overlays": ["https://example.org/o.git"]}, {"bzip2", "git"}),
    "a tree in git": ({**PINNED, **TARBALL, "sync": GIT_TREE}, {"bzip2", "git", "gpg"}),
    "a tree in git that nobody signs": ({**PINNED, **TARBALL, "sync": {**GIT_TREE, "verify": False}}, {"bzip2", "git"}),
    "a tree by rsync": (
        {**PINNED, **TARBALL, "sync": {"method": "rsync", "url": "rsync://example.org/tree"}}, {"bzip2", "rsync"},
    ),
    "an OpenPGP key to sign with": ({**PINNED, **TARBALL, "signing_key": KEY}, {"bzip2", "gpg"}),
    "an SSH key to sign with": ({**PINNED, **TARBALL, "signing_key": "id"}, {"bzip2", "ssh-keygen"}),
}  # fmt: skip


@pytest.mark.parametrize(("values", "names"), OF_BUILDS.values(), ids=OF_BUILDS.keys())
def test_a_build_needs_what_its_configuration_asks_for(values: dict[str, object], names: set[str]) -> None:
    tools = depends.of_build(Config.model_validate_json(json.dumps(values)))
    assert {tool.name for tool in tools} == {tool.name for tool in BUILD} | names


@pytest.mark.parametrize(
    "task",
    ["", "help", "config.check", "config.schema", "build.info", "build.log", "build.check-depends", "cache.info",
     "cache.prune", "util.clean"],
)  # fmt: skip
def test_a_task_that_only_reads_needs_no_program(task: str) -> None:
    assert depends.needed_by(filter(None, [task]), Config()) == ()


EMBEDDED = depends.of_build(Config())


@pytest.mark.parametrize(
    ("tasks", "tools"),
    [
        (["build.all"], EMBEDDED),
        (["build.lock"], EMBEDDED),
        (["util.shell"], EMBEDDED),
        (["bench.build"], EMBEDDED),
        (["boot.qemu"], BOOT),
        (["boot.serve", "--proxy"], (depends.SETPRIV, *SERVE)),
        (["release.check"], (depends.GIT,)),
        (["release.distfiles", "x"], (depends.SETPRIV, depends.GIT)),
        (["ebuild.bump", "x", "1"], (depends.SETPRIV, depends.GIT)),
        (["ebuild.outdated"], (depends.SETPRIV, depends.GIT)),
        (["sbom.check", "x"], ()),
        (["release.cut", "1.2"], (*EMBEDDED, depends.GIT)),
        (["sign.command", "x"], (depends.SSH_KEYGEN,)),
        (["bench.boot"], BOOT),
        (["bench.burnin"], BOOT),
        (["boot.qemu", "--cmdline=net", "--firmware=bios"], BOOT),
        (["boot.qemu", "--firmware=uefi"], (*BOOT, OVMF)),
        (["boot.qemu", "--firmware", "uefi"], (*BOOT, OVMF)),
        (["build.all", "boot.qemu"], EMBEDDED + BOOT),
        (["test.all"], ALL),
        (["build.all", "test.unit"], ALL),
    ],
)
def test_a_task_needs(tasks: list[str], tools: tuple[Tool, ...]) -> None:
    assert depends.needed_by(tasks, Config()) == tools


@pytest.fixture
def needing(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    """Every build needs gold and lead."""
    monkeypatch.setattr(depends, "of_build", lambda config: (GOLD, LEAD))
    monkeypatch.setattr(depends, "__file__", str(root / "alchemy/host/depends.py"))


@pytest.mark.usefixtures("needing")
@pytest.mark.parametrize(
    ("arguments", "out", "err"),
    [
        (["build.all", "--version=1"], "libgold lead common\n", ""),
        (["--report", "build.all"], "", depends.report([GOLD, LEAD]) + "\n"),
        (["build.info", "--version=1"], "", ""),
    ],
)
def test_run_is_told_the_packages_and_a_person_the_report(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    out: str,
    err: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["depends", *arguments])
    assert depends.main() == 0
    assert capsys.readouterr() == (out, err)


@pytest.mark.usefixtures("needing")
def test_run_is_told_nothing_when_all_is_there(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(path, "gold-x")
    install(path, "lead-x")
    monkeypatch.setattr(sys, "argv", ["depends", "build.all"])
    depends.main()
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("needing")
def test_a_configuration_that_is_wrong_is_left_to_the_task_to_explain(
    root: Path, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "config.yml").write_text("colour: red\n", encoding="ascii")
    monkeypatch.setattr(sys, "argv", ["depends", "build.all"])
    assert depends.main() == 0
    assert capsys.readouterr() == ("", "")
