from __future__ import annotations

import dataclasses
import json
import re
from contextlib import suppress
from pathlib import Path

import pytest

from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.errors import BuildError, UserError, VerificationError
from alchemy.fetch import debian
from alchemy.host import files
from alchemy.host.chroot import Chroot
from alchemy.portage import preflight
from alchemy.stage import Stage
from alchemy.stages import outputs, system
from tests.unit.fakes import FakeRunner, fake_stage, snapshot

FAILED = """\
>>> Emerging (1 of 2) app-misc/good-1::embedded
 * ERROR: app-misc/lead-1.2-r1::embedded failed (compile phase):
 *   emake failed
 * The complete build log is located at '/var/tmp/portage/app-misc/lead-1.2-r1/temp/build.log'.
"""


@pytest.fixture
def base(context: Context, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage3 that is there, and programs that say what they have to."""
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("alchemy.portage.preflight.check", lambda *_, **__: preflight.Needs())
    # portageq's values, and the digests of no ebuild
    runner.answers["bwrap"] = "{}"

    def unpack(argv: list[str]) -> None:
        if "--extract" in argv:
            profile = Path(argv[argv.index("--directory") + 1]) / "etc/portage/make.profile"
            profile.parent.mkdir(parents=True)
            profile.symlink_to("../../var/db/repos/embedded/profiles/default")
        if "--root=/image" in argv:
            (Path(argv[argv.index("/image") - 1]) / "var/db/pkg").mkdir(parents=True, exist_ok=True)

    runner.on_run = unpack
    stage = fake_stage(context.cache, "stage3", build=lambda folder: (folder / "stage3.tar.zst").touch(), external=True)
    stage.make()
    return stage


def no_tools(context: Context) -> Stage:
    """The tools, which are not there."""
    return fake_stage(context.work, "tools")


def emerges(runner: FakeRunner) -> list[list[str]]:
    """The arguments of each emerge."""
    return [call.argv[call.argv.index("emerge") + 1 :] for call in runner.calls if "emerge" in call.argv]


def test_packages_are_built_first_and_then_installed_from_the_cache(
    context: Context, base: Stage, runner: FakeRunner
) -> None:
    system.stage(context, {}, {"stage3": base, "tools": no_tools(context)}).make()
    building, *installing = emerges(runner)
    assert "--root=/image" not in building
    assert [arguments[-1] for arguments in installing] == ["sys-apps/baselayout", "@alchemy"]
    assert all({"--root=/image", "--usepkgonly", "--binpkg-respect-use=y"} < set(words) for words in installing)


@pytest.mark.parametrize("libraries", [[], ["libstdc++.so.6"]])
def test_the_loader_s_cache_lists_the_libraries_of_the_compiler(
    context: Context, base: Stage, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch, libraries: list[str]
) -> None:
    monkeypatch.setattr("alchemy.portage.runtime.add", lambda *_: libraries)
    stage = system.stage(context, {}, {"stage3": base, "tools": no_tools(context)})
    stage.make()
    listing = [number for number, call in enumerate(runner.calls) if "ldconfig" in call.argv]
    assert len(listing) == len(libraries)
    installing = [number for number, call in enumerate(runner.calls) if "--root=/image" in call.argv]
    assert all(number > max(installing) for number in listing)
    assert json.loads((stage.output / outputs.ABOUT).read_text())["compiler_libraries"] == libraries


def test_no_chroot_has_the_network(context: Context, base: Stage, runner: FakeRunner) -> None:
    system.stage(context, {}, {"stage3": base, "tools": no_tools(context)}).make()
    chroots = [call.argv for call in runner.calls if call.argv[0] == "bwrap"]
    assert chroots
    assert all("--unshare-net" in argv for argv in chroots)


def test_all_that_runs_in_the_chroot_is_confined(context: Context, base: Stage, runner: FakeRunner) -> None:
    system.stage(context, {}, {"stage3": base, "tools": no_tools(context)}).make()
    inside = [call for call in runner.calls if call.argv[0] == "bwrap"]
    assert len(inside) > len(emerges(runner))
    assert all(call.confined for call in inside)


@pytest.mark.parametrize(
    ("unreadable", "mode"),
    [
        ("distfiles/storcli.zip", 0o640),
        ("overlays/alchemy/profiles", 0o700),
        ("overlays/alchemy/profiles/repo_name", 0o600),
    ],
)
def test_a_file_that_the_user_who_compiles_cannot_read_is_refused_before_anything_is_run(
    context: Context, base: Stage, runner: FakeRunner, unreadable: str, mode: int
) -> None:
    path = context.root / unreadable
    if not path.exists():
        path.parent.mkdir()
        path.touch()
    path.chmod(mode)
    with pytest.raises(UserError) as caught:
        system.stage(context, {}, {"stage3": base, "tools": no_tools(context)}).make()
    assert caught.value.message == f"{path}: not readable by the user that compiles (mode {mode:04o})"
    assert str(caught.value.hint).startswith(f"chmod -R a+rX {context.root}/")
    assert runner.calls == []


def test_no_chroot_can_write_to_the_sources(context: Context, base: Stage, runner: FakeRunner) -> None:
    system.stage(context, {}, {"stage3": base, "tools": no_tools(context)}).make()
    sources = str(context.cache / "distfiles")
    binds = {call.argv[call.argv.index(sources) - 1] for call in runner.calls if sources in call.argv}
    assert binds == {"--ro-bind"}


def test_sources_are_fetched_before_anything_is_built(
    context: Context, base: Stage, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(*_: object) -> None:
        raise VerificationError("gold-1.tar.xz: digest mismatch")

    monkeypatch.setattr("alchemy.portage.sources.fetch", fetch)
    with pytest.raises(VerificationError, match="digest mismatch"):
        system.stage(context, {}, {"stage3": base, "tools": no_tools(context)}).make()
    assert emerges(runner) == []


def test_binary_packages_of_a_host_are_in_a_folder_of_the_chroot(
    context: Context, base: Stage, runner: FakeRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Packages").write_text("PACKAGES: 0\nTIMESTAMP: 1\n\n", encoding="utf-8")
    asked = []

    def check(_: Context, __: Chroot, arguments: list[str], *___: object, **____: object) -> preflight.Needs:
        asked.append(arguments)
        return preflight.Needs()

    monkeypatch.setattr("alchemy.portage.preflight.check", check)
    seen = []
    unpack = runner.on_run

    def look(argv: list[str]) -> None:
        unpack(argv)
        if "--getbinpkg" in argv:
            conf = Path(argv[argv.index("--bind") + 1]) / "etc/portage/binrepos.conf/alchemy.conf"
            seen.append(conf.read_text(encoding="utf-8"))
            assert argv[argv.index("/mnt/binhosts/1") - 2] == "--ro-bind"

    runner.on_run = look
    hosts = (tmp_path.as_uri(), (tmp_path / "nowhere").as_uri())
    system.stage(
        dataclasses.replace(context, config=Config(binhosts=hosts)), {}, {"stage3": base, "tools": no_tools(context)}
    ).make()
    assert asked == [["--getbinpkg", "--changed-use", "@alchemy"]]
    assert len(seen) == 1
    assert re.findall(r"^(?:sync-uri|verify-signature) = (.*)$", seen[0], re.MULTILINE) == [
        "file:///mnt/binhosts/1", "true"
    ]  # fmt: skip


def test_offline_no_host_of_binary_packages_is_asked(context: Context, base: Stage, runner: FakeRunner) -> None:
    offline = Config(binhosts=("https://example.org/binpkgs",), offline=True)
    system.stage(dataclasses.replace(context, config=offline), {}, {"stage3": base, "tools": no_tools(context)}).make()
    assert "--getbinpkg" not in [word for arguments in emerges(runner) for word in arguments]


def test_what_is_to_be_done_by_hand_is_asked_for_before_anything_is_fetched(
    context: Context, base: Stage, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def demand(*_: object, **__: object) -> None:
        raise UserError("tool.zip has to be fetched by hand")

    monkeypatch.setattr("alchemy.portage.preflight.check", demand)
    with pytest.raises(UserError, match="by hand"):
        system.stage(context, {}, {"stage3": base, "tools": no_tools(context)}).make()
    assert emerges(runner) == []


def test_sets_that_lack_what_every_image_needs_are_refused_before_anything_is_built(
    context: Context, base: Stage, runner: FakeRunner
) -> None:
    (context.root / "chroot/setup.sh").write_text("\trequire python3 dev-lang/python\n", encoding="utf-8")
    with pytest.raises(UserError, match="dev-lang/python: missing"):
        system.stage(context, {}, {"stage3": base, "tools": no_tools(context)}).make()
    assert emerges(runner) == []


def test_an_atom_of_two_sets_is_asked_for_once(context: Context, base: Stage, runner: FakeRunner) -> None:
    (context.root / "packages/packages.network").write_text("net-misc/openssh\nsys-apps/ethtool\n", encoding="utf-8")
    both = dataclasses.replace(context, config=Config(packages=("core", "network")))
    system.stage(both, {}, {"stage3": base, "tools": no_tools(context)}).make()
    written = (context.work / "chroot/etc/portage/sets/alchemy").read_text(encoding="utf-8")
    assert written.split() == ["sys-apps/busybox", "net-misc/openssh", "sys-apps/ethtool"]


def test_what_portage_leaves_is_not_in_the_image_and_its_packages_are_listed(
    context: Context, base: Stage, runner: FakeRunner
) -> None:
    unpack = runner.on_run

    def portage(argv: list[str]) -> None:
        unpack(argv)
        if "--root=/image" in argv and "@alchemy" in argv:
            image = Path(argv[argv.index("/image") - 1])
            traces = ("var/log/emerge.log", "var/cache/ldconfig/aux-cache")
            for name in ("var/db/pkg/sys-apps/busybox-1.37.0/PF", *traces, "usr/bin/busybox"):
                (image / name).parent.mkdir(parents=True, exist_ok=True)
                (image / name).write_text("busybox-1.37.0" if name.endswith("PF") else "", encoding="utf-8")

    runner.on_run = portage
    stage = system.stage(context, {}, {"stage3": base, "tools": no_tools(context)})
    stage.make()
    image = stage.output / outputs.ROOT
    assert [str(path.relative_to(image)) for path in image.rglob("*") if path.is_file()] == ["usr/bin/busybox"]
    assert not (image / "var/db/pkg").exists()
    assert '"busybox"' in (stage.output / outputs.PACKAGES).read_text(encoding="utf-8")


def test_what_the_stage3_brought_along_is_packed_before_it_is_installed(
    context: Context, base: Stage, runner: FakeRunner
) -> None:
    unpack = runner.on_run

    def stage3s(argv: list[str]) -> None:
        unpack(argv)
        if "--extract" in argv:
            for package in ("sys-libs/glibc-2.41-r2", "sys-apps/busybox-1.37.0", "sys-apps/-MERGING-x-1"):
                (Path(argv[argv.index("--directory") + 1]) / "var/db/pkg" / package).mkdir(parents=True)
        if "--usepkg" in argv:
            folder = Path(argv[argv.index("/var/cache/binpkgs") - 1]) / "sys-apps/busybox"
            folder.mkdir(parents=True)
            (folder / "busybox-1.37.0-1.gpkg.tar").touch()
            for name, value in (("COUNTER", "2"), ("BUILD_ID", "1")):
                (context.work / "chroot/var/db/pkg/sys-apps/busybox-1.37.0" / name).write_text(value, encoding="utf-8")

    runner.on_run = stage3s
    system.stage(context, {}, {"stage3": base, "tools": no_tools(context)}).make()
    commands = [" ".join(call.argv) for call in runner.calls]
    packing = next(number for number, command in enumerate(commands) if "quickpkg" in command)
    assert commands[packing].endswith("quickpkg --include-config=y --umask=0022 =sys-libs/glibc-2.41-r2")
    assert "--root=/image" not in "".join(commands[:packing])
    assert "--root=/image" in commands[packing + 1]


def failing(context: Context, runner: FakeRunner, log: str, build_log: str | None) -> None:
    """Makes emerge fail with these logs."""
    unpack = runner.on_run

    def portage(argv: list[str]) -> None:
        unpack(argv)
        if "emerge" in argv:
            context.logfile("system").parent.mkdir(parents=True)
            context.logfile("system").write_text(log, encoding="utf-8")
            if build_log is not None:
                path = context.work / "chroot/var/tmp/portage/app-misc/lead-1.2-r1/temp/build.log"
                path.parent.mkdir(parents=True)
                path.write_text(build_log, encoding="utf-8")
            raise BuildError("emerge failed with status 1\nby hand: emerge @alchemy")

    runner.on_run = portage


BUILD_LOG = "".join(f"line {number}\n" for number in range(50))


@pytest.mark.parametrize("log", [FAILED, FAILED.replace("lead", "iron") + FAILED])
@pytest.mark.parametrize("build_log", [BUILD_LOG, "\x1b[31mline 49\x1b[0m\n", None])
def test_a_failed_package_is_named_with_its_log_and_how_to_repeat_it(
    context: Context, base: Stage, runner: FakeRunner, log: str, build_log: str | None
) -> None:
    failing(context, runner, log, build_log)
    with pytest.raises(BuildError) as caught:
        system.stage(context, {}, {"stage3": base, "tools": no_tools(context)}).make()
    lines = caught.value.message.splitlines()
    assert lines[0] == "app-misc/lead-1.2-r1: failed to build"
    assert [line for line in lines if line.endswith("app-misc/lead-1.2-r1/temp/build.log")]
    assert lines[-1] == "by hand: emerge @alchemy"
    assert ("  line 49" in lines) == (build_log is not None)
    assert len(lines) < 30
    assert not system.stage(context, {}, {"stage3": base, "tools": no_tools(context)}).fresh


@pytest.mark.parametrize(
    "said",
    [
        "!!! Fetched file: gold-1.tar.xz VERIFY FAILED!",
        " * Binary package is not usable (verification failed):\n *  Summary:\n * \tbinpkg appears unsigned",
    ],
)
def test_what_portage_does_not_trust_is_no_failed_build(
    context: Context, base: Stage, runner: FakeRunner, said: str
) -> None:
    failing(context, runner, f">>> Fetching\n\x1b[31m{said}\x1b[0m\n>>> Failed\n", None)
    with pytest.raises(VerificationError, match="Portage refuses what was fetched") as caught:
        system.stage(context, {}, {"stage3": base, "tools": no_tools(context)}).make()
    lines = [f"  {line}" for line in said.splitlines()]
    assert caught.value.message.splitlines()[1 : 1 + len(lines)] == lines


@pytest.mark.parametrize(
    ("config", "kept"), [(Config(), True), (Config(binhosts=("https://example.org/x",), offline=True), False)]
)
def test_what_was_built_before_a_failure_is_kept_unless_a_binhost_may_have_sent_it(
    context: Context, base: Stage, runner: FakeRunner, config: Config, kept: bool
) -> None:
    runner.answers["bwrap"] = json.dumps({"app-misc/gold-1": "a" * 64})
    unpack = runner.on_run

    def portage(argv: list[str]) -> None:
        unpack(argv)
        if "emerge" in argv:
            path = Path(argv[argv.index("/var/cache/binpkgs") - 1]) / "app-misc/gold/gold-1-1.gpkg.tar"
            path.parent.mkdir(parents=True)
            path.touch()
            raise BuildError("emerge failed with status 1")

    runner.on_run = portage
    with pytest.raises(BuildError):
        system.stage(
            dataclasses.replace(context, config=config), {}, {"stage3": base, "tools": no_tools(context)}
        ).make()
    assert any((context.cache / "packages").rglob("gold-1-1.gpkg.tar")) == kept


def test_a_failure_of_portage_itself_is_told_as_it_is(context: Context, base: Stage, runner: FakeRunner) -> None:
    failing(context, runner, "emerge: there are no ebuilds to satisfy\n", None)
    with pytest.raises(BuildError, match=r"^emerge failed with status 1\n"):
        system.stage(context, {}, {"stage3": base, "tools": no_tools(context)}).make()


@pytest.mark.parametrize(
    ("url", "suite"), [("debian:sid", "sid"), ("https://example.org/stage3.tar.xz", debian.DEFAULT_SUITE)]
)
def test_debian_packages_come_from_the_suite_of_the_stage3(context: Context, url: str, suite: str) -> None:
    configured = dataclasses.replace(context, config=Config.model_construct(stage3_url=url))
    assert debian.suite(configured) == suite


@pytest.mark.parametrize("place", ["var", "var/lib", "var/db", "etc", "tmp", "lib", "usr/lib", "usr/lib/firmware"])
def test_a_link_in_the_image_removes_and_moves_nothing_of_the_host(
    context: Context, base: Stage, runner: FakeRunner, tmp_path: Path, place: str
) -> None:
    host = tmp_path / "host"
    for name in ("lib/portage/x", "log/portage/x", "portage/x", "tmp/portage/x", "firmware/x", "pkg/x", "cache/edb/x"):
        (host / name).parent.mkdir(parents=True, exist_ok=True)
        (host / name).touch()
    before = snapshot(host)
    unpack = runner.on_run

    def hostile(argv: list[str]) -> None:
        unpack(argv)
        if "--root=/image" in argv and "@alchemy" in argv:
            image = Path(argv[argv.index("/image") - 1])
            files.remove(image / place)
            (image / place).parent.mkdir(parents=True, exist_ok=True)
            (image / place).symlink_to(host)

    runner.on_run = hostile
    # a database or firmware that cannot be moved out is refused
    with suppress(VerificationError):
        system.stage(context, {}, {"stage3": base, "tools": no_tools(context)}).make()
    assert snapshot(host) == before
