"""Finds a run that has no end, and goes on with it.

The log lies in RAM. A record that is still there means that the supervisor ended and the machine did not; one that the
rack service has and this boot has not means that the machine was reset, and that is a failure of the hardware.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from alchemy_node import web
from alchemy_node.burnin import findings, reader, shortage
from alchemy_node.burnin.journal import is_run
from alchemy_node.burnin.model import RESUMED, Run
from alchemy_node.burnin.profile import WATCHES
from alchemy_node.burnin.record import FILE, Record
from alchemy_node.machine import Machine
from alchemy_node.text import printable

# how the message begins that a step writes before it reboots the machine
REBOOTING = "rebooting on purpose: "
VERDICT = "unexpected-reset"

_PAGE = 8 << 20
_IMPORTANT = re.compile(
    r"panic|hardware error|\bmce\b|machine check|\bBUG\b|oops|nmi|watchdog|lockup|aer:", re.IGNORECASE
)
# may hold these words as parameters
_COMMAND_LINE = re.compile(r"(?:Kernel c|C)ommand line: ")
_MOST_WORDS = 10
# what the kernel said earlier is not about its end; a boot has many of these words, until the preliminary init's last
_END_SECONDS = 60.0
_HAND_OVER = "alchemy: handing over to "
# the journal, the reports and the light take this long to end before a reboot
_ENDING_SECONDS = 180
_DUMP_SECONDS = 30
# a machine that stands still for want of memory is reset by its watchdog after this time at most
_STANDSTILL_SECONDS = 600
# <LEVEL>[ SECONDS.MICROSECONDS] before each line of a kernel's log
_PREFIX = re.compile(r"^(?:<\d+>)?\[\s*(\d{1,12}\.\d+)\]\s*(?:\[\s*[TC]\d+\]\s*)?")
_HEADER = re.compile(r"^(?:Panic|Oops|Emergency)#(\d+) Part(\d+)$")


def open_record(folder: Path) -> Path | None:
    """Returns the newest record in the folders of this boot that has a start and no end."""
    records = sorted(folder.glob(f"*/{FILE}"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in records:
        run = reader.read(path)
        if run.started is not None and run.status is None:
            return path
    return None


def fetch(url: str, token: str, run: str, folder: Path) -> Path | None:
    """Fetches the lines of a run from the rack service into a folder of its name.

    Returns None when the run has ended or has no start. Raises web.WebError and OSError.
    """
    if not is_run(run):
        raise web.WebError(f"{web.shown(url)}: not the name of a run")
    place = folder / run / FILE
    part = place.with_name(f".{FILE}.part")
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") as stream:
            state = _copy(url, token, run, stream)
        if state.started is None or state.status is not None:
            return None
        part.replace(place)
        return place
    finally:
        part.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            # only a folder in which nothing was put
            place.parent.rmdir()


def _copy(url: str, token: str, run: str, stream: IO[bytes]) -> Run:
    """Copies the lines that are of the format; returns their run."""
    state = Run()
    size = 0
    while True:
        before = state.next_sequence
        for line in _page(url, token, run, before):
            if reader.accept(state, line):
                size += stream.write(line)
        # a page that brings nothing new is the end, whatever the service says
        if state.next_sequence == before:
            return state
        if size > reader.MOST_BYTES:
            raise web.WebError(
                f"{web.shown(url)}: the record is too large (expected at most {reader.MOST_BYTES} bytes)"
            )


def go_on(record: Record, machine: Machine, *, reset: bool) -> None:
    """Writes into an open record that the run goes on, and, after a reset that nobody ordered, the diagnosis.

    That is FAIL, or an error where memory ran out before it.
    """
    run = record.run
    if not reset:
        record.resume("the supervisor ended without an end of the run; the machine was not reset")
        return
    if ordered(run):
        record.resume("the machine was rebooted on purpose")
        return
    steps = ", ".join(findings.step_name(run, step.id) for step in run.open_steps if step.id not in WATCHES)
    where = f"during {steps}" if steps else "between two steps"
    when = f"{findings.stamp(run.latest)}, {findings.span(run.active)} into the run"
    words = last_words(machine, 0 if run.latest is None else run.latest.timestamp() - _DUMP_SECONDS)
    said = f"last words of the kernel: {words}" if words else "the kernel left no last words"
    starved = _starved(run) or shortage.PANIC.search(words) is not None
    record.resume("the machine was reset")
    step = f"reset-{run.next_sequence}"
    record.step_start(step, "reset")
    message = f"unexpected reset {where} (last sign of life {when}); {said}"
    if starved:
        record.error(shortage.VERDICT, f"memory ran out, which may be why: {message}", step)
    else:
        record.diagnosis(step, VERDICT, "FAIL", message)
    record.step_end(step, "ERROR" if starved else "COMPLETE")


def ordered(run: Run) -> bool:
    """Tells whether a step has ordered the reboot: nothing but what it takes to end was recorded after that."""
    for message in reversed(run.messages):
        if message.message.startswith(REBOOTING):
            return run.latest is not None and (run.latest - message.moment).total_seconds() <= _ENDING_SECONDS
        if message.message.startswith(RESUMED):
            break
    return False


def _starved(run: Run) -> bool:
    """Tells whether memory ran out right before the last sign of life."""
    moments = [message.moment for message in run.messages if message.symptom == shortage.VERDICT]
    return run.latest is not None and any(
        (run.latest - moment).total_seconds() <= _STANDSTILL_SECONDS for moment in moments
    )


def last_words(machine: Machine, since: float) -> str:
    """Returns what the kernel said at its end, from pstore; empty when it left nothing after that time.

    Source of the format: the kernel's pstore (Documentation/ABI/testing/pstore; a dump has parts, the first of which
    holds the newest lines). The files stay: they are the machine's.
    """
    dumps: list[tuple[float, int, int, str]] = []
    for path in machine.glob("/sys/fs/pstore/dmesg-*"):
        head, _, rest = (machine.read(path) or "").partition("\n")
        found = _HEADER.match(head.strip())
        moment = _time(machine, path)
        if found is not None and moment >= since:
            dumps.append((moment, int(found[1]), int(found[2]), rest))
    # the parts of one dump are written one after the other: the last of them, from the oldest lines to the newest
    dumps.sort()
    latest = [dump for dump in dumps if dump[0] >= dumps[-1][0] - _DUMP_SECONDS and dump[1] == dumps[-1][1]]
    latest.sort(key=lambda dump: dump[2], reverse=True)
    lines = _at_the_end(line.strip() for dump in latest for line in dump[3].splitlines() if line.strip())
    important = [line for line in lines if _IMPORTANT.search(line) and not _COMMAND_LINE.match(line)]
    return " | ".join(printable(line, 200) for line in (important or lines)[-_MOST_WORDS:])


def _at_the_end(lines: Iterable[str]) -> list[str]:
    """Returns what the kernel said last, since the boot, without the time; a line without a time has the one before."""
    said: list[tuple[float, str]] = []
    for line in lines:
        found = _PREFIX.match(line)
        moment = float(found[1]) if found else said[-1][0] if said else 0.0
        said.append((moment, _PREFIX.sub("", line)))
    booted = max((number for number, (_, line) in enumerate(said, 1) if line.startswith(_HAND_OVER)), default=0)
    end = max((moment for moment, _ in said), default=0.0)
    return [line for moment, line in said[booted:] if moment >= end - _END_SECONDS]


def _time(machine: Machine, path: str) -> float:
    try:
        return (machine.root / path.lstrip("/")).stat().st_mtime
    except OSError:
        return -1


def _page(url: str, token: str, run: str, start: int) -> list[bytes]:
    """Returns the lines from a sequenceNumber on, each as one line of JSON."""
    place = f"{url}/v1/runs/{run}/lines?from={start}"
    answer = web.request("GET", place, headers={"Authorization": f"Bearer {token}"}, limit=_PAGE, attempts=web.ATTEMPTS)
    if answer.status != 200:
        raise web.WebError(f"{web.shown(place)}: refused: {answer.phrase}")
    try:
        lines = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise web.WebError(f"{web.shown(place)}: the answer is not JSON") from error
    if not isinstance(lines, list):
        raise web.WebError(f"{web.shown(place)}: the answer is not a list of lines")
    return [json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines]
