"""What a run found, in the words of its readers: the verdict, what to do about which part, how each step went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alchemy_node.burnin.model import Diagnosis, Message, Run, Step
from alchemy_node.burnin.ocp import Hardware
from alchemy_node.text import printable


@dataclass(frozen=True)
class Finding:
    """A part, or None when no part could be named, and every diagnosis of FAIL about it."""

    part: Hardware | None
    diagnoses: tuple[Diagnosis, ...]


def verdict(run: Run) -> str:
    """Returns PASS, FAIL (as soon as anything failed), ERROR (nothing was proven), SKIP, or RUNNING."""
    if run.failures:
        return "FAIL"
    if run.status is None:
        return "RUNNING"
    return run.result if run.status == "COMPLETE" and run.result else run.status


def findings(run: Run) -> list[Finding]:
    """Returns what failed: first by part, then what could not be pinned on a part."""
    groups: dict[str, list[Diagnosis]] = {}
    for diagnosis in run.failed():
        part = run.part(diagnosis.hardware)
        groups.setdefault("" if part is None else part.id, []).append(diagnosis)
    found = [Finding(run.part(identifier), tuple(group)) for identifier, group in groups.items()]
    return sorted(found, key=lambda finding: finding.part is None)


def describe(part: Hardware) -> str:
    """Names a part as a technician looks for it: `DIMM A1, serial 1A2B, bay 3, Example EX-32G`."""
    words = [part.name]
    if part.location and part.location not in part.name:
        words.append(part.location)
    if part.serial_number:
        words.append(f"serial {part.serial_number}")
    model = " ".join(filter(None, (part.manufacturer, part.manufacturer_part_number)))
    return ", ".join(printable(word) for word in [*words, model] if word)


def heading(finding: Finding) -> str:
    """Names what a finding is about."""
    return "no part could be named" if finding.part is None else describe(finding.part)


def advice(finding: Finding) -> str:
    """Returns what to do about a finding: its first message, which says so."""
    first = finding.diagnoses[0]
    return spoken(first.message or first.verdict)


def step_name(run: Run, step_id: str) -> str:
    """Returns the name of a step; the second of one name is `cpu 2`."""
    step = run.steps.get(step_id)
    return printable(step_id if step is None else step.title or step.name)


def step_word(run: Run, step: Step) -> str:
    """Returns PASS, FAIL, ERROR, SKIP, RUNNING, or UNKNOWN for a step that ended without a judgement."""
    types = {diagnosis.type for diagnosis in run.diagnoses if diagnosis.step_id == step.id}
    if "FAIL" in types:
        return "FAIL"
    if step.status is None:
        return "RUNNING" if run.status is None else "ERROR"
    if step.status != "COMPLETE":
        return step.status
    return "PASS" if "PASS" in types else "UNKNOWN"


def step_reason(run: Run, step: Step) -> str:
    """Returns why a step was skipped, failed or was in error; empty for one that passed."""
    word = step_word(run, step)
    if word == "PASS":
        return ""
    diagnoses = [other for other in run.diagnoses if other.step_id == step.id and other.type == word]
    if diagnoses:
        return spoken(diagnoses[0].message or diagnoses[0].verdict)
    messages = [other for other in run.messages if other.step_id == step.id]
    errors = [message for message in messages if message.symptom is not None]
    chosen = errors[0] if errors else messages[-1] if messages and word in {"SKIP", "ERROR"} else None
    # the word says that it was skipped
    return "" if chosen is None else spoken(said(chosen)).removeprefix("skipped: ")


def said(message: Message) -> str:
    """Returns what a log entry or an error says to people."""
    return message.message or message.symptom or ""


def spoken(text: str) -> str:
    """Returns a message as one printable line."""
    return printable(text, 1000)


def unproven(run: Run) -> list[Diagnosis]:
    """Returns what could not be judged."""
    return [diagnosis for diagnosis in run.diagnoses if diagnosis.type == "UNKNOWN"]


def span(duration: float) -> str:
    """Returns a duration for people: `45 s`, `12 min`, `2 h 05 min`."""
    whole = int(min(max(duration, 0), 1e7))
    if whole < 100:
        return f"{whole} s"
    minutes = (whole + 30) // 60
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02} min"


def stamp(moment: datetime | None) -> str:
    """Returns a moment in UTC for people."""
    return "unknown" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
