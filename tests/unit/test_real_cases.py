"""What real trees of Gentoo have, by the table of tests/integration/test_real_trees.py: each case has its test."""

from __future__ import annotations

import pytest

from tests import repository
from tests.integration import test_real_trees


@pytest.mark.parametrize("case", test_real_trees.COVERED_BY)
def test_the_tests_of_a_case_of_real_trees_are_there(case: str) -> None:
    for file, test, row in test_real_trees.COVERED_BY[case]:
        text = (repository.ROOT / (file or "tests/integration/test_real_trees.py")).read_text(encoding="utf-8")
        assert f"\ndef {test}(" in text
        # a row of a table begins a line
        assert not row or f'\n    "{row}": ' in text or f'\n        "{row}",' in text
