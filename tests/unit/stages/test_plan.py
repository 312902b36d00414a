from __future__ import annotations

import dataclasses
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from alchemy.commands import build
from alchemy.config.lockfile import Locked
from alchemy.context import Context
from alchemy.errors import BuildError, UserError
from alchemy.stage import Stage
from alchemy.stages import plan
from tests.unit.fakes import FakeRunner, configure, fake_stage, keys, planned

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


def test_the_kernel_does_not_wait_for_the_system_though_that_decides_the_key_of_the_ramfs(
    context: Context, builds: Builds
) -> None:
    both = threading.Barrier(2, timeout=PATIENCE)
    system = builds("system", external=True, build=both.wait)
    kernel = builds("kernel", build=both.wait)
    plan.realize(context, [builds("bundle", builds("ramfs", system, kernel), system, kernel)])
    assert sorted(builds.done[:2]) == ["kernel", "system"]


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
    plan.realize(context, [builds("bundle", kernel)])
    assert builds.done == ["kernel", "bundle"]
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
    plan.realize(context, [builds("bundle", kernel)])
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
    for name, stage in planned(context).stages.items():
        assert stage.name == name
        assert {need.name for need in (*stage.needs.values(), *stage.optional.values())} <= seen
        seen.add(name)
    assert seen >= {"stage3", "system", "kernel", "system-squashfs", "identity-squashfs", "ramfs", "bundle"}


class Threads(ThreadPoolExecutor):
    """Refuses to have fewer threads than the test has stages: all of them would wait for each other, for ever."""

    stages = 40

    def __init__(self, max_workers: int) -> None:
        assert max_workers >= self.stages
        super().__init__(max_workers)


def test_each_of_many_stages_has_a_thread_to_wait_in(
    context: Context, builds: Builds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "ThreadPoolExecutor", Threads)
    last = builds("0")
    for number in range(1, Threads.stages):
        last = builds(str(number), last)
    plan.realize(context, [last])
    assert builds.done == [str(number) for number in range(Threads.stages)]


def test_a_key_has_128_bits(context: Context) -> None:
    assert {len(key) for key in keys(context).values()} == {32}


def test_making_a_plan_starts_nothing_though_git_knows_the_commit(context: Context, runner: FakeRunner) -> None:
    (context.root / ".git").mkdir()
    assert planned(context)["bundle"].inputs["commit"] is None
    assert build.info(context)["stages"][-1]["key"] is None
    assert runner.calls == []


@pytest.mark.parametrize("offline", [False, True])
@pytest.mark.parametrize("locked", [False, True])
def test_the_commit_is_looked_up_for_every_build_and_known_from_then_on(
    context: Context, runner: FakeRunner, offline: bool, locked: bool
) -> None:
    (context.root / ".git").mkdir()
    context = configure(offline=offline)(context)
    runner.answers["git"] = "0123abcd\n"
    lock = {"overlays": Locked(digest="", inputs={}, pin={}, files={})} if locked else {}
    plan.look(dataclasses.replace(context, lock=lock))
    asked = len(runner.calls)
    assert planned(context)["bundle"].inputs["commit"] == "0123abcd"
    assert len(runner.calls) == asked


def test_making_a_plan_writes_nothing(context: Context) -> None:
    before = sorted(context.root.rglob("*"))
    planned(context)
    assert sorted(context.root.rglob("*")) == before


def test_the_kernel_and_the_system_do_not_need_each_other(context: Context) -> None:
    def all_needs(stage: Stage) -> set[str]:
        return {name for need in stage.needs.values() for name in (need.name, *all_needs(need))}

    stages = planned(context)
    assert "system" not in all_needs(stages["kernel"])
    assert "kernel" not in all_needs(stages["system"])


def test_the_password_is_in_no_input(context: Context) -> None:
    stages = planned(configure(password=SecretStr("hunter2"))(context))
    assert all("hunter2" not in str(stage.inputs) for stage in stages.stages.values())


def test_a_set_that_holds_no_atoms_is_the_users_error(context: Context) -> None:
    (context.root / "packages/packages.core").write_text("not an atom\n", encoding="utf-8")
    system = planned(context)["system"]
    with pytest.raises(UserError, match=r"packages\.core: not a package atom: not an atom"):
        system.build(context.work, {"stage3": context.work})
