"""Tables whose rows are tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet


def rows(table: Mapping[str, object] | Sequence[str], *chosen: str) -> list[ParameterSet]:
    """Returns the rows of a table as parameters with their names as ids: a tuple is spread over several parameters, and
    in a list of strings each is its own name.

    Only ./run test.exhaustive runs those that are not `chosen`.
    """
    named = table if isinstance(table, Mapping) else dict(zip(table, table, strict=True))
    assert set(chosen) <= set(named)
    return [
        pytest.param(
            *(row if isinstance(row, tuple) else (row,)),
            id=name,
            marks=() if name in chosen else pytest.mark.exhaustive,
        )
        for name, row in named.items()
    ]
