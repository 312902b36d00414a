from __future__ import annotations

import pytest

from alchemy.errors import AlchemyError, BuildError, UserError, VerificationError, visible


@pytest.mark.parametrize(
    ("kind", "status"), [(AlchemyError, 1), (UserError, 2), (BuildError, 3), (VerificationError, 4)]
)
def test_the_class_of_an_error_gives_the_exit_status(kind: type[AlchemyError], status: int) -> None:
    assert kind("message").status == status


def test_an_error_reads_as_its_message() -> None:
    assert str(UserError("it is wrong")) == "it is wrong"


def test_a_hint_is_on_a_line_of_its_own() -> None:
    assert str(UserError("it is wrong", hint="do it right")) == "it is wrong\nhint: do it right"


SHOWN = {
    "plain text": ("gold: 100 % \\x1b\n\tlead", "gold: 100 % \\x1b\n\tlead"),
    "other alphabets": ("grün 金 …", "grün 金 …"),
    "colours": ("\x1b[1;32mgreen\x1b[0m \x1b[38:2:1:2:3m\x1b[m", "green "),
    "the cursor": ("a\x1b[2J\x1b[1A", r"a\x1b[2J\x1b[1A"),
    "the clipboard": ("\x1b]52;c;AAAA\x07", r"\x1b]52;c;AAAA\x07"),
    "a link": ("\x1b]8;;http://x\x1b\\gold", r"\x1b]8;;http://x\x1b\gold"),
    "a device control string": ("\x1bP$q\x1b\\", r"\x1bP$q\x1b" + "\\"),
    "controls in 8 bits": ("\x9b2J\x9d52;c;AAAA\x9c\x90", r"\x9b2J\x9d52;c;AAAA\x9c\x90"),
    "a backspace": ("bad\x08\x08\x08good", r"bad\x08\x08\x08good"),
    "delete and NUL": ("\x7f\0", r"\x7f\x00"),
    "a line over another": ("failed\rdone", r"failed\rdone"),
    "ends of lines of other systems": ("a\r\nb\r\r\nc", "a\nb\nc"),
    "the direction of text": ("\u202egnp.exe \u2066\u200f", r"\u202egnp.exe \u2066\u200f"),
    "other ends of lines": ("a\u2028b\x85c\x0bd", r"a\u2028b\x85c\x0bd"),
    "what cannot be seen": ("pass\u200bword\ufeff\U000e0041", r"pass\u200bword\ufeff\U000e0041"),
    "a name of other bytes": ("\udcff", r"\udcff"),
    "credentials": (
        "at https://ci:p@ss@h/x, HTTP proxy http://t0ken@h:3128",
        "at https://…@h/x, HTTP proxy http://…@h:3128",
    ),
    "a user of ssh": ("ssh://git@h/x and me@example.com", "ssh://git@h/x and me@example.com"),
    "a path with @": ("https://h/a@b", "https://h/a@b"),
}


@pytest.mark.parametrize(("text", "shown"), SHOWN.values(), ids=SHOWN.keys())
def test_foreign_text_is_shown_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown


def test_an_error_cannot_act_on_the_terminal() -> None:
    error = UserError("\x1b[2J", hint="\x1b]0;x\x07")
    assert str(error) == "\\x1b[2J\nhint: \\x1b]0;x\\x07"
    assert "\x1b" not in repr(error)
