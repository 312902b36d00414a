from __future__ import annotations

import dataclasses
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from alchemy import plan
from alchemy.context import Context
from alchemy.errors import BuildError, UserError
from alchemy.stage import Stage
from tests.unit.fakes import FakeRunner, fake_stage

# so long may a test wait for another thread before it fails
PATIENCE = 20


class Builds:
    """Makes stages that note when they are built."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self.done: list[str] = []

    def __call__(
        self, name: str, *needs: Stage, external: bool = False, build: Callable[[], object] = lambda: None
    ) -> Stage:
        def make(folder: Path) -> None:
            build()
            (folder / "made").write_text(name, encoding="utf-8")
            self.done.append(name)

        return fake_stage(self._store, name, *needs, build=make, external=external)


@pytest.fixture
def builds(tmp_path: Path) -> Builds:
    return Builds(tmp_path / "store")


def test_needs_are_built_before_what_needs_them(context: Context, builds: Builds) -> None:
    first = builds("first")
    second = builds("second", first)
    plan.realize(context, [builds("third", second, first)])
    assert builds.done == ["first", "second", "third"]


def test_a_need_of_two_is_built_once(context: Context, builds: Builds) -> None:
    base = builds("base", external=True)
    two = [builds("one", base), builds("other", base)]
    plan.realize(context, [builds("top", *two), *two])
    assert sorted(builds.done) == ["base", "one", "other", "top"]


def test_stages_that_do_not_need_each_other_run_side_by_side(context: Context, builds: Builds) -> None:
    both = threading.Barrier(2, timeout=PATIENCE)
    plan.realize(context, [builds("top", builds("one", build=both.wait), builds("other", build=both.wait))])
    assert builds.done[-1] == "top"


def test_what_is_fresh_is_not_built_again(context: Context, builds: Builds) -> None:
    base = builds("base", external=True)
    top = builds("top", builds("middle", base), base)
    plan.realize(context, [top])
    builds.done.clear()
    plan.realize(context, [top])
    assert builds.done == []


def test_what_only_a_fresh_stage_needs_is_not_built(context: Context, builds: Builds) -> None:
    unpacked = builds("unpacked")
    kernel = builds("kernel", unpacked)
    kernel.make()
    plan.realize(context, [builds("image", kernel)])
    assert builds.done == ["kernel", "image"]
    assert not unpacked.fresh


def test_an_external_stage_is_built_to_learn_whether_the_others_are_fresh(context: Context, builds: Builds) -> None:
    source = builds("source", external=True)
    unpacked = builds("unpacked", source)
    kernel = builds("kernel", source, unpacked)
    source.make()
    kernel.make()
    (source.output / "stage.json").unlink()
    for path in source.output.iterdir():
        path.unlink()
    source.output.rmdir()
    builds.done.clear()
    plan.realize(context, [builds("image", kernel)])
    assert "source" in builds.done
    assert "kernel" not in builds.done


def test_the_log_of_a_stage_begins_anew_and_that_of_a_fresh_one_stays(context: Context, builds: Builds) -> None:
    fresh = builds("fresh")
    fresh.make()
    for name in ("fresh", "stale"):
        context.logfile(name).parent.mkdir(parents=True, exist_ok=True)
        context.logfile(name).write_text("old", encoding="utf-8")
    plan.realize(context, [fresh, builds("stale")])
    assert context.logfile("fresh").exists()
    assert not context.logfile("stale").exists()


def fail() -> None:
    raise BuildError("it broke")


def test_a_failure_is_raised_and_nothing_that_needs_it_is_built(context: Context, builds: Builds) -> None:
    with pytest.raises(BuildError, match="it broke"):
        plan.realize(context, [builds("top", builds("middle", builds("broken", build=fail)))])
    assert builds.done == []


def test_what_was_complete_before_a_failure_stays(context: Context, builds: Builds) -> None:
    good = builds("good")
    with pytest.raises(BuildError):
        plan.realize(context, [builds("broken", good, build=fail)])
    assert good.fresh


@pytest.mark.parametrize("order", [("broken", "long"), ("long", "broken")])
def test_a_failure_stops_what_runs_beside_it_and_is_what_is_raised(
    context: Context, builds: Builds, runner: FakeRunner, order: tuple[str, str]
) -> None:
    begun = threading.Event()

    def long() -> None:
        begun.set()
        assert runner.stopped.wait(PATIENCE)
        # as the runner does for a program that it has killed
        raise KeyboardInterrupt

    def broken() -> None:
        assert begun.wait(PATIENCE)
        fail()

    stages = {"long": builds("long", build=long), "broken": builds("broken", build=broken)}
    with pytest.raises(BuildError, match="it broke"):
        plan.realize(context, [stages[name] for name in order])
    assert builds.done == []


def test_what_waits_for_a_stage_is_not_begun_after_a_failure(
    context: Context, builds: Builds, runner: FakeRunner
) -> None:
    def slow() -> None:
        assert runner.stopped.wait(PATIENCE)

    waiting = builds("waiting", builds("slow", build=slow))
    with pytest.raises(BuildError, match="it broke"):
        plan.realize(context, [waiting, builds("broken", build=fail)])
    assert "waiting" not in builds.done


def test_ctrl_c_stops_the_programs_and_is_raised(context: Context, builds: Builds, runner: FakeRunner) -> None:
    main = threading.main_thread().ident
    assert main is not None

    def long() -> None:
        signal.pthread_kill(main, signal.SIGINT)
        assert runner.stopped.wait(PATIENCE)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plan.realize(context, [builds("top", builds("long", build=long))])
    assert builds.done == []


def test_the_plan_has_every_stage_behind_those_it_needs(context: Context) -> None:
    seen: set[str] = set()
    for name, stage in plan.create(context).stages.items():
        assert stage.name == name
        assert {need.name for need in stage.needs} <= seen
        seen.add(name)
    assert seen >= {"stage3", "system", "kernel", "packages", "identity", "ramfs", "image"}


def test_making_a_plan_writes_nothing(context: Context) -> None:
    before = sorted(context.root.rglob("*"))
    plan.create(context)
    assert sorted(context.root.rglob("*")) == before


def test_the_kernel_and_the_system_do_not_need_each_other(context: Context) -> None:
    def all_needs(stage: Stage) -> set[str]:
        return {name for need in stage.needs for name in (need.name, *all_needs(need))}

    planned = plan.create(context)
    assert "system" not in all_needs(planned["kernel"])
    assert "kernel" not in all_needs(planned["system"])


def keys(context: Context) -> dict[str, str]:
    """The key of every stage, with what comes from outside as good as fetched."""
    planned = plan.create(context)
    for stage in planned.stages.values():
        if stage.external:
            dataclasses.replace(stage, build=lambda folder: (folder / "fetched").touch()).make()
    found = {}
    for name, stage in planned.stages.items():
        assert stage.key is not None
        found[name] = stage.key
    return found


def edit(name: str) -> Callable[[Context], Context]:
    """A line more in a file of the repository."""

    def change(context: Context) -> Context:
        path = context.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write("# another line\n")
        return context

    return change


def configure(**values: object) -> Callable[[Context], Context]:
    return lambda context: dataclasses.replace(context, config=context.config.model_copy(update=values))


IDENTITY = {"identity", "ramfs", "image"}
PACKED = {"packages"} | IDENTITY
SYSTEM = {"system"} | PACKED
RAMFS = {"ramfs", "image"}
# the ramdisk holds the firmware that the kernel asks for
KERNEL = {"kernel"} | RAMFS

CHANGES: dict[str, tuple[Callable[[Context], Context], set[str]]] = {
    "nothing": (lambda context: context, set()),
    "the init": (edit("chroot/init"), RAMFS),
    "the parameters of the init": (edit("chroot/early/parameters"), RAMFS),
    "how the ramfs is packed": (edit("chroot/pack-ramfs.sh"), RAMFS),
    "what sets up the image": (edit("chroot/setup.sh"), IDENTITY),
    "the admin user's script": (edit("chroot/adminuser"), IDENTITY),
    "a file of etc": (edit("etc/motd"), IDENTITY),
    "a new file of etc": (edit("etc/new/file"), IDENTITY),
    "Portage's configuration": (edit("etc/portage/package.use"), SYSTEM),
    "a package set": (edit("packages/packages.core"), SYSTEM),
    "another package set": (edit("packages/packages.network"), set()),
    "an ebuild": (edit("overlays/embedded/sys-apps/busybox/busybox-1.37.0.ebuild"), SYSTEM),
    "a new ebuild": (edit("overlays/alchemy/app-misc/new/new-1.ebuild"), SYSTEM),
    "the kernel's configuration": (edit("kernels/6.12"), KERNEL),
    "another kernel's configuration": (edit("kernels/6.18"), set()),
    "the boot script": (edit("chroot/boot.ipxe.j2"), {"image"}),
    "documentation": (edit("chroot/README.md"), set()),
    "documentation of etc": (edit("etc/README.md"), set()),
    "documentation of the sets": (edit("packages/README.md"), set()),
    "the stage3's packages": (edit("chroot/stage3-debian.packages"), {"stage3", "image"}),
    "the stage3's script": (edit("chroot/stage3-debian.sh"), {"stage3", "image"}),
    "the version": (lambda context: dataclasses.replace(context, version="1.3"), KERNEL | IDENTITY),
    "the time": (lambda context: dataclasses.replace(context, epoch=1), KERNEL | PACKED),
    "username": (configure(username="smith"), IDENTITY),
    "password": (configure(password=SecretStr("gold")), IDENTITY),
    "ssh_keys": (configure(ssh_keys=("ssh-ed25519 AAAA",)), IDENTITY),
    "compression": (configure(compression="zstd"), PACKED),
    "packages": (configure(packages=("core", "network")), SYSTEM),
    "accept_licenses": (configure(accept_licenses=("EULA",)), SYSTEM),
    "kernel_conf": (configure(kernel_conf="6.18"), set()),  # the same text
    "kernel_fragments": (configure(kernel_fragments=("ipmi",)), KERNEL),
    "kernel_ver": (configure(kernel_ver="6.12.1-1"), {"linux", "image"}),
    "image_name": (configure(image_name="kernel"), {"image"}),
    "ramfs_name": (configure(ramfs_name="disk"), {"image"}),
    "ram_budget": (configure(ram_budget=512), {"image"}),
    "jobs": (configure(jobs=7), set()),
}


@pytest.mark.parametrize("name", ["the init", "a file of etc", "the version", "a package set", "the boot script"])
def test_with_the_ramdisk_inside_the_kernel_is_linked_again_with_every_ramdisk(context: Context, name: str) -> None:
    change, stages = CHANGES[name]
    context = configure(embed_ramfs=True)(context)
    before = keys(context)
    after = keys(change(context))
    linked = {"embedded"} if "ramfs" in stages else set()
    assert {name for name in after if after[name] != before[name]} == stages | linked


@pytest.mark.parametrize(("change", "stages"), CHANGES.values(), ids=CHANGES.keys())
def test_what_is_built_again_after_a_change_of(
    context: Context, change: Callable[[Context], Context], stages: set[str]
) -> None:
    before = keys(context)
    after = keys(change(context))
    assert {name for name in after if after[name] != before[name]} == stages


def test_the_password_is_in_no_input(context: Context) -> None:
    planned = plan.create(configure(password=SecretStr("hunter2"))(context))
    assert all("hunter2" not in str(stage.inputs) for stage in planned.stages.values())


def test_a_set_that_holds_no_atoms_is_the_users_error(context: Context) -> None:
    (context.root / "packages/packages.core").write_text("not an atom\n", encoding="utf-8")
    system = plan.create(context)["system"]
    with pytest.raises(UserError, match=r"packages\.core: not a package atom: not an atom"):
        system.build(context.work)
