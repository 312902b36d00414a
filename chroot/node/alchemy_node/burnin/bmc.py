"""Read what the BMC says: its event log and its sensors, as ipmitool prints them with -c (CSV).

Source of the format: the output of ipmitool 1.8.19.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

from alchemy_node.burnin.activity import Activity, Finding, Kind, ask
from alchemy_node.burnin.parts import Parts
from alchemy_node.burnin.sample import MOST, Key, Sample
from alchemy_node.processes import Output
from alchemy_node.text import printable

# an event that is asserted and of these words is the machine's, not the operator's
_CRITICAL = re.compile(
    r"uncorrect|non-recoverable|critical (?:high|low)|(?:upper|lower) critical|ierr|thermal trip|frb[123]"
    r"|machine check|bus (?:uncorrectable|fatal) error|fatal nmi|pci (?:perr|serr)|power supply ac lost"
    r"|failure detected|predictive failure|drive fault|in failed array|redundancy lost|fan .*fail"
    r"|processor disabled|configuration error|memory device disabled|state asserted.*fault",
    re.IGNORECASE,
)
_CORRECTED = re.compile(r"\bcorrectable", re.IGNORECASE)
_FULL = re.compile(r"log full|log almost full", re.IGNORECASE)
# the name of the state of the log: ok, full, or silent with its BMC
_ROOM = "event log"
_FULL_PERCENT = 95
# what ipmitool says last when no answer comes; a BMC that refuses says why behind a colon
_SILENT = re.compile(r"timed out|: timeout$|no data available|command failed$", re.IGNORECASE)
_HINT = "save it (ipmitool sel save FILE), then clear it (ipmitool sel clear)"
_WORDS = {"degrees C": ("temperature", "C"), "RPM": ("fan", "rpm"), "Watts": ("power", "W"), "Volts": ("voltage", "V")}
_BAD_STATES = {"cr", "nr", "lcr", "lnr", "ucr", "unr"}


def collect() -> Activity[Sample]:
    """Samples the BMC. A machine without one is told as missing; a BMC that does not answer twice is silent."""
    room = yield ask("ipmitool", "sel", "info", seconds=20)
    if room.status != 0:
        room = yield ask("ipmitool", "sel", "info", seconds=30)
    if room.status != 0:
        silent = {Key("bmc", "", _ROOM): "silent"} if _SILENT.search(_why(room)) else {}
        return Sample(states=silent, missing={"bmc": _why(room)})
    whole = fill(room.stdout)
    log = yield ask("ipmitool", "-c", "sel", "elist", seconds=120)
    whole |= events(log.stdout) if log.status == 0 else Sample(missing={"bmc": _why(log)})
    sensors = yield ask("ipmitool", "-c", "sdr", "elist", "full", seconds=120)
    return whole | (readings(sensors.stdout) if sensors.status == 0 else Sample(missing={"bmc sensors": _why(sensors)}))


def _why(output: Output) -> str:
    said = output.stderr.strip().splitlines()
    return printable(said[-1]) if output.status is not None and said else output.problem or "no answer"


def events(text: str) -> Sample:
    """Returns the entries of the event log: record number → text."""
    entries: dict[Key, str] = {}
    for row in _rows(text):
        number, *said = row
        if re.fullmatch(r"[0-9a-f]{1,8}", number.strip()) and len(said) >= 4:
            entries[Key("sel", "", number.strip())] = printable(
                " | ".join(word.strip() for word in said if word.strip())
            )
    return Sample(entries=entries)


def fill(text: str) -> Sample:
    """Returns whether the event log has room left, from ipmitool sel info."""
    used = re.search(r"^Percent Used\s*:\s*([0-9]{1,3})%", text, re.MULTILINE)
    overflow = re.search(r"^Overflow\s*:\s*true", text, re.MULTILINE)
    full = overflow is not None or (used is not None and int(used[1]) >= _FULL_PERCENT)
    return Sample(states={Key("bmc", "", _ROOM): "full" if full else "ok"})


def readings(text: str) -> Sample:
    """Returns the sensors: their values, and their states where they are not ok."""
    values: dict[Key, float] = {}
    states: dict[Key, str] = {}
    for row in _rows(text):
        if len(row) < 4:
            continue
        name, value, unit, state = (printable(word.strip(), 64) for word in row[:4])
        word, short = _WORDS.get(unit, ("sensor", unit))
        states[Key("bmc", "", name)] = "critical" if state.lower() in _BAD_STATES else "ok"
        if re.fullmatch(r"-?[0-9]{1,9}(?:\.[0-9]{1,6})?", value) and unit in _WORDS:
            values[Key("sensor", "bmc", f"{word} {name} {short}")] = float(value)
    return Sample(states=states, readings=values)


def _rows(text: str) -> Iterator[list[str]]:
    lines = text.replace("\0", "").splitlines()[:MOST]
    try:
        yield from (row for row in csv.reader(lines) if row)
    except csv.Error:
        return


def judge(before: Sample, after: Sample, parts: Parts) -> Iterator[Finding]:
    """Yields what the entries that came in between, and the sensors, mean."""
    for key, said in after.entries.items():
        if before.entries.get(key) == said:
            continue
        if "ecc" in said.lower() and "deasserted" not in said.lower():
            # date | time | sensor | event | direction
            part = parts.dimm(said.split(" | ")[2])
            verdict = "dimm-ce" if _CORRECTED.search(said) else "dimm-ue"
            yield Finding(Kind.FAIL, verdict, f'replace {part}: the BMC logged "{said}"', part)
        elif _CRITICAL.search(said) and "deasserted" not in said.lower():
            part = parts.find("board")
            yield Finding(Kind.FAIL, "bmc-event", f'the BMC logged "{said}": replace the part that it names', part)
        elif _FULL.search(said):
            yield Finding(Kind.WARNING, "sel-full", f"the BMC's event log is full: {_HINT}")
        else:
            yield Finding(Kind.NOTE, "bmc-event", f'the BMC logged "{said}"')
    for key, state in after.states.items():
        if key.kind == "bmc" and state == "full":
            yield Finding(Kind.WARNING, "sel-full", f"the BMC's event log is full: {_HINT}")
        if key.kind == "bmc" and state == "silent":
            part = parts.find("bmc")
            message = (
                f"reset {part} (ipmitool mc reset cold, or take the power away), then replace it: it does not answer"
            )
            yield Finding(Kind.FAIL, "bmc-silent", message, part)
        if key.kind == "bmc" and state == "critical":
            yield Finding(
                Kind.FAIL,
                "sensor-critical",
                f"the BMC's sensor {key.name} is critical: check what it measures",
                parts.find("bmc"),
            )
