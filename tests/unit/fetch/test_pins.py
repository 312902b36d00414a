from __future__ import annotations

import dataclasses

import pytest

from alchemy.config.lockfile import Locked
from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.fetch import pins
from alchemy.stage import Pin

LATEST = pins.Source("stage3", "latest", lambda _: {"url": "today"})


def test_a_cache_keeps_the_answers(context: Context) -> None:
    assert pins.read(context.cache) == {}
    pins.write(context.cache, {"stage3": {"request": "latest", "url": "today"}})
    assert pins.known(context, pins.read(context.cache), LATEST) == {"request": "latest", "url": "today"}


def test_looking_up_writes_nothing(context: Context) -> None:
    assert pins.look(context, [LATEST], {}) == {"stage3": {"request": "latest", "url": "today"}}
    assert not context.cache.exists()


def test_an_answer_to_another_request_is_not_known(context: Context) -> None:
    before = pins.look(context, [LATEST], {})
    assert pins.known(context, before, dataclasses.replace(LATEST, request="other")) is None


def test_a_source_gets_its_last_answer_and_other_answers_stay(context: Context) -> None:
    given: list[Pin | None] = []

    def look(last: Pin | None) -> Pin:
        given.append(last)
        return {"url": "today"}

    source = dataclasses.replace(LATEST, look=look)
    before = {"linux": {"request": "main", "commit": "1"}, "stage3": {"request": "latest", "url": "yesterday"}}
    after = pins.look(context, [source], before)
    assert given == [{"request": "latest", "url": "yesterday"}]
    assert after == {**before, "stage3": {"request": "latest", "url": "today"}}


def test_offline_the_last_answer_counts_and_without_one_the_build_ends(context: Context) -> None:
    offline = dataclasses.replace(context, config=Config(offline=True))
    before = {"stage3": {"request": "latest", "url": "yesterday"}}
    assert pins.look(offline, [LATEST], before) == before
    with pytest.raises(UserError, match="stage3: latest: is not in the cache, and this build is offline"):
        pins.look(offline, [LATEST], {})


def test_the_lock_counts_and_not_what_was_looked_up(context: Context) -> None:
    locked = Locked(digest="", inputs={}, pin={"request": "latest", "url": "locked"})
    context = dataclasses.replace(context, lock={"stage3": locked})
    before = {"stage3": {"request": "latest", "url": "yesterday"}}
    assert pins.look(context, [LATEST], before) == before
    assert pins.known(context, before, LATEST) == {"request": "latest", "url": "locked"}
