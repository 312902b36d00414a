"""Stand-ins for what a unit test must not touch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from alchemy.log import Event
from alchemy.run import Runner
from alchemy.stage import Stage


@dataclass(frozen=True)
class Call:
    """What a FakeRunner was asked to run."""

    argv: list[str]
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes | None = None


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
        words = [str(word) for word in argv]
        self.calls.append(Call(words, env or {}, stdin))
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
        return self.answers[str(argv[0])]

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
) -> Stage:
    """A stage whose output is a file `made`, unless `build` says otherwise."""

    def make(folder: Path) -> None:
        (folder / "made").write_text(name, encoding="utf-8")

    return Stage(
        name=name, store=store, inputs=inputs or {}, build=build or make, needs=tuple(needs), external=external
    )


def snapshot(folder: Path) -> dict[str, str]:
    """Every path below a folder, with the content of the files: to see that nothing has changed."""
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }
