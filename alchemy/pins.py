"""What the outside world yields today, and what it yielded when the build was last told.

A configuration may name something that moves: the latest stage3, the tip of a branch. Before a build it is looked up
what that is now, and the plan is made of the answers, so that every stage has a fixed key. The answers are kept, for
the builds that ask nobody.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from alchemy import archive, download, lockfile
from alchemy.context import Context
from alchemy.errors import UserError

Pin = Mapping[str, str]


@dataclass(frozen=True)
class Source:
    """Something of the outside world that moves.

    `request` is what the configuration asks for; `look` asks the outside world what that is now: a mapping of names to
    values, which is enough to fetch exactly that.
    """

    name: str
    request: str
    look: Callable[[], Pin]


def look(context: Context, sources: Iterable[Source]) -> None:
    """Looks up each source, and keeps the answers, if there are any. Offline the last answers stay, and a lock has its
    own.

    Raises UserError when there is none for a source of an offline build, and what looking up raises.
    """
    before = _seen(context)
    answers = dict(before)
    for source in sources:
        if context.lock:
            known(context, source)
        elif not context.config.offline:
            answers[source.name] = {"request": source.request, **source.look()}
        elif known(context, source) is None:
            download.require_online(context, f"{source.name}: {source.request}")
    if answers != before:
        context.cache.mkdir(parents=True, exist_ok=True)
        archive.write_json(_file(context), answers)


def known(context: Context, source: Source) -> Pin | None:
    """What the source was when it was last looked up, or is by the lock; None when it never was, as it is configured
    now. Raises UserError when the lock is of another request."""
    locked = context.lock.get(source.name)
    if locked is not None and locked.pin.get("request") != source.request:
        raise UserError(
            f"{context.root / lockfile.NAME}: {source.name}: is of {locked.pin.get('request')}, "
            f"and the configuration asks for {source.request}",
            hint=lockfile.HINT,
        )
    pin = locked.pin if locked is not None else _seen(context).get(source.name)
    return pin if pin is not None and pin["request"] == source.request else None


def _file(context: Context) -> Path:
    return context.cache / "seen.json"


def _seen(context: Context) -> Mapping[str, Pin]:
    file = _file(context)
    seen: Mapping[str, Pin] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return seen
