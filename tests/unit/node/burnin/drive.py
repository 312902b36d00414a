"""Drives an activity with outputs that a test has made up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from alchemy_node.burnin.activity import Activity, Pause, Program
from alchemy_node.processes import Output

T = TypeVar("T")

Answer = Callable[[Program], Output]


def drive(activity: Activity[T], answer: Answer) -> tuple[T, list[Program], float]:
    """The activity's result, the programs that it asked for, and the seconds that it waited."""
    programs: list[Program] = []
    waited = 0.0
    output: Output | None = None
    while True:
        try:
            request = next(activity) if output is None else activity.send(output)
        except StopIteration as end:
            return end.value, programs, waited
        if isinstance(request, Pause):
            waited += request.seconds
            output = Output(0)
        else:
            programs.append(request)
            output = answer(request)


def said(stdout: str, status: int = 0, stderr: str = "") -> Output:
    """What a program that ended by itself left."""
    return Output(status, stdout, stderr, f"exit status {status}" if status else None)
