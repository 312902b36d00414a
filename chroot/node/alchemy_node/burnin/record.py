"""Writes the record of a run: OCP Test & Validation output 2.0, one JSON object a line, each synced.

The record refuses what would make the verdict a lie: a step that was never opened, a PASS beside a diagnosis of FAIL,
a run that ends COMPLETE with no step that did. What the disk does not take is kept in memory, and the record says so.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from alchemy_node.burnin import ocp, reader
from alchemy_node.burnin.model import RESUMED, Run, Step
from alchemy_node.burnin.ocp import Hardware, Result, Severity, Software, Status, Type, Validator, Value
from alchemy_node.burnin.store import LineStore

T = TypeVar("T")

NAME = "alchemy-burnin"
# the file of a run's lines, in the run's folder
FILE = "run.jsonl"


class RecordError(ValueError):
    """A call that does not fit what the record holds: a bug of the caller."""


def _now() -> datetime:
    return datetime.now(UTC)


class Record:
    """Appends the lines of a run. Its methods may be called from any thread; none of them raises OSError."""

    def __init__(self, path: Path, clock: Callable[[], datetime] = _now) -> None:
        """Begins a record, or goes on with the one in the file. Raises OSError when it cannot be opened."""
        self._clock = clock
        self._lock = threading.RLock()
        self._store = LineStore(path)
        self._run = reader.read(path)
        self._said_full = False
        self._lost = 0
        if self._run.next_sequence == 0:
            self._write({"schemaVersion": {"major": 2, "minor": 0}})

    @property
    def run(self) -> Run:
        """What the record holds so far; it grows while other threads write (see `look`)."""
        return self._run

    def look(self, view: Callable[[Run], T]) -> T:
        """Returns what a function makes of the run, while no other thread writes."""
        with self._lock:
            return view(self._run)

    def lines(self, offset: int, most: int) -> bytes:
        """Returns whole lines from a byte offset on, also those that only memory holds."""
        with self._lock:
            return self._store.read(offset, most)

    def run_start(
        self,
        *,
        version: str,
        command_line: str,
        parameters: Mapping[str, object],
        machine: str,
        hardware: Sequence[Hardware] = (),
        software: Sequence[Software] = (),
    ) -> None:
        """Writes the start of the run. A part that is not in `hardware` cannot be referred to later.

        `parameters` is what JSON can hold. The screen and `status` read from it `profile`, `seconds` (what the run is
        to take) and `steps` (the ids of the steps, in order).
        """
        with self._lock:
            if self._run.started is not None:
                raise RecordError("run_start: the run has already started")
            dut: dict[str, object] = {"dutInfoId": "0", "name": ocp.short(machine)}
            if hardware:
                dut["hardwareInfos"] = [part.fields() for part in hardware]
            if software:
                dut["softwareInfos"] = [part.fields() for part in software]
            start = {
                "name": NAME,
                "version": ocp.short(version),
                "commandLine": ocp.text(command_line),
                "parameters": ocp.clean(parameters),
                "dutInfo": dut,
            }
            self._write({"testRunArtifact": {"testRunStart": start}})

    def resume(self, why: str) -> None:
        """Writes that the run goes on after a reset or a crash; the time since its last line does not count."""
        self.log("WARNING", RESUMED + why)

    def step_start(self, step_id: str, name: str) -> None:
        """Opens a step. A step that a reset or a crash left open goes on."""
        with self._lock:
            known = self._run.steps.get(step_id)
            if known is None:
                self._started("step_start")
                self._write_step(step_id, {"testStepStart": {"name": ocp.short(name)}})
            elif known.status is None:
                self.log("INFO", "the step goes on", step_id)
            else:
                raise RecordError(f"step_start: {step_id} has already ended")

    def measurement(
        self,
        step_id: str,
        name: str,
        value: Value,
        unit: str | None = None,
        hardware: str | None = None,
        validators: Sequence[Validator] = (),
    ) -> None:
        """Writes a value that was measured once."""
        with self._lock:
            self._open(step_id)
            body: dict[str, object] = {"name": ocp.short(name), "value": ocp.plain(value)}
            self._write_step(step_id, {"measurement": body | self._details(unit, hardware, validators)}, True)

    def series(
        self,
        step_id: str,
        name: str,
        unit: str | None = None,
        hardware: str | None = None,
        validators: Sequence[Validator] = (),
    ) -> SeriesWriter:
        """Begins a measurement over time; the end of its step ends it, too."""
        with self._lock:
            self._open(step_id)
            identifier = f"series-{self._run.next_sequence}"
            body: dict[str, object] = {"measurementSeriesId": identifier, "name": ocp.short(name)}
            start = body | self._details(unit, hardware, validators)
            self._write_step(step_id, {"measurementSeriesStart": start})
            return SeriesWriter(self, step_id, identifier)

    def diagnosis(
        self,
        step_id: str,
        verdict: str,
        type: Type,  # noqa: A002 - the field's name in the format
        message: str,
        hardware: str | None = None,
    ) -> None:
        """Writes a judgement. `verdict` is a short word that can be counted, such as dimm-ce."""
        with self._lock:
            self._open(step_id)
            if type not in ocp.TYPES:
                raise RecordError(f"diagnosis: unknown type ({type})")
            body: dict[str, object] = {"verdict": ocp.short(verdict), "type": type, "message": ocp.text(message)}
            self._write_step(step_id, {"diagnosis": body | self._details(None, hardware, ())})

    def log(self, severity: Severity, message: str, step_id: str | None = None) -> None:
        """Writes a log entry of the run, or of a step."""
        with self._lock:
            if severity not in ocp.SEVERITIES:
                raise RecordError(f"log: unknown severity ({severity})")
            self._write_message(step_id, {"log": {"severity": severity, "message": ocp.text(message)}})

    def note(self, severity: Severity, message: str) -> None:
        """Writes a log entry of the run if it goes on: for threads that may be late."""
        with self._lock:
            if self._run.started is not None and self._run.status is None:
                self.log(severity, message)

    def error(self, symptom: str, message: str, step_id: str | None = None) -> None:
        """Writes trouble of the software, never of the hardware. `symptom` is a short word that can be counted."""
        with self._lock:
            self._write_message(step_id, {"error": {"symptom": ocp.short(symptom), "message": ocp.text(message)}})

    def step_end(self, step_id: str, status: Status) -> None:
        """Closes a step, and the series that are open in it."""
        with self._lock:
            self._open(step_id)
            if status not in ocp.STATUSES:
                raise RecordError(f"step_end: unknown status ({status})")
            for series in self._run.series.values():
                if series.step_id == step_id and not series.ended:
                    end = {"measurementSeriesId": series.id, "totalCount": series.count}
                    self._write_step(step_id, {"measurementSeriesEnd": end})
            self._write_step(step_id, {"testStepEnd": {"status": status}})

    def outcome(self) -> tuple[Status, Result]:
        """Returns the end that the lines so far allow. A FAIL outranks an error, and an error outranks every PASS."""
        with self._lock:
            return outcome(self._run)

    def run_end(self, status: Status, result: Result) -> None:
        """Writes the end of the run. Only an end that the lines so far allow is taken, or SKIP."""
        with self._lock:
            self._started("run_end")
            if (status, result) not in ocp.ENDS:
                raise RecordError(f"run_end: {status} cannot have the result {result}")
            allowed = outcome(self._run)
            if status == "COMPLETE" and self._run.open_steps:
                raise RecordError(f"run_end: {self._run.open_steps[0].id} has not ended")
            if (status == "COMPLETE" or self._run.failures) and (status, result) != allowed:
                raise RecordError(f"run_end: {result} contradicts the record (expected {' '.join(allowed)})")
            self._write({"testRunArtifact": {"testRunEnd": {"status": status, "result": result}}})

    def abandon(self, symptom: str, message: str) -> None:
        """Ends a run that cannot go on: an error, the end of each open step, and the end that the lines allow."""
        with self._lock:
            self.error(symptom, message)
            for step in self._run.open_steps:
                self.step_end(step.id, "ERROR")
            self.run_end(*self.outcome())

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._store.close()

    def _add(self, step_id: str, identifier: str, index: int, value: float) -> bool:
        with self._lock:
            self._open(step_id)
            element = {
                "index": index,
                "value": ocp.plain(value),
                "timestamp": ocp.timestamp(self._clock()),
                "measurementSeriesId": identifier,
            }
            return self._write_step(step_id, {"measurementSeriesElement": element}, True)

    def _details(self, unit: str | None, hardware: str | None, validators: Sequence[Validator]) -> dict[str, object]:
        details: dict[str, object] = {}
        if unit is not None:
            details["unit"] = ocp.short(unit)
        if hardware is not None:
            identifier = ocp.short(hardware)
            if identifier not in self._run.hardware:
                raise RecordError(f"hardware: {identifier!a} was not listed at the start of the run")
            details["hardwareInfoId"] = identifier
        if validators:
            details["validators"] = [validator.fields() for validator in validators]
        return details

    def _started(self, call: str) -> None:
        if self._run.started is None:
            raise RecordError(f"{call}: the run has not started")
        if self._run.status is not None:
            raise RecordError(f"{call}: the run has ended")

    def _open(self, step_id: str) -> Step:
        self._started(step_id)
        step = self._run.steps.get(step_id)
        if step is None or step.status is not None:
            raise RecordError(f"{step_id}: not an open step")
        return step

    def _write_message(self, step_id: str | None, body: Mapping[str, object]) -> None:
        if step_id is None:
            self._started("log")
            self._write({"testRunArtifact": body})
        else:
            self._open(step_id)
            self._write_step(step_id, body)

    def _write_step(self, step_id: str, body: Mapping[str, object], droppable: bool = False) -> bool:
        return self._write({"testStepArtifact": {"testStepId": step_id, **body}}, droppable)

    def _write(self, content: Mapping[str, object], droppable: bool = False) -> bool:
        kept = self._append(content, droppable)
        self._lost += not kept
        if self._store.full and not self._said_full:
            self._said_full = True
            self._report("WARNING", "the disk with the log is full: the run goes on, its record is kept in memory")
        elif self._said_full and not self._store.full:
            self._said_full = False
            self._report("WARNING", f"the disk with the log has room again; measurements lost: {self._lost}")
            self._lost = 0
        return kept

    def _report(self, severity: Severity, message: str) -> None:
        if self._run.started is not None and self._run.status is None:
            self._append({"testRunArtifact": {"log": {"severity": severity, "message": message}}}, False)

    def _append(self, content: Mapping[str, object], droppable: bool) -> bool:
        line = {
            **content,
            "sequenceNumber": self._run.next_sequence,
            "timestamp": ocp.timestamp(self._clock()),
        }
        if not self._store.append(json.dumps(line, separators=(",", ":")).encode() + b"\n", droppable=droppable):
            return False
        self._run.take(line)
        return True


class SeriesWriter:
    """Adds values to a series of a record."""

    def __init__(self, record: Record, step_id: str, identifier: str) -> None:
        """Serves the series of that id."""
        self._record = record
        self._step_id = step_id
        self._identifier = identifier
        self._index = 0

    def add(self, value: float) -> None:
        """Writes the value that was measured now."""
        self._index += self._record._add(self._step_id, self._identifier, self._index, value)


def outcome(run: Run) -> tuple[Status, Result]:
    """Returns the end of a run that its lines allow.

    FAIL: a diagnosis says so. Else ERROR: the software had trouble, a step did not complete, or none was run with a
    result of PASS. Else PASS.
    """
    if run.failures:
        return "COMPLETE", "FAIL"
    proven = any(diagnosis.type == "PASS" for diagnosis in run.diagnoses)
    stuck = any(step.status == "ERROR" for step in run.steps.values())
    if run.errors or stuck or not proven or not any(step.status == "COMPLETE" for step in run.steps.values()):
        return "ERROR", "NOT_APPLICABLE"
    return "COMPLETE", "PASS"
