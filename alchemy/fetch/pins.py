"""What the outside world yields today.

A configuration may name something that moves: the latest stage3, the tip of a branch. Before a build each is looked up,
and the plan is made of the answers, so that every stage has a fixed key. The answers are kept in the cache, for builds
that ask nobody.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from alchemy.config import lockfile
from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.fetch import download
from alchemy.host import files
from alchemy.stage import Pin, Pins

# the file of the cache that keeps the answers
FILE = "seen.json"


@dataclass(frozen=True)
class Source:
    """Something that moves.

    `request` is what the configuration asks for. `look` asks the outside world what that is now: it gets the last
    answer to the same request, if there is one, and returns names with values, which are enough to fetch exactly that.
    A `local` source is on this host: it is looked up offline too, and no lock pins it.
    """

    name: str
    request: str
    look: Callable[[Pin | None], Pin]
    local: bool = False


def look(context: Context, sources: Iterable[Source], before: Pins) -> Pins:
    """Looks up each source, and returns the answers along with those of `before` to other sources.

    An offline build goes by the last answers, and one with a lock by those in it. Raises UserError when a source has
    neither, and what looking up raises.
    """
    answers = dict(before)
    for source in sources:
        last = known(context, before, source)
        if source.local or not (context.lock or context.config.offline):
            answers[source.name] = {"request": source.request, **source.look(last)}
        elif last is None and not context.lock:
            download.require_online(context, f"{source.name}: {source.request}")
    return answers


def known(context: Context, pins: Pins, source: Source) -> Pin | None:
    """Returns what the source is by the lock, or else what it was when it was looked up; None when it never was.

    Raises UserError when the lock is for another request.
    """
    locked = context.lock.get(source.name)
    if locked is not None and locked.pin.get("request") != source.request:
        raise UserError(
            f"{context.root / lockfile.NAME}: {source.name}: locked for {locked.pin.get('request')}, "
            f"but config.yml asks for {source.request}",
            hint=lockfile.HINT,
        )
    pin = locked.pin if locked is not None else pins.get(source.name)
    return pin if pin is not None and pin["request"] == source.request else None


def read(cache: Path) -> Pins:
    """Reads the answers that a cache keeps; none of a new one."""
    file = cache / FILE
    pins: Pins = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return pins


def write(cache: Path, pins: Pins) -> None:
    """Keeps the answers in a cache."""
    cache.mkdir(parents=True, exist_ok=True)
    files.write_json(cache / FILE, pins)
