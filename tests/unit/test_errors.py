from __future__ import annotations

import pytest

from alchemy.errors import AlchemyError, BuildError, UserError, VerificationError


@pytest.mark.parametrize(
    ("kind", "status"), [(AlchemyError, 1), (UserError, 2), (BuildError, 3), (VerificationError, 4)]
)
def test_the_class_of_an_error_gives_the_exit_status(kind: type[AlchemyError], status: int) -> None:
    assert kind("message").status == status


def test_an_error_reads_as_its_message() -> None:
    assert str(UserError("it is wrong")) == "it is wrong"


def test_a_hint_stands_on_a_line_of_its_own() -> None:
    assert str(UserError("it is wrong", hint="do it right")) == "it is wrong\nhint: do it right"
