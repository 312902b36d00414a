"""Repairs of lldpd's XML: all of them leave something out. Each is idempotent and changes the tree in place.

Nothing is ever made up: a VLAN's name, a System Name or a Port Description that the switch did not send stays unsent.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from alchemy_node.intake import preflight
from alchemy_node.intake.bounded_xml import ancestries
from alchemy_node.intake.refusal import Repair

_DOCUMENT = "lldp.xml"


def repair(root: ET.Element, allowances: frozenset[str] = frozenset()) -> list[Repair]:
    """Makes all repairs, and returns them."""
    return [*leave_out_nameless_vlans(root, allowances), *leave_out_incomplete_neighbors(root, allowances)]


def pvids(root: ET.Element) -> dict[str, int]:
    """Returns the number of the untagged VLAN of each port that has one, by the port's name."""
    found = {}
    for neighbor in preflight.interfaces(root):
        for vlan in neighbor.findall("vlan"):
            identity = vlan.get("vlan-id", "")
            if (
                vlan.get("pvid") == "yes"
                and re.fullmatch(r"[0-9]{1,4}", identity, re.ASCII)
                and 0 < int(identity) < 4095
            ):
                found[neighbor.get("name", "")] = int(identity)
    return found


def leave_out_nameless_vlans(root: ET.Element, allowances: frozenset[str]) -> list[Repair]:
    """Leaves out each VLAN that Collins would refuse: one without a name, or with an invalid number.

    lldpd writes a nameless one for a PVID TLV alone (display.c:641) and for an LLDP-MED policy (display.c:103); Collins
    refuses it (LldpParser.scala:69), and takes a neighbour without any VLAN.
    """
    done = []
    for neighbor in preflight.interfaces(root):
        port = neighbor.get("name", "")
        for path in list(ancestries(neighbor, "vlan")):
            if reasons := preflight.vlan(path[-1], port, allowances):
                path[-2].remove(path[-1])
                identity = path[-1].get("vlan-id") or path[-1].get("vid") or "?"
                done.append(Repair(_DOCUMENT, port, f"left out VLAN {identity}", reasons[0].problem))
    return done


def leave_out_incomplete_neighbors(root: ET.Element, allowances: frozenset[str]) -> list[Repair]:
    """Leaves out each neighbour without the TLVs that Collins requires, as long as a complete one remains."""
    paths = [path for path in ancestries(root, "interface") if path[-1].get("label") == "Interface"]
    refused = [(path, preflight.interface(path[-1], allowances)) for path in paths]
    if all(reasons for _, reasons in refused):
        return []
    done = []
    for path, reasons in refused:
        if reasons and len(path) > 1:
            path[-2].remove(path[-1])
            reason = "; ".join(one.problem for one in reasons)
            done.append(Repair(_DOCUMENT, path[-1].get("name", ""), "left out a neighbour", reason))
    return done
