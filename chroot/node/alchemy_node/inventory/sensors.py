"""The kernel's sensors, by lm-sensors: a read of one can hang in the kernel with its device, a program can be left."""

from __future__ import annotations

import math
import re
from typing import Any

from alchemy_node.inventory.facts import Found, Json, Unknown, parse, present, reason
from alchemy_node.machine import Machine

COMMAND = ("sensors", "-j")
_SECONDS = 4.0
_UNITS = {"temp": "C", "fan": "RPM", "in": "V", "curr": "A", "power": "W", "humidity": "%", "energy": "J"}


def collect(machine: Machine) -> Found[list[Json]]:
    """All sensors, each called by its chip and its label."""
    output = machine.run(COMMAND, _SECONDS)
    chips = parse(output.stdout)
    if not isinstance(chips, dict):
        return Found([], (Unknown("sensors", " ".join(COMMAND), reason(output)),))
    # CHIP: {"Adapter": TEXT, LABEL: {"temp1_input": NUMBER, "temp1_crit_alarm": 0 or 1, ...}}
    features = (
        (chip, label, feature)
        for chip, labels in chips.items()
        if isinstance(labels, dict)
        for label, feature in labels.items()
        if isinstance(feature, dict)
    )
    sensors = (_sensor(f"{chip} {label}", feature) for chip, label, feature in features)
    return Found([sensor for sensor in sensors if sensor is not None])


def _sensor(name: str, feature: dict[str, Any]) -> Json | None:
    """The sensor of a feature's numbers; None without a reading of a known kind."""
    for key, value in feature.items():
        kind = re.fullmatch(r"([a-z]{1,16})[0-9]{1,4}_(?:input|average)", key)
        if kind and kind[1] in _UNITS and isinstance(value, int | float) and math.isfinite(value):
            return present(source="kernel", name=name, value=float(value), unit=_UNITS[kind[1]], status=_state(feature))
    return None


def _state(feature: dict[str, Any]) -> str | None:
    """What the chip's alarms say; None where it has none."""
    alarms = {key.partition("_")[2]: value for key, value in feature.items() if key.endswith(("_alarm", "_fault"))}
    if alarms.get("crit_alarm") == 1 or alarms.get("fault") == 1:
        return "critical"
    if 1 in alarms.values():
        return "warning"
    return "ok" if alarms else None
