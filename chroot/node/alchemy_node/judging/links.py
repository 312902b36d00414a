"""The rule on PCI Express links."""

from __future__ import annotations

from collections.abc import Mapping

from alchemy_node import parts
from alchemy_node.judging.finding import Finding, Verdict
from alchemy_node.parts import Part

_BRIDGE = "06"
_DISPLAY = "03"


def full_speed(alchemy: Part) -> list[Finding]:
    """Every link runs at the speed and width that both of its ends can."""
    rule = "link"
    functions = {function["address"]: function for function in alchemy["pci"]}
    found: dict[str, Finding] = {}
    for function in alchemy["pci"]:
        link = function.get("link", {})
        device = function["address"].rpartition(".")[0]  # all functions of a device share its link
        if device in found or not _has_link_above(function, functions):
            continue
        problems = []
        for key, unit, before in (("speed", " GT/s", ""), ("width", "", "x")):
            ends = [link[name] for name in (f"max_{key}", f"port_max_{key}") if name in link]
            if key in link and len(ends) == 2 and link[key] < min(ends):
                problems.append((key, f"{before}{link[key]:g}{unit}", f"{before}{min(ends):g}{unit}"))
        if problems:
            now, most = (" ".join(problem[index] for problem in problems) for index in (1, 2))
            # a GPU saves power by a slower link, as its driver says
            idle = function["class"].startswith(_DISPLAY) and "driver" in function and problems[0][0] == "speed"
            verdict = Verdict.WARN if idle and len(problems) == 1 else Verdict.FAIL
            text = f"the link runs at {now}, the device and its port can {most}: reseat the card, riser or cable"
            found[device] = Finding(rule, verdict, parts.function(function), text)
    return list(found.values())


def _has_link_above(function: Part, functions: Mapping[str, Part]) -> bool:
    """Tells whether a function's link leads to the port above it; a port's own leads to the device below it."""
    port = function.get("link", {}).get("port")
    if port is None:
        return False
    return not function["class"].startswith(_BRIDGE) or not _has_link_above(
        functions.get(port, {"class": ""}), functions
    )
