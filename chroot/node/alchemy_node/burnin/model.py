"""What a run has recorded so far, taken line by line: the one source of every report, screen and resume.

A line may come from a file that was cut off, garbled or made up: lines of another format are counted and left out,
and nothing that is kept grows without bound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from alchemy_node.burnin import ocp
from alchemy_node.burnin.ocp import Hardware, Software, Value
from alchemy_node.burnin.series import Series

Json = dict[str, Any]

# more of each than any real run has; the rest is counted in `dropped`
MOST_STEPS = 500
MOST_PARTS = 5000
MOST_DIAGNOSES = 5000
MOST_MEASUREMENTS = 20000
MOST_SERIES = 5000
MOST_MESSAGES = 1000

# evidence is sampled at least this often, in seconds: a longer gap is a clock that was set
LONGEST_SILENCE = 3700.0
# how the message begins that is the first line after a reset or a crash
RESUMED = "the run goes on: "

_HARDWARE = {
    "name": "name",
    "location": "location",
    "partType": "part_type",
    "manufacturer": "manufacturer",
    "manufacturerPartNumber": "manufacturer_part_number",
    "serialNumber": "serial_number",
    "version": "version",
}


class FormatError(ValueError):
    """A line that OCP's format does not allow, or that does not fit what came before."""


@dataclass(frozen=True)
class Diagnosis:
    """A judgement of a step; `hardware` is the id of a part."""

    step_id: str
    verdict: str
    type: str
    message: str
    hardware: str | None
    moment: datetime


@dataclass(frozen=True)
class Measurement:
    """A value that a step measured once."""

    step_id: str
    name: str
    value: Value
    unit: str | None
    hardware: str | None


@dataclass(frozen=True)
class Message:
    """A log entry, or an error of the software when `symptom` is set."""

    step_id: str | None
    severity: str
    message: str
    moment: datetime
    symptom: str | None = None


@dataclass
class Step:
    """A step of a run; it is open until it has a status.

    `title` is the name, numbered where other steps have it, too. `active` is the seconds that the step ran.
    """

    id: str
    name: str
    started: datetime
    ended: datetime | None = None
    status: str | None = None
    active: float = 0.0
    title: str = ""


@dataclass
class Run:
    """The state of a run after the lines that it took. A run is open until it has a status.

    `active` is the seconds that it ran: the time in which the machine was down between two boots is left out.
    """

    name: str = ""
    version: str = ""
    command_line: str = ""
    parameters: Json = field(default_factory=dict)
    machine: str = ""
    hardware: dict[str, Hardware] = field(default_factory=dict)
    software: dict[str, Software] = field(default_factory=dict)
    started: datetime | None = None
    latest: datetime | None = None
    ended: datetime | None = None
    status: str | None = None
    result: str | None = None
    steps: dict[str, Step] = field(default_factory=dict)
    diagnoses: list[Diagnosis] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    series: dict[str, Series] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    failures: int = 0
    errors: int = 0
    active: float = 0.0
    next_sequence: int = 0
    dropped: int = 0
    garbled: int = 0

    def take(self, line: object) -> None:
        """Takes a line that was read from JSON. Raises FormatError, and changes nothing, for another JSON value."""
        top = _object(line)
        sequence = _integer(top, "sequenceNumber")
        moment = _moment(top, "timestamp")
        if sequence < self.next_sequence:
            raise FormatError(f"sequenceNumber: duplicate or out of order ({sequence})")
        if "testRunArtifact" in top:
            self._take_run(_object(top["testRunArtifact"]), moment)
        elif "testStepArtifact" in top:
            self._take_step(_object(top["testStepArtifact"]), moment)
        elif "schemaVersion" not in top or _integer(_object(top["schemaVersion"]), "major") != 2:
            raise FormatError("neither an artifact nor schema version 2")
        self.next_sequence = sequence + 1
        self._pass_time(top, moment)

    def _pass_time(self, line: Json, moment: datetime) -> None:
        before, self.latest = self.latest, moment
        resumed = self.messages[-1].message.startswith(RESUMED) if self.messages else False
        if before is None or self.started in {None, moment} or (resumed and "log" in line.get("testRunArtifact", ())):
            return
        passed = min(max(0.0, (moment - before).total_seconds()), LONGEST_SILENCE)
        self.active += passed
        for step in self.steps.values():
            if step.started < moment and (step.status is None or step.ended == moment):
                step.active += passed

    @property
    def open_steps(self) -> list[Step]:
        """The steps that have not ended."""
        return [step for step in self.steps.values() if step.status is None]

    def failed(self) -> list[Diagnosis]:
        """Returns the diagnoses that are FAIL."""
        return [diagnosis for diagnosis in self.diagnoses if diagnosis.type == "FAIL"]

    def part(self, identifier: str | None) -> Hardware | None:
        """Returns the part of an id, if it was listed at the start."""
        return None if identifier is None else self.hardware.get(identifier)

    def _take_run(self, artifact: Json, moment: datetime) -> None:
        if "testRunStart" in artifact:
            self._start(_object(artifact["testRunStart"]), moment)
        elif "testRunEnd" in artifact:
            end = _object(artifact["testRunEnd"])
            pair = (_text(end, "status"), _text(end, "result"))
            if pair not in ocp.ENDS or self.status is not None:
                raise FormatError(f"testRunEnd: {pair[0]} with {pair[1]}, or a second end")
            self.status, self.result = pair
            self.ended = moment
        else:
            self._take_message(None, artifact, moment)

    def _start(self, start: Json, moment: datetime) -> None:
        if self.started is not None:
            raise FormatError("testRunStart: duplicate")
        dut = _object(start.get("dutInfo"))
        name, version, command_line = (_text(start, key) for key in ("name", "version", "commandLine"))
        parameters = _object(start.get("parameters"))
        hardware = [_hardware(_object(info)) for info in _list(dut.get("hardwareInfos"))]
        software = [_software(_object(info)) for info in _list(dut.get("softwareInfos"))]
        self.name, self.version, self.command_line, self.parameters = name, version, command_line, parameters
        self.machine = _optional(dut, "name") or _text(dut, "dutInfoId")
        self.hardware = {part.id: part for part in hardware}
        self.software = {part.id: part for part in software}
        self.started = moment

    def _take_step(self, artifact: Json, moment: datetime) -> None:
        identifier = _text(artifact, "testStepId")
        if "testStepStart" in artifact:
            if identifier in self.steps:
                raise FormatError(f"testStepStart: duplicate ({identifier})")
            name = _text(_object(artifact["testStepStart"]), "name")
            before = sum(other.name == name for other in self.steps.values())
            step = Step(identifier, name, moment, title=f"{name} {before + 1}" if before else name)
            if self._has_room(self.steps, MOST_STEPS):
                self.steps[identifier] = step
            return
        known = self.steps.get(identifier)
        if known is None or known.status is not None:
            raise FormatError(f"testStepId: not an open step ({identifier})")
        if "testStepEnd" in artifact:
            status = _text(_object(artifact["testStepEnd"]), "status")
            if status not in ocp.STATUSES:
                raise FormatError(f"testStepEnd: unknown status ({status})")
            known.status, known.ended = status, moment
        elif "diagnosis" in artifact:
            self._diagnose(identifier, _object(artifact["diagnosis"]), moment)
        elif "measurement" in artifact:
            self._measure(identifier, _object(artifact["measurement"]))
        elif any(key.startswith("measurementSeries") for key in artifact):
            self._take_series(identifier, artifact, moment)
        elif "file" not in artifact and "extension" not in artifact:
            self._take_message(identifier, artifact, moment)

    def _diagnose(self, step_id: str, body: Json, moment: datetime) -> None:
        kind, verdict = _text(body, "type"), _text(body, "verdict")
        if kind not in ocp.TYPES:
            raise FormatError(f"diagnosis: unknown type ({kind})")
        message = _optional(body, "message", ocp.TEXT_LENGTH) or ""
        diagnosis = Diagnosis(step_id, verdict, kind, message, _optional(body, "hardwareInfoId"), moment)
        self.failures += kind == "FAIL"
        # a FAIL is kept in any case, in place of the newest other one
        if kind == "FAIL" and len(self.diagnoses) == MOST_DIAGNOSES and self.failures <= MOST_DIAGNOSES:
            last = max(index for index, other in enumerate(self.diagnoses) if other.type != "FAIL")
            del self.diagnoses[last]
            self.dropped += 1
        if self._has_room(self.diagnoses, MOST_DIAGNOSES):
            self.diagnoses.append(diagnosis)

    def _measure(self, step_id: str, body: Json) -> None:
        value = body.get("value")
        if not isinstance(value, str | int | float | bool):
            raise FormatError("measurement: no value")
        bounded = value[: ocp.TEXT_LENGTH] if isinstance(value, str) else value
        name, unit, hardware = _text(body, "name"), _optional(body, "unit"), _optional(body, "hardwareInfoId")
        if self._has_room(self.measurements, MOST_MEASUREMENTS):
            self.measurements.append(Measurement(step_id, name, bounded, unit, hardware))

    def _take_series(self, step_id: str, artifact: Json, moment: datetime) -> None:
        if "measurementSeriesStart" in artifact:
            body = _object(artifact["measurementSeriesStart"])
            identifier = _text(body, "measurementSeriesId")
            unit, hardware = _optional(body, "unit"), _optional(body, "hardwareInfoId")
            series = Series(identifier, step_id, _text(body, "name"), unit, hardware)
            if self._has_room(self.series, MOST_SERIES):
                self.series[identifier] = series
        elif "measurementSeriesElement" in artifact:
            body = _object(artifact["measurementSeriesElement"])
            known = self.series.get(_text(body, "measurementSeriesId"))
            value = body.get("value")
            if known is not None and isinstance(value, int | float):
                known.add(_moment(body, "timestamp"), _float(value))
            else:
                self.dropped += 1
        elif "measurementSeriesEnd" in artifact:
            ended = self.series.get(_text(_object(artifact["measurementSeriesEnd"]), "measurementSeriesId"))
            if ended is not None:
                ended.ended = True

    def _take_message(self, step_id: str | None, artifact: Json, moment: datetime) -> None:
        if "log" in artifact:
            body = _object(artifact["log"])
            severity = _text(body, "severity")
            if severity not in ocp.SEVERITIES:
                raise FormatError(f"log: unknown severity ({severity})")
            message = Message(step_id, severity, _text(body, "message", ocp.TEXT_LENGTH), moment)
        elif "error" in artifact:
            body = _object(artifact["error"])
            symptom = _text(body, "symptom")
            text = _optional(body, "message", ocp.TEXT_LENGTH) or ""
            message = Message(step_id, "ERROR", text, moment, symptom)
            self.errors += 1
        else:
            raise FormatError("an artifact of no known kind")
        self.messages.append(message)
        if len(self.messages) > MOST_MESSAGES:
            # the newest count, but errors come before everything
            oldest = next((index for index, other in enumerate(self.messages) if other.symptom is None), 0)
            del self.messages[oldest]
            self.dropped += 1

    def _has_room(self, kept: Mapping[str, object] | list[Any], most: int) -> bool:
        room = len(kept) < most
        self.dropped += not room
        return room


def _object(value: object) -> Json:
    if not isinstance(value, dict):
        raise FormatError("an object is missing")
    return value


def _list(value: object) -> list[Any]:
    return value[:MOST_PARTS] if isinstance(value, list) else []


def _text(body: Json, key: str, most: int = ocp.NAME_LENGTH) -> str:
    value = body.get(key)
    if not isinstance(value, str):
        raise FormatError(f"{key}: a string is missing")
    return value[:most]


def _optional(body: Json, key: str, most: int = ocp.NAME_LENGTH) -> str | None:
    return _text(body, key, most) if key in body else None


def _integer(body: Json, key: str) -> int:
    value = body.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 53:
        raise FormatError(f"{key}: an integer is missing")
    return value


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _moment(body: Json, key: str) -> datetime:
    value = _text(body, key, 40)
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo is not None else _no_zone()
    except (ValueError, OverflowError) as error:
        raise FormatError(f"{key}: not a time of RFC 3339") from error


def _no_zone() -> datetime:
    raise ValueError("a time without a zone")


def _hardware(info: Json) -> Hardware:
    texts = {ours: _optional(info, theirs) for theirs, ours in _HARDWARE.items()}
    name = texts.pop("name") or ""
    return Hardware(_text(info, "hardwareInfoId"), name, **texts)


def _software(info: Json) -> Software:
    return Software(_text(info, "softwareInfoId"), _text(info, "name"), _optional(info, "version"))
