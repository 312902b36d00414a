"""Documents that are odd, and valid all the same: judging bears them, and what is learned from them holds for them."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest

from alchemy_node import judging
from alchemy_node.expect import compare, file, learn
from alchemy_node.inventory import document
from tests import recorded
from tests.unit.node import documents

Place = tuple[Any, Any]  # a container, and the key of a value in it

MUTATIONS = 60


def places(value: Any) -> list[Place]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [place for key in keys for place in ((value, key), *places(value[key]))]


def mutate(value: Any, chance: random.Random) -> None:
    """Removes a value, or puts another one of its type in its place."""
    container, key = chance.choice(places(value))
    old = container[key]
    if chance.random() < 0.5:
        del container[key]
    elif isinstance(old, bool):
        container[key] = not old
    elif isinstance(old, int):
        container[key] = chance.choice([0, 1, old + 1, old * 2])
    elif isinstance(old, str):
        container[key] = chance.choice(["x", "*", "?", 'a"b\\', "[a]", "#"])


def valid(found: Any) -> bool:
    try:
        documents.check(found)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("name", ["supermicro-ssg-6029p-2020", "dell-r640-2018", "delta-dss-c621-2021"])
def test_what_is_learned_from_an_odd_machine_holds_for_it(name: str, tmp_path: Path) -> None:
    good = document.collect(recorded.named(name, tmp_path / "machine"))
    chance = random.Random(name)  # noqa: S311 - the same mutations each time
    proven = 0
    for _ in range(MUTATIONS):
        found = copy.deepcopy(good)
        for _ in range(chance.randint(1, 6)):
            mutate(found["alchemy"], chance)
        if not valid(found):
            continue
        judging.judge(found)
        if found["alchemy"]["system"].get("product"):
            comparison = compare.compare(found, file.parse("learned", learn.learn(found).encode()))
            assert (comparison.differences, comparison.status) == ((), 0)
            proven += 1
    assert proven > MUTATIONS / 4
