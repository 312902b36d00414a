"""docs/gentoo.md quotes messages, which people search for: the code still says them."""

from __future__ import annotations

import re

import pytest

from tests import repository

# what stands for something else in a quoted message, and the key of config.yml before one
_PLACE = re.compile(r"…|^\w+: |\b[A-Z]{3,}\b(?:/[A-Z]{3,}\b)?")


def quoted() -> list[str]:
    """The messages of the table of likely errors."""
    text = (repository.ROOT / "docs/gentoo.md").read_text(encoding="utf-8")
    rows = text.partition("most likely errors")[2].partition("\n## ")[0].splitlines()
    return [match[1] for row in rows if (match := re.match(r"\| `([^`]+)`", row))]


def test_the_table_has_ten_errors() -> None:
    assert len(quoted()) == 10


@pytest.mark.parametrize("message", quoted())
def test_a_quoted_message_is_one_of_the_code(message: str) -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in sorted((repository.ROOT / "alchemy").rglob("*.py")))
    parts = [part.strip(" :/") for part in _PLACE.split(message)]
    assert [part for part in parts if part]
    assert not [part for part in parts if part not in code]
