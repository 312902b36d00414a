"""Text from a machine on a console."""

from __future__ import annotations

import pytest

from alchemy_node import text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        pytest.param("PowerEdge R640", "PowerEdge R640", id="plain"),
        pytest.param("  Intel(R)\tXeon(R)\n Gold  ", "Intel(R) Xeon(R) Gold", id="whitespace collapses"),
        pytest.param("caf\u00e9 \u8d85\u5fae", "caf\u00e9 \u8d85\u5fae", id="letters of any script stay"),
        pytest.param("\x1b[2J\x1b]0;owned\x07", "?[2J?]0;owned?", id="ANSI escapes"),
        pytest.param("a\x00b\x7fc\x9bd", "a?b?c?d", id="C0, DEL and C1 controls"),
        pytest.param("abc\u202edcba\u2066", "abc?dcba?", id="bidi marks"),
        pytest.param("a\u200bb\ufeffc\U000e0041", "a?b?c?", id="invisible characters"),
        pytest.param("\ud800\ue000\uffff", "???", id="surrogates, private use, unassigned"),
        pytest.param(b"\xff\xfe".decode(errors="replace"), "\ufffd\ufffd", id="invalid UTF-8, decoded"),
        pytest.param("$(reboot) <a>&'\"`", "$(reboot) <a>&'\"`", id="metacharacters do not concern consoles"),
        pytest.param("", "", id="empty"),
    ],
)
def test_unsafe_characters_are_replaced(given: str, shown: str) -> None:
    assert text.printable(given) == shown


@pytest.mark.parametrize("length", [256, 257, 65536, 10_000_000])
def test_the_length_is_bounded(length: int) -> None:
    shown = text.printable("x" * length)
    assert len(shown) == 256
    assert shown.endswith("...") == (length > 256)


def test_a_small_limit_holds() -> None:
    assert text.printable("abcdefgh", 5) == "ab..."
    assert text.printable("abcdefgh", 2) == ".."
    assert text.printable(" " * 100_000 + "x", 10) == "..."
