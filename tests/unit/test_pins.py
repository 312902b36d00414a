from __future__ import annotations

from alchemy import pins
from alchemy.context import Context


def test_where_nothing_moves_nothing_is_kept(context: Context) -> None:
    pins.look(context, [])
    assert not context.cache.exists()


def test_the_answers_are_kept(context: Context) -> None:
    source = pins.Source("stage3", "latest", lambda: {"url": "today"})
    pins.look(context, [source])
    assert pins.known(context, source) == {"request": "latest", "url": "today"}
    assert pins.known(context, pins.Source("stage3", "other", dict)) is None
