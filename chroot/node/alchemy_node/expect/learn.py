"""Writes what a good machine is as an expectations file, for all that should be like it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from alchemy_node import parts
from alchemy_node.expect import conditions
from alchemy_node.expect.sections import MANY, SINGLE, Section
from alchemy_node.parts import Part

# what machines of a kind share: neither serial numbers nor addresses, and no version that says another one again
_SINGLE: Mapping[str, tuple[str, ...]] = {
    "firmware": ("vendor", "version", "mode", "secure_boot", "tpm"),
    "memory": ("installed", "correction"),
    "bmc": ("firmware",),
}
# the keys by which parts make a table, where the section selects by them or names places
_TOGETHER: Mapping[str, tuple[str, ...]] = {
    "cpus": (),
    "dimms": ("type", "size", "ranks"),
    "disks": ("model", "size", "transport", "rotational"),
    "drives": ("model", "size", "transport", "rotational"),
    "raid": ("model", "driver"),
    "gpus": ("model",),
    "nics": ("device", "driver", "max_mbps"),
    "pci": ("device",),
}
_CLASSES = ("01", "02", "03", "0b", "12")  # storage, network, display, processors, accelerators


class LearnError(Exception):
    """A machine of which nothing can be learned."""


def learn(document: Mapping[str, Any]) -> str:
    """Writes an expectations file (TOML) from an inventory document. Raises LearnError without a product name."""
    alchemy = document["alchemy"]
    system = alchemy["system"]
    if not system.get("product"):
        raise LearnError("the machine has no product name in DMI, so no expectations can be bound to it")
    when = {key: system[key] for key in ("manufacturer", "product") if system.get(key)}
    lines = [
        '# Learned from one machine: take out what may differ. Forms of a value: 4, ">= 4", "16 GiB", "PM9A3*".',
        "",
        "[[machine]]",
        f"when = {{ {', '.join(f'{key} = {_value(value)}' for key, value in when.items())} }}",
    ]
    for key, keys in _SINGLE.items():
        known = {name: alchemy[key][name] for name in keys if name in alchemy.get(key, {})}
        if known:
            lines += ["", f"[machine.{key}]", *_written(SINGLE[key], [known], known)]
    for key, section in MANY.items():
        for group in _groups(section.parts(alchemy), key, section):
            lines += ["", f"[[machine.{key}]]", *_amount(section, group)]
            lines += _written(section, group, {**section.selecting, **section.checked})
    return "\n".join([*lines, ""])


def _groups(found: list[Part], key: str, section: Section) -> list[list[Part]]:
    """The parts of each table; a table that selects by fewer keys comes later, as it would take parts of others."""
    together = _TOGETHER[key] if section.selecting or _places(section, found) else ()
    groups: dict[tuple[Any, ...], list[Part]] = defaultdict(list)
    for part in found:
        if key != "pci" or part["class"].startswith(_CLASSES):
            groups[tuple(part.get(name) for name in together)].append(part)
    return [groups[values] for values in sorted(groups, key=lambda values: values.count(None))]


def _places(section: Section, parts: Iterable[Part]) -> list[str]:
    """The places of parts; none unless each has one of its own."""
    places = [str(part.get(section.places.attribute, "")) for part in parts] if section.places else []
    return places if all(places) and len(set(places)) == len(places) else []


def _amount(section: Section, group: list[Part]) -> list[str]:
    """Says where the parts are if each has a place of its own, else how many they are."""
    places = _places(section, group)
    if section.places and places:
        amount = [f"{section.places.key} = [{', '.join(map(_value, places))}]"]
    else:
        amount = [f"count = {len(group)}"]
    return amount + [f"{key} = {sum(map(counts, group))}" for key, counts in section.counted.items()]


def _written(section: Section, group: list[Part], keys: Iterable[str]) -> list[str]:
    """Writes each key that all parts have: different texts as a list, different numbers as a range."""
    lines = []
    for key in keys:
        having = [part for part in group if not (key == "speed_mbps" and not part["link"])]
        values = list(dict.fromkeys(part[key] for part in having if key in part))
        kind = {**section.selecting, **section.checked}[key]
        if values and all(key in part for part in having) and not (kind is conditions.flag and len(values) > 1):
            lines.append(f"{key} = {_one(kind, values)}")
    return lines


def _one(kind: conditions.Kind, values: list[Any]) -> str:
    if kind is conditions.text:
        texts = [str(value) for value in values]
        return _value(texts[0]) if len(texts) == 1 else f"[{', '.join(map(_value, texts))}]"
    if len(values) > 1:
        unit = "" if kind is conditions.number else " B"
        return _value(f"{min(values)}..{max(values)}{unit}")
    if kind is conditions.binary_size:
        round_number = values[0] and values[0] % (1 << (30 if values[0] >= 1 << 30 else 20)) == 0
        return _value(parts.binary(values[0])) if round_number else f"{values[0]:_}"
    return f"{values[0]:_}" if kind is conditions.decimal_size else _value(values[0])


def _value(value: Any) -> str:
    """Writes a TOML value: its basic strings are those of JSON, but for DEL."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)
