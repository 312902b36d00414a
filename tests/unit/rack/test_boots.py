"""Boots, and the token that proves what a node sends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from alchemy.rack.records import boots
from alchemy.rack.records.database import Records
from alchemy.rack.records.schema import boots as table
from tests.unit.rack.samples import ADDRESS, HOUR, NOW, boot, node

OTHER = "192.0.2.8"


def test_a_token_has_256_bits_and_is_kept_hashed(records: Records) -> None:
    with records.begin() as connection:
        first, second = (boot(connection, node(connection, number).id) for number in (1, 2))
        assert first is not None
        assert second is not None
        assert first != second
        assert len(first) == 43  # 256 bits at 6 bits a character
        kept = connection.execute(select(table)).all()
        assert first not in str(kept)
        assert len(kept[0].token) == 64


@pytest.mark.parametrize(
    ("number", "after", "valid"),
    [
        (1, timedelta(0), True),
        (None, timedelta(0), True),
        (1, HOUR - timedelta(microseconds=1), True),
        (1, HOUR, False),
        (1, -HOUR, True),  # the clock was set back: the boot is the same one
        (2, timedelta(0), False),
    ],
)
def test_whose_token_it_is(records: Records, number: int | None, after: timedelta, valid: bool) -> None:
    with records.begin() as connection:
        ids = {None: None, 1: node(connection, 1).id, 2: node(connection, 2).id}
        token = boot(connection, ids[1] or "")
        assert token is not None
        found = boots.authenticate(connection, token, ids[number], now=NOW + after)
        assert (found is not None) is valid


@pytest.mark.parametrize("token", ["", "x", "x" * 10_000, "\N{SNOWMAN}", "' OR 1=1 --", "\udcff"])
def test_what_is_no_token(records: Records, token: str) -> None:
    with records.begin() as connection:
        known = node(connection)
        boot(connection, known.id)
        assert boots.authenticate(connection, token, known.id, now=NOW) is None


def test_after_the_next_boot_the_old_token_is_dead(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        old = boot(connection, known.id, "b1")
        new = boot(connection, known.id, "b2")
        assert old is not None
        assert new is not None
        assert boots.authenticate(connection, old, known.id, now=NOW) is None
        found = boots.authenticate(connection, new, known.id, now=NOW)
        assert found is not None
        assert found.boot_id == "b2"


def test_a_boot_that_expects_no_run_ends_the_token_too(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        old = boot(connection, known.id, "b1")
        assert old is not None
        assert boot(connection, known.id, "b2", lifetime=None) is None
        assert boots.authenticate(connection, old, known.id, now=NOW) is None
        last = boots.latest(connection, known.id)
        assert last is not None
        assert (last.boot_id, last.profile, last.reason, last.expires) == ("b2", "burnin", "New -> burnin", None)


def test_the_same_boot_asks_again_because_the_answer_was_lost(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        lost = boot(connection, known.id, "b1")
        before = boots.of(connection, known.id, "b1")
        again = boot(connection, known.id, "b1", now=NOW + HOUR / 2)
        after = boots.of(connection, known.id, "b1")
        assert lost is not None
        assert again is not None
        assert before is not None
        assert after is not None
        assert (after.id, after.began, after.expires) == (before.id, NOW, NOW + HOUR / 2 + HOUR)
        assert boots.authenticate(connection, lost, known.id, now=NOW) is None
        assert boots.authenticate(connection, again, known.id, now=NOW) == after


@pytest.mark.parametrize("boot_id", ["b1", "b2"])
def test_another_address_gets_no_token_while_one_lives(records: Records, boot_id: str) -> None:
    with records.begin() as connection:
        known = node(connection)
        token = boot(connection, known.id, "b1")
        assert token is not None
        with pytest.raises(boots.TokenHeldError):
            boot(connection, known.id, boot_id, address=OTHER)
        assert boots.authenticate(connection, token, known.id, now=NOW) is not None
        assert [row.address for row in connection.execute(select(table))] == [ADDRESS]


def test_another_address_gets_a_token_when_the_old_one_has_expired_or_ended(records: Records) -> None:
    with records.begin() as connection:
        one, two = (node(connection, number).id for number in (1, 2))
        boot(connection, one)
        assert boot(connection, one, address=OTHER, now=NOW + HOUR) is not None
        boot(connection, two)
        boots.end(connection, two)
        assert boot(connection, two, address=OTHER) is not None


def test_a_token_of_another_node_does_not_end(records: Records) -> None:
    with records.begin() as connection:
        one, two = (node(connection, number).id for number in (1, 2))
        token = boot(connection, one)
        assert token is not None
        boot(connection, two)
        assert boots.authenticate(connection, token, one, now=NOW) is not None


def test_a_boot_that_was_never_said(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        assert boots.of(connection, known.id, "b1") is None
        assert boots.latest(connection, known.id) is None
