"""The error of a dump that cannot be read."""

from __future__ import annotations


class MalformedError(Exception):
    """Names the fault of a dump, with a hint how to make a good one."""

    def __init__(self, problem: str, *, hint: str | None = None) -> None:
        super().__init__(problem)
        self.hint = hint
