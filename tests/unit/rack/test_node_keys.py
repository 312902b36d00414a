"""Whatever machines say, in whatever order: a key is that of one node, and no machine gets another's node."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from alchemy.rack.identity import Keys
from alchemy.rack.records import nodes
from alchemy.rack.records.database import Records, default_url
from alchemy.rack.records.schema import keys as key_table
from tests.unit.rack.samples import NOW, mac

_UUIDS = st.sampled_from([None, *(f"8d1c1f34-5c2b-4a55-9d0e-{number:012x}" for number in range(3))])
_SERIALS = st.sampled_from([None, "S-1", "S-2", "S-3"])
_MACS = st.sets(st.sampled_from([mac(number) for number in range(4)]), max_size=3).map(lambda macs: tuple(sorted(macs)))
KEYS = st.builds(Keys, uuid=_UUIDS, serial=_SERIALS, macs=_MACS).filter(lambda keys: any(keys.items()))


@settings(max_examples=60, deadline=None)
@given(boots=st.lists(st.tuples(KEYS, st.booleans()), max_size=12))
def test_any_sequence_of_boots(boots: list[tuple[Keys, bool]]) -> None:
    with TemporaryDirectory() as folder:
        records = Records.open(default_url(Path(folder)))
        try:
            for said, ended in boots:
                _check_boot(records, said, ended=ended)
        finally:
            records.close()


def _check_boot(records: Records, said: Keys, *, ended: bool) -> None:
    """Boots a machine; where there is a conflict, `ended` tells whether an operator releases the keys."""
    with records.begin() as connection:
        rows = [row for row in connection.execute(select(key_table)).all() if (row.kind, row.value) in said.items()]
        owners = {row.node_id for row in rows if not row.shared}
        own = said.without({(row.kind, row.value) for row in rows if row.shared})
        found = nodes.match(connection, said)
        if found.conflicts:
            assert found.node is None
            assert {conflict.node_id for conflict in found.conflicts} == (owners or {row.node_id for row in rows})
            for conflict in found.conflicts if ended and owners else ():
                assert nodes.release(connection, conflict.node_id, conflict.kind, conflict.value)
            return
        if found.node is None:
            assert not owners
            node = nodes.create(connection, said, now=NOW)
        else:
            assert owners == {found.node.id}
            node = nodes.learn(connection, found.node, said, now=NOW)
            assert node.keys == found.node.keys.merged(said)
        # the same machine comes back to its node, and the table has just what its node says and others do not
        assert nodes.match(connection, said) == nodes.Match(node)
        every = connection.execute(select(key_table)).all()
        shared = {(row.kind, row.value) for row in every if row.shared}
        kept = {(row.kind, row.value) for row in every if row.node_id == node.id and not row.shared}
        assert kept == set(node.keys.items()) - shared
        assert set(own.items()) <= kept


@given(one=KEYS, other=KEYS)
def test_being_the_same_machine_is_mutual_and_needs_a_common_key(one: Keys, other: Keys) -> None:
    assert one.is_same_machine(one)
    assert one.is_same_machine(other) == other.is_same_machine(one)
    if one.is_same_machine(other):
        assert set(one.items()) & set(other.items())
        assert other.is_same_machine(one.merged(other))


@given(keys=KEYS)
def test_keys_are_read_again_as_they_were(keys: Keys) -> None:
    fields = {"uuid": keys.uuid, "serial": keys.serial, "macs": list(keys.macs)}
    assert Keys.parse(fields) == keys
