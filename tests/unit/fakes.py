"""Stand-ins for what a unit test must not touch."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from alchemy.context import Context
from alchemy.parts import sitesecret
from alchemy.run import Runner
from alchemy.stage import Stage
from alchemy.stages import plan
from alchemy.stages.plan import Plan
from alchemy.ui.events import Event


@dataclass(frozen=True)
class Call:
    """What a FakeRunner was asked to run; `confined` is whether behind the launcher, which `argv` lacks."""

    argv: list[str]
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes | None = None
    confined: bool = False


def _unconfined(argv: list[str]) -> list[str]:
    """A command line without the launcher that stands in front of bubblewrap."""
    return argv[argv.index("bwrap") :] if argv[0] == sys.executable and "bwrap" in argv else argv


class FakeRunner(Runner):
    """Remembers what it was asked for. `answers` maps a program to what it prints; `stopped` is set by stop()."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.answers: dict[str, str] = {}
        self.stopped = threading.Event()
        self.on_run: Callable[[list[str]], None] = lambda argv: None

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: bytes | None = None,
        what: str | None = None,
        secret: bool = False,
    ) -> None:
        given = [str(word) for word in argv]
        words = _unconfined(given)
        self.calls.append(Call(words, env or {}, stdin, confined=words != given))
        self.on_run(words)

    def capture(
        self,
        argv: Sequence[str | Path],
        *,
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: bytes | None = None,
        what: str | None = None,
    ) -> str:
        self.run(argv, env=env, stdin=stdin)
        return self.answers[_unconfined(list(map(str, argv)))[0]]

    def foreground(self, argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> int:
        self.run(argv, env=env)
        return 0

    def stop(self) -> None:
        self.stopped.set()


class Told:
    """A view that keeps what it is shown."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = False

    def show(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        self.closed = True

    def states(self) -> list[tuple[str, str, str | None]]:
        return [(event.kind, event.stage, event.state) for event in self.events]


def fake_stage(
    store: Path,
    name: str,
    *needs: Stage,
    inputs: Mapping[str, str] | None = None,
    build: Callable[[Path], None] | None = None,
    external: bool = False,
    cheap: bool = False,
) -> Stage:
    """A stage whose output is a file `made`, unless `build` says otherwise."""

    def make(folder: Path) -> None:
        (folder / "made").write_text(name, encoding="utf-8")

    return Stage(
        name=name,
        store=store,
        inputs=inputs or {},
        build=lambda folder, _: (build or make)(folder),
        needs={need.name: need for need in needs},
        external=external,
        cheap=cheap,
        # a test's own code does not count
        code="",
    )


def put(stage: Stage, build: Callable[[Path], None] = lambda _: None) -> None:
    """Makes a stage with an output that `build` fills: nothing, unless it is given."""
    replace(stage, build=lambda folder, _: build(folder)).make()


def planned(context: Context) -> Plan:
    """The plan of a build for what was looked up last."""
    return plan.create(context, plan.recall(context))


def snapshot(folder: Path) -> dict[str, str]:
    """Every path below a folder, with the content of the files: to see that nothing has changed."""
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


def keys(context: Context) -> dict[str, str]:
    """The key of every stage, with what comes from outside as good as fetched."""
    context.cache.mkdir(exist_ok=True)
    sitesecret.create(context.cache)
    stages = planned(context)
    for stage in stages.stages.values():
        if stage.external:
            put(stage, lambda folder: (folder / "fetched").touch())
        elif stage.content is not None:
            # as if any other input gave another content
            put(stage, lambda folder, key=stage.key or "": (folder / "made for").write_text(key))  # type: ignore[misc]
    found = {}
    for name, stage in stages.stages.items():
        assert stage.key is not None
        found[name] = stage.key
    return found


def configure(**values: object) -> Callable[[Context], Context]:
    """Returns what gives a context these keys of the configuration."""
    return lambda context: replace(context, config=context.config.model_copy(update=values))
