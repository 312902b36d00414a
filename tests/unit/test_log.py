from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from alchemy.log import Log, duration, size


@pytest.fixture
def log(messages: io.StringIO) -> Log:
    return Log(Console(file=messages, highlight=False, soft_wrap=True, width=20))


def test_a_line_in_a_file_has_the_time_and_no_colour(log: Log, messages: io.StringIO) -> None:
    log.info("hello")
    assert re.fullmatch(r"\d\d:\d\d:\d\d hello\n", messages.getvalue())


def test_a_line_on_a_terminal_has_no_time(messages: io.StringIO) -> None:
    Log(Console(file=messages, force_terminal=True, soft_wrap=True)).info("hello")
    assert messages.getvalue() == "hello\n"


def test_a_warning_says_so(log: Log, messages: io.StringIO) -> None:
    log.warn("low on space")
    assert messages.getvalue().endswith(" warning: low on space\n")


@pytest.mark.parametrize("text", ["[bold]x[/bold] [/]", "a line that is longer than the console is wide", ":smile:"])
def test_text_stays_as_it_is(log: Log, messages: io.StringIO, text: str) -> None:
    log.info(text)
    assert messages.getvalue()[9:] == f"{text}\n"


def test_a_step_says_when_it_begins_and_that_it_is_done(log: Log, messages: io.StringIO) -> None:
    with log.step("packing"):
        assert messages.getvalue().endswith(" packing …\n")
    assert re.search(r" packing: done in \d+\.\d s\n$", messages.getvalue())


def test_a_step_that_fails_leaves_the_word_to_the_error(log: Log, messages: io.StringIO) -> None:
    with pytest.raises(RuntimeError), log.step("packing"):
        raise RuntimeError
    assert "done" not in messages.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.0 s"), (4.24, "4.2 s"), (59.9, "59.9 s"), (60, "1 min 00 s"), (200.4, "3 min 20 s")]
)
def test_a_duration_reads_as_a_person_says_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0.0 KB"), (999_999, "1000.0 KB"), (10_500_000, "10.5 MB")])
def test_a_size_reads_as_a_person_says_it(count: int, text: str) -> None:
    assert size(count) == text
