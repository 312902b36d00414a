"""Read profiles: the steps of a burn-in, their times, and the errors that it tolerates.

A profile is TOML:

    time = "2h"

    [[phases]]
    share = 40                  # of the time; shares need not add up to 100
    steps = ["cpu", "memory"]   # in parallel

    [limits]
    memory_corrected = 0

    [options]
    self_test = "short"
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

STEPS = ("cpu", "memory", "disks", "network", "reboot")
WATCHES = ("kernel", "pcie", "bmc")

# How much each kind of evidence may grow while the burn-in runs. Hardware is new: nothing is tolerated that it does
# not do by itself. A value per hour is tolerated once in a run that is shorter than an hour.
LIMITS: Mapping[str, float] = {
    "memory_corrected": 0,
    "machine_checks": 0,
    "machine_check_thresholds": 0,
    "throttling": 0,
    "pcie_corrected_per_hour": 10,
    "disk_errors": 0,
    "disk_link_errors": 0,
    "disk_error_log": 0,
    "disk_used_percent": 1,
    "network_errors": 0,
    "network_drops": 1000,
    "link_flaps": 0,
    "kernel_stalls": 0,
    "slower_percent": 10,
}

BUILT_IN = ("quick", "short", "standard", "long")

_FOLDER = Path(__file__).parent / "profiles"
_TIME = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_LONGEST = 60 * 86400
_SIZE = 65536


class ProfileError(ValueError):
    """A profile, or an option that changes one, that is invalid: one line for each problem."""


@dataclass(frozen=True)
class Phase:
    """Steps that run in parallel for a share of the time."""

    share: float
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Options:
    """How the steps are done: which self-test the disks run, how often evidence is sampled, how many reboots."""

    self_test: str = "short"
    sample_seconds: int = 60
    reboots: int = 0


@dataclass(frozen=True)
class Profile:
    """A valid profile; `seconds` is the length of the whole run."""

    name: str
    seconds: float
    phases: tuple[Phase, ...]
    limits: Mapping[str, float] = field(default_factory=lambda: LIMITS)
    options: Options = Options()

    def durations(self) -> tuple[float, ...]:
        """Returns the seconds of each phase."""
        total = sum(phase.share for phase in self.phases)
        return tuple(self.seconds * phase.share / total for phase in self.phases)

    def scaled(self, factor: float) -> Profile:
        """Returns a profile that takes `factor` of the time, samples included."""
        sample = max(1, round(self.options.sample_seconds * factor))
        return replace(self, seconds=self.seconds * factor, options=replace(self.options, sample_seconds=sample))

    def only(self, names: tuple[str, ...]) -> Profile:
        """Returns a profile of these steps only. Raises ProfileError for an unknown name."""
        for name in names:
            if name not in STEPS + WATCHES:
                raise ProfileError(f"--only: unknown step {name!r}{_nearest(name, STEPS + WATCHES)}")
        kept = [Phase(phase.share, steps) for phase in self.phases if (steps := _kept(phase.steps, names))]
        missing = tuple(n for n in names if n in STEPS and not any(n in phase.steps for phase in kept))
        if missing:
            kept.append(Phase(max(sum(phase.share for phase in kept), 1), missing))
        return replace(self, phases=tuple(kept))


def load(name: str) -> Profile:
    """Reads a built-in profile. Raises ProfileError when there is none of that name."""
    if name not in BUILT_IN:
        raise ProfileError(f"profile {name!r}: unknown (expected {', '.join(BUILT_IN)}){_nearest(name, BUILT_IN)}")
    return parse((_FOLDER / f"{name}.toml").read_bytes(), name)


def parse(data: bytes, name: str) -> Profile:
    """Parses a profile. Raises ProfileError with every problem in it, a line each."""
    if len(data) > _SIZE:
        raise ProfileError(f"profile {name}: too large (expected at most {_SIZE} bytes, got {len(data)})")
    try:
        document = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ProfileError(f"profile {name}: not TOML ({error})") from None
    problems: list[str] = []
    profile = _Reader(problems).profile(document, name if _NAME.fullmatch(name) else "custom")
    if problems:
        raise ProfileError("\n".join(f"profile {name}: {problem}" for problem in problems))
    return profile


def seconds(text: str) -> float:
    """Parses a duration like 90m, 2h or 1d12h. Raises ProfileError."""
    found = _TIME.fullmatch(text)
    total = sum(int(n or 0) * f for n, f in zip(found.groups(), (86400, 3600, 60, 1), strict=True)) if found else 0
    if not 0 < total <= _LONGEST:
        raise ProfileError(f"{text!r}: not a duration (expected one like 90m, 2h or 1d12h, at most 60d)")
    return float(total)


def factor(text: str) -> float:
    """Parses the value of --scale. Raises ProfileError."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0001 <= value <= 1000:
        raise ProfileError(f"--scale: {text!r} is not a factor (expected a number from 0.0001 to 1000)")
    return value


@dataclass(frozen=True)
class _Reader:
    """Reads a document, and notes its faults."""

    problems: list[str]

    def profile(self, document: Mapping[str, Any], name: str) -> Profile:
        self._keys("", document, ("time", "phases", "limits", "options"))
        return Profile(
            name,
            self._time(document.get("time")),
            tuple(self._phases(document.get("phases"))),
            {**LIMITS, **self._limits(self._table(document, "limits"))},
            self._options(self._table(document, "options")),
        )

    def _time(self, value: object) -> float:
        try:
            return seconds(value) if isinstance(value, str) else self._wrong("time", "a string like '2h'", value, 1.0)
        except ProfileError as error:
            self.problems.append(f"time: {error}")
            return 1.0

    def _phases(self, value: object) -> Iterator[Phase]:
        if not isinstance(value, list) or not value:
            self._wrong("phases", "at least one [[phases]]", value, None)
            return
        for number, table in enumerate(value, 1):
            where = f"phases[{number}]"
            if not isinstance(table, dict):
                self._wrong(where, "a table", table, None)
                continue
            self._keys(f"{where}.", table, ("share", "steps"))
            share = self._number(f"{where}.share", table.get("share"), 0.001, 1e6, 1.0)
            yield Phase(share, self._steps(f"{where}.steps", table.get("steps")))

    def _steps(self, where: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
            return self._wrong(where, "a list of steps", value, ())
        for name in value:
            if name not in STEPS:
                self.problems.append(f"{where}: unknown step {name!r} (expected {', '.join(STEPS)})")
        if len(set(value)) != len(value):
            self.problems.append(f"{where}: duplicate step")
        return tuple(value)

    def _limits(self, table: Mapping[str, Any]) -> dict[str, float]:
        self._keys("limits.", table, tuple(LIMITS))
        return {k: self._number(f"limits.{k}", v, 0, 1e12, 0.0) for k, v in table.items() if k in LIMITS}

    def _options(self, table: Mapping[str, Any]) -> Options:
        checks: dict[str, Callable[[str, object], Any]] = {
            "self_test": lambda where, value: (
                value if value in ("none", "short", "long") else self._wrong(where, "none, short or long", value, "")
            ),
            "sample_seconds": lambda where, value: int(self._number(where, value, 1, 3600, 60.0)),
            "reboots": lambda where, value: int(self._number(where, value, 0, 1000, 0.0)),
        }
        self._keys("options.", table, tuple(checks))
        return Options(**{k: checks[k](f"options.{k}", v) for k, v in table.items() if k in checks})

    def _table(self, document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value = document.get(key, {})
        return value if isinstance(value, dict) else self._wrong(key, "a table", value, {})

    def _number(self, where: str, value: object, low: float, high: float, default: float) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
            return value
        return self._wrong(where, f"a number from {low:g} to {high:g}", value, default)

    def _keys(self, where: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for key in table:
            if key not in known:
                self.problems.append(f"{where}{key}: unknown key{_nearest(key, known)}")

    def _wrong(self, where: str, expected: str, value: object, default: T) -> T:
        got = "nothing" if value is None else repr(value)[:60]
        self.problems.append(f"{where}: invalid (expected {expected}, got {got})")
        return default


def _kept(steps: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(step for step in steps if step in names)


def _nearest(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
