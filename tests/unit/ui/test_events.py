from __future__ import annotations

import pytest

from alchemy.ui.events import Event, Log, duration, size
from tests.unit.fakes import Told


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_message_becomes_an_event(told: Told) -> None:
    log = Log(told)
    log.info("hello")
    log.warn("low on space")
    assert told.events == [Event("info", "hello"), Event("warning", "low on space")]


def test_foreign_text_is_escaped(told: Told) -> None:
    log = Log(told)
    log.info("\x1b[2J")
    log.tell(Event("package", "app-misc/\u202edlog", "system"))
    with pytest.raises(RuntimeError), log.stage("kernel"):
        raise RuntimeError("\x07")
    assert [event.message for event in told.events] == ["\\x1b[2J", "app-misc/\\u202edlog", "", "\\x07"]


def test_a_step_is_reported_at_its_start_and_end(told: Told) -> None:
    with Log(told).step("packing"):
        assert told.events == [Event("step", "packing", state="running")]
    assert told.states() == [("step", "", "running"), ("step", "", "done")]
    assert (told.events[1].seconds or 0) >= 0


def test_a_failed_step_reports_no_end(told: Told) -> None:
    with pytest.raises(RuntimeError), Log(told).step("packing"):
        raise RuntimeError
    assert told.states() == [("step", "", "running")]


def test_events_within_a_stage_belong_to_it(told: Told) -> None:
    log = Log(told)
    with log.stage("kernel"):
        log.info("hello")
    log.info("bye")
    assert told.states() == [
        ("stage", "kernel", "running"),
        ("info", "kernel", None),
        ("stage", "kernel", "done"),
        ("info", "", None),
    ]


@pytest.mark.parametrize(
    ("error", "state", "message"),
    [(RuntimeError("no gold"), "failed", "no gold"), (KeyboardInterrupt(), "stopped", "")],
)
def test_a_stage_reports_failure_and_interruption(told: Told, error: BaseException, state: str, message: str) -> None:
    with pytest.raises(type(error)), Log(told).stage("kernel"):
        raise error
    last = told.events[-1]
    assert (last.stage, last.state, last.message) == ("kernel", state, message)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_build_reports_all_stages_first_and_always_closes_the_view(told: Told, error: type[BaseException]) -> None:
    with pytest.raises(error), Log(told).build({"stage3": "fresh", "kernel": "waiting"}):
        raise error
    assert told.states() == [("stage", "stage3", "fresh"), ("stage", "kernel", "waiting")]
    assert told.closed


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.0 s"), (4.24, "4.2 s"), (59.9, "59.9 s"), (60, "1 min 00 s"), (200.4, "3 min 20 s")]
)
def test_a_duration_is_readable(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0.0 KB"), (999_999, "1000.0 KB"), (10_500_000, "10.5 MB")])
def test_a_size_is_readable(count: int, text: str) -> None:
    assert size(count) == text
