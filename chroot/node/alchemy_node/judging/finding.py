"""What a rule finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


class Verdict(StrEnum):
    """How bad it is: FAIL, the machine is not as it has to be; WARN, look at it; UNKNOWN, it cannot be judged."""

    FAIL = "FAIL"
    WARN = "WARN"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class Finding:
    """What is wrong: the rule's name, how bad it is, the part to open (empty for the whole machine), one sentence."""

    rule: str
    verdict: Verdict
    part: str
    text: str

    def __str__(self) -> str:
        return f"{self.part}: {self.text}" if self.part else self.text


def usual(values: Iterable[Key]) -> Key | None:
    """The value that most have; of equally many the one that comes first. None for no values."""
    return max(counted, key=counted.__getitem__) if (counted := Counter(values)) else None
