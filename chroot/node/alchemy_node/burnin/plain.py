"""What a dumb terminal and a log show: a line for each thing that happens, and now and then how far the run is."""

from __future__ import annotations

from datetime import datetime, timedelta

from alchemy_node.burnin import findings, letters
from alchemy_node.burnin.model import Run
from alchemy_node.burnin.progress import clock, progress
from alchemy_node.burnin.screen import ascii_line

# of lines that only say how far the run is
EVERY = timedelta(minutes=5)
_WIDTH = 200


class Lines:
    """Turns the growth of a run into lines."""

    def __init__(self) -> None:
        """Begins with a run of which nothing was shown."""
        self._states: dict[str, str] = {}
        self._failures = 0
        self._errors = 0
        self._ended = False
        self._next: datetime | None = None

    def update(self, run: Run, now: datetime) -> list[str]:
        """Returns the new lines since the last call."""
        news = [*self._steps(run), *self._trouble(run)]
        end: list[str] = []
        if run.status is not None and not self._ended:
            self._ended = True
            end = self._verdict(run)
        elif run.status is None and (self._next is None or now >= self._next):
            self._next = now + EVERY
            state = progress(run, now)
            news.append(f"{clock(state.elapsed)} run, {clock(state.left)} left, {run.failures} checks failed so far")
        return [ascii_line(line, _WIDTH) for line in [*(f"{now:%H:%M:%S} {line}" for line in news), *end]]

    def _steps(self, run: Run) -> list[str]:
        news = []
        for step in run.steps.values():
            word = findings.step_word(run, step)
            if self._states.get(step.id) != word:
                self._states[step.id] = word
                reason = findings.step_reason(run, step) if step.status is not None else ""
                name = findings.step_name(run, step.id)
                news.append(f"step {name}: {word}" + (f": {reason}" if reason else ""))
        return news

    def _trouble(self, run: Run) -> list[str]:
        failed = run.failed()[self._failures :]
        errors = [message for message in run.messages if message.symptom is not None][self._errors :]
        self._failures += len(failed)
        self._errors += len(errors)
        return [
            *(f"FAIL {findings.spoken(diagnosis.message or diagnosis.verdict)}" for diagnosis in failed),
            *(f"error {findings.spoken(findings.said(message))}" for message in errors),
        ]

    def _verdict(self, run: Run) -> list[str]:
        parts = [findings.advice(finding) for finding in findings.findings(run)]
        return ["", *letters.big(findings.verdict(run)), "", *parts]
