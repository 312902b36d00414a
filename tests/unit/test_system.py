from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from alchemy import stage3, system
from alchemy.config import Config
from alchemy.context import Context
from alchemy.errors import BuildError, UserError, VerificationError
from alchemy.stage import Stage
from tests.unit.fakes import FakeRunner, fake_stage

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
    monkeypatch.setattr("alchemy.byhand.check", lambda *_, **__: None)
    runner.answers["bwrap"] = "portageq's values"

    def unpack(argv: list[str]) -> None:
        if "--extract" in argv:
            profile = Path(argv[argv.index("--directory") + 1]) / "etc/portage/make.profile"
            profile.parent.mkdir(parents=True)
            profile.symlink_to("../../var/db/repos/embedded/profiles/default")
        if "--root=/image" in argv:
            (Path(argv[argv.index("/image") - 1]) / "var/db/pkg").mkdir(parents=True, exist_ok=True)

    runner.on_run = unpack
    stage = fake_stage(context.cache, "stage3", build=lambda folder: (folder / "stage3.tar.zst").touch())
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
    system.stage(context, base, (), no_tools(context)).make()
    fetching, building, *installing = emerges(runner)
    assert "--fetchonly" in fetching
    assert not {"--fetchonly", "--root=/image"} & set(building)
    assert [arguments[-1] for arguments in installing] == ["sys-apps/baselayout", "@alchemy"]
    assert all({"--root=/image", "--usepkgonly", "--binpkg-respect-use=y"} < set(words) for words in installing)


def test_only_fetching_has_the_network(context: Context, base: Stage, runner: FakeRunner) -> None:
    system.stage(context, base, (), no_tools(context)).make()
    with_network = [call.argv for call in runner.calls if call.argv[0] == "bwrap" and "--unshare-net" not in call.argv]
    assert len(with_network) == 1
    assert "--fetchonly" in with_network[0]


HOST = "https://example.org/binpkgs"


def test_binary_packages_of_a_host_are_fetched_with_the_network_and_verified_without(
    context: Context, base: Stage, runner: FakeRunner
) -> None:
    frozen = []
    unpack = runner.on_run

    def look(argv: list[str]) -> None:
        unpack(argv)
        if "--getbinpkg" in argv:
            conf = Path(argv[argv.index("--bind") + 1]) / "etc/portage/binrepos.conf/alchemy.conf"
            text = conf.read_text(encoding="utf-8")
            assert f"sync-uri = {HOST}\n" in text
            assert "verify-signature = true\n" in text
            frozen.append("frozen = true\n" in text)

    runner.on_run = look
    system.stage(dataclasses.replace(context, config=Config(binhosts=(HOST,))), base, (), no_tools(context)).make()
    assert frozen == [False, True]


def test_offline_no_host_of_binary_packages_is_asked(context: Context, base: Stage, runner: FakeRunner) -> None:
    system.stage(
        dataclasses.replace(context, config=Config(binhosts=(HOST,), offline=True)), base, (), no_tools(context)
    ).make()
    assert "--getbinpkg" not in [word for arguments in emerges(runner) for word in arguments]
    assert [call.argv for call in runner.calls if "emerge" in call.argv and "--unshare-net" not in call.argv] == []


def test_what_is_to_be_done_by_hand_is_asked_for_before_anything_is_fetched(
    context: Context, base: Stage, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def demand(*_: object, **__: object) -> None:
        raise UserError("tool.zip has to be fetched by hand")

    monkeypatch.setattr("alchemy.byhand.check", demand)
    with pytest.raises(UserError, match="by hand"):
        system.stage(context, base, (), no_tools(context)).make()
    assert emerges(runner) == []


def test_an_atom_of_two_sets_is_asked_for_once(context: Context, base: Stage, runner: FakeRunner) -> None:
    (context.root / "packages/packages.network").write_text("net-misc/openssh\nsys-apps/ethtool\n", encoding="utf-8")
    both = dataclasses.replace(context, config=Config(packages=("core", "network")))
    system.stage(both, base, (), no_tools(context)).make()
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
    stage = system.stage(context, base, (), no_tools(context))
    stage.make()
    image = stage.output / system.ROOT
    assert [str(path.relative_to(image)) for path in image.rglob("*") if path.is_file()] == ["usr/bin/busybox"]
    assert not (image / "var/db/pkg").exists()
    assert '"busybox"' in (stage.output / system.PACKAGES).read_text(encoding="utf-8")


def test_what_the_stage3_brought_along_is_packed_before_it_is_installed(
    context: Context, base: Stage, runner: FakeRunner
) -> None:
    unpack = runner.on_run

    def stage3s(argv: list[str]) -> None:
        unpack(argv)
        if "--extract" in argv:
            for package in ("sys-libs/glibc-2.41-r2", "sys-apps/busybox-1.37.0", "sys-apps/-MERGING-x-1"):
                (Path(argv[argv.index("--directory") + 1]) / "var/db/pkg" / package).mkdir(parents=True)
        if "--fetchonly" in argv:
            folder = Path(argv[argv.index("/var/cache/binpkgs") - 1]) / "sys-apps/busybox"
            folder.mkdir(parents=True)
            (folder / "busybox-1.37.0-1.gpkg.tar").touch()

    runner.on_run = stage3s
    system.stage(context, base, (), no_tools(context)).make()
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
        system.stage(context, base, (), no_tools(context)).make()
    lines = caught.value.message.splitlines()
    assert lines[0] == "app-misc/lead-1.2-r1: failed to build"
    assert [line for line in lines if line.endswith("app-misc/lead-1.2-r1/temp/build.log")]
    assert lines[-1] == "by hand: emerge @alchemy"
    assert ("  line 49" in lines) == (build_log is not None)
    assert len(lines) < 30
    assert not system.stage(context, base, (), no_tools(context)).fresh


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
        system.stage(context, base, (), no_tools(context)).make()
    lines = [f"  {line}" for line in said.splitlines()]
    assert caught.value.message.splitlines()[1 : 1 + len(lines)] == lines


def test_a_failure_of_portage_itself_is_told_as_it_is(context: Context, base: Stage, runner: FakeRunner) -> None:
    failing(context, runner, "emerge: there are no ebuilds to satisfy\n", None)
    with pytest.raises(BuildError, match=r"^emerge failed with status 1\n"):
        system.stage(context, base, (), no_tools(context)).make()


@pytest.mark.parametrize(
    ("url", "suite"), [("debian:sid", "sid"), ("https://example.org/stage3.tar.xz", stage3.DEFAULT_SUITE)]
)
def test_debian_packages_come_from_the_suite_of_the_stage3(context: Context, url: str, suite: str) -> None:
    configured = dataclasses.replace(context, config=Config.model_construct(stage3_url=url))
    assert stage3.suite(configured) == suite
