"""Compares a machine with its expectations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alchemy_node.expect.conditions import Condition, number
from alchemy_node.expect.file import Expected, Table
from alchemy_node.expect.sections import Places
from alchemy_node.parts import Part

_SOME = number(">= 1")


@dataclass(frozen=True)
class Difference:
    """Something that is not as expected: what to open, which value, what it has to be, what it is.

    `known` is False where the machine does not say what it is.
    """

    part: str
    what: str
    expected: str
    found: str
    known: bool = True


@dataclass(frozen=True)
class Comparison:
    """What came out: the name of the machine of the file (None: none matches), the number of checks, differences."""

    name: str | None
    checks: int = 0
    differences: tuple[Difference, ...] = ()

    @property
    def status(self) -> int:
        """The exit status: 0 all is as expected, 1 something is not, 3 that is not proven."""
        if any(difference.known for difference in self.differences):
            return 1
        return 0 if self.checks and not self.differences else 3


Results = list[Difference | None]  # one for each check, None where it holds


def compare(document: Mapping[str, Any], expected: Sequence[Expected]) -> Comparison:
    """Compares an inventory document with the first machine of a file that it matches."""
    alchemy = document["alchemy"]
    labels = {**alchemy["system"], "board": alchemy["board"].get("product")}
    for machine in expected:
        if all(labels.get(key) and condition.holds(labels[key]) for key, condition in machine.when.items()):
            results: Results = []
            for noun in dict.fromkeys(table.section.noun for table in machine.tables):
                results += _section(alchemy, [table for table in machine.tables if table.section.noun == noun])
            return Comparison(machine.name, len(results), tuple(result for result in results if result))
    return Comparison(None)


def _section(alchemy: Part, tables: list[Table]) -> Results:
    """Compares all parts of one kind."""
    section = tables[0].section
    left = section.parts(alchemy)
    places = section.places
    # a kernel or an enclosure that names no place leaves only the numbers to compare
    named = places is not None and any(part.get(places.attribute) for part in left)
    results: Results = []
    for table in tables:
        if places is not None and named and table.places:
            results += _placed(table, places, left)
            left = [part for part in left if part.get(places.attribute) not in table.places]
        else:
            fitting = [part for part in left if all(_holds(part, key, each) for key, each in table.selecting.items())]
            results += _single(table, fitting) if section.single else _counted(table, fitting)
            left = [part for part in left if part not in fitting]
    if section.closed and not section.single:
        results += [
            Difference(section.name(part), section.noun, "none", str(part.get("model") or part.get("part") or "one"))
            for part in left
        ]
    return results


def _placed(table: Table, places: Places, parts: list[Part]) -> Results:
    """Compares the part in each place of a table."""
    conditions = {**table.selecting, **table.checked}
    by_place = {part[places.attribute]: part for part in parts if part.get(places.attribute)}
    wanted = " ".join(conditions[key].text for key in ("model", "size", "part") if key in conditions)
    results: Results = []
    for place in table.places:
        if place in by_place:
            results += [None, *_checked(table, by_place[place], conditions)]
        else:
            results.append(Difference(f"{places.word} {place}", table.section.noun, wanted or "one", "empty"))
    return results


def _single(table: Table, parts: list[Part]) -> Results:
    """Compares the one part of a section, like the BMC."""
    if not parts:
        return [Difference(table.section.noun, table.section.noun, "known", "unknown", known=False)]
    return _checked(table, parts[0], table.checked)


def _counted(table: Table, parts: list[Part]) -> Results:
    """Compares the number of parts that fit a table, and each of them."""
    section = table.section
    kind = " ".join([*(condition.text for condition in table.selecting.values()), f"{section.noun}s"])
    count = number(len(table.places)) if table.places else table.count or _SOME
    results: Results = [None if count.holds(len(parts)) else Difference("machine", kind, count.text, str(len(parts)))]
    for key, condition in table.counted.items():
        others = [section.name(part) for part in parts if not section.counted[key](part)]
        have = len(parts) - len(others)
        found = f"{have} (not {', '.join(others)})" if others else str(have)
        results.append(None if condition.holds(have) else Difference("machine", f"{kind} {key}", condition.text, found))
    return results + [result for part in parts for result in _checked(table, part, table.checked)]


def _checked(table: Table, part: Part, conditions: Mapping[str, Condition]) -> Results:
    """Compares one part."""
    name = table.section.name(part)
    results: Results = []
    for key, condition in conditions.items():
        if key == "speed_mbps" and not part["link"]:
            continue  # a port without a link has no speed; `linked` says how many have one
        if key not in part:
            results.append(Difference(name, key, condition.text, "unknown", known=False))
        elif condition.holds(part[key]):
            results.append(None)
        else:
            results.append(Difference(name, key, condition.text, condition.show(part[key])))
    return results


def _holds(part: Part, key: str, condition: Condition) -> bool:
    return key in part and condition.holds(part[key])
