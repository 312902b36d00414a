"""Repairs of lshw's XML that add nothing the machine has not said. Each is idempotent and changes the tree in place.

The docstrings give the reason of each: the output of lshw 996aaad, and the place where Collins 8647892 fails on it.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

from alchemy_node.intake import lshw_nodes
from alchemy_node.intake.bounded_xml import child_text
from alchemy_node.intake.facts import Facts
from alchemy_node.intake.refusal import Repair

_DOCUMENT = "lshw.xml"
# The character devices and the sensor of an NVMe drive, and one path to a drive that has several.
_NVME_CHILD = re.compile(r"(?:/dev/)?(?:hwmon[0-9]+|ng[0-9]+n[0-9]+)")
_NVME_PATH = re.compile(r"/dev/nvme([0-9]+)c[0-9]+n([0-9]+)")
# Drivers of Ethernet over USB, by which a BMC talks to its host: they have no link speed.
_USB_HOST_DRIVERS = frozenset({"cdc_ether", "cdc_eem", "cdc_ncm", "cdc_subset", "rndis_host"})


def repair(root: ET.Element, facts: Facts) -> tuple[ET.Element, list[Repair]]:
    """Makes all repairs; returns the root, which can be another one, and the repairs."""
    root, done = unwrap_list(root)
    core = lshw_nodes.core(root)
    if core is None:
        return root, done
    return root, done + [change for step in _STEPS for change in step(core, facts)]


def unwrap_list(root: ET.Element) -> tuple[ET.Element, list[Repair]]:
    """Makes the machine the root, where lshw wraps it in a <list>.

    Collins takes a list of one, but then records no serial number of the machine (LshwParser.scala:206).
    """
    nodes = root.findall("node")
    if root.tag != "list" or len(nodes) != 1 or nodes[0].get("class") != "system":
        return root, []
    reason = "Collins looks for the machine's serial number in the root only"
    return nodes[0], [Repair(_DOCUMENT, "list", "left out", reason)]


def unwrap_virtio_nics(core: ET.Element, _: Facts) -> list[Repair]:
    """Puts a virtio NIC in the place of its PCI function.

    lshw makes both of them class=network (virtio.cc:12), and only the inner one has the name and the MAC.
    """
    done = []
    for path in list(lshw_nodes.below(core)):
        node = path[-1]
        inner = [child for child in node.findall("node") if child.get("class") == "network" and lshw_nodes.mac(child)]
        if node.get("class") != "network" or lshw_nodes.mac(node) or len(path) < 2 or len(inner) != 1:
            continue
        parent = path[-2]
        parent[list(parent).index(node)] = inner[0]
        reason = "its only NIC is the node below it, which has the MAC"
        done.append(Repair(_DOCUMENT, lshw_nodes.name(path), "left out the PCI function", reason))
    return done


def leave_out_speedless_usb_nics(core: ET.Element, _: Facts) -> list[Repair]:
    """Leaves out the BMC's Ethernet over USB: it is not a port of the machine, and has no speed."""
    done = []
    for path in list(lshw_nodes.below(core)):
        node = path[-1]
        driver = lshw_nodes.settings(node).get("driver", "")
        if node.get("class") == "network" and driver in _USB_HOST_DRIVERS and not _has_speed(node) and len(path) > 1:
            path[-2].remove(node)
            reason = f"Ethernet over USB by {driver}, as a BMC talks to its host, has no speed"
            done.append(Repair(_DOCUMENT, lshw_nodes.name(path), "left out", reason))
    return done


def add_nic_speeds(core: ET.Element, facts: Facts) -> list[Repair]:
    """Adds the speed that the kernel reports for the same MAC.

    lshw knows no speed above 10 Gb/s (network.cc:420-490); Collins refuses a NIC without one (LshwParser.scala:155).
    """
    done = []
    for path in lshw_nodes.below(core):
        node = path[-1]
        if node.get("class") != "network" or _has_speed(node):
            continue
        mac = lshw_nodes.mac(node)
        for tag, speeds, source in (
            ("capacity", facts.capacities, "ethtool's link modes of the same MAC"),
            ("size", facts.speeds, "the speed of the same MAC's link"),
        ):
            if mac in speeds:
                _put(node, tag, str(speeds[mac]))
                done.append(Repair(_DOCUMENT, lshw_nodes.name(path), f"added <{tag}>{speeds[mac]}</{tag}>", source))
                break
    return done


def leave_out_nvme_children(core: ET.Element, facts: Facts) -> list[Repair]:
    """Leaves out what is listed beside an NVMe drive, and is not a drive.

    lshw makes every child of an NVMe controller a disk (nvme.cc:43-57): `ng0n1` and `hwmon0`, too.
    """
    done = []
    for path in list(lshw_nodes.below(core)):
        node = path[-1]
        names = [name.text or "" for name in node.findall("logicalname")]
        if node.get("class") != "disk" or not names or not all(map(_NVME_CHILD.fullmatch, names)) or len(path) < 2:
            continue
        if facts.disks and not any(name.rpartition("/")[2] in facts.disks for name in names):
            path[-2].remove(node)
            done.append(Repair(_DOCUMENT, lshw_nodes.name(path), "left out", "it is not a block device of the machine"))
    return done


def name_nvme_paths(core: ET.Element, facts: Facts) -> list[Repair]:
    """Gives an NVMe drive with several controllers the name and the size of its block device, once.

    The kernel hides the device of each path (nvme0c0n1) behind one of all paths (nvme0n1); lshw sees the hidden ones.
    """
    done = []
    seen = {name.text for node in core.iter("node") for name in node.findall("logicalname")}
    for path in list(lshw_nodes.below(core)):
        node = path[-1]
        logical = node.find("logicalname")
        match = _NVME_PATH.fullmatch(logical.text or "") if logical is not None else None
        if node.get("class") != "disk" or match is None or logical is None or len(path) < 2:
            continue
        disk = f"nvme{match[1]}n{match[2]}"
        if disk not in facts.disks:
            continue
        where = lshw_nodes.name(path)
        if f"/dev/{disk}" in seen:
            path[-2].remove(node)
            done.append(Repair(_DOCUMENT, where, "left out", f"another path to {disk}, which is listed already"))
            continue
        seen.add(f"/dev/{disk}")
        logical.text = f"/dev/{disk}"
        if not child_text(node, "size"):
            _put(node, "size", str(facts.disks[disk]))
        done.append(
            Repair(_DOCUMENT, where, f"named it /dev/{disk}, with its size", "one path to a drive with several")
        )
    return done


def number_single_bank(core: ET.Element, _: Facts) -> list[Repair]:
    """Gives a machine's only DIMM a number.

    lshw numbers siblings only (hw.cc:801-845), and Collins records nothing without `bank:` (LshwParser.scala:94).
    """
    done = []
    for path in lshw_nodes.below(core):
        node = path[-1]
        if node.get("class") == "memory" and node.get("id") == "bank":
            node.set("id", "bank:0")
            done.append(Repair(_DOCUMENT, lshw_nodes.name(path), "renamed id=bank to bank:0", "it is the only bank"))
    return done


def count_cores(core: ET.Element, facts: Facts) -> list[Repair]:
    """Adds a CPU's cores and threads where DMI has no counts (dmi.cc:1203-1224).

    Collins requires both as soon as there is any setting (LshwParser.scala:71-82); lshw always has the microcode's.
    """
    done = []
    counts = {"cores": facts.cores, "threads": facts.threads}
    for path in lshw_nodes.below(core):
        node = path[-1]
        configuration = node.find("configuration")
        present = lshw_nodes.settings(node)
        if not lshw_nodes.is_cpu(node) or configuration is None or not present:
            continue
        for name, count in counts.items():
            if name not in present and count is not None:
                ET.SubElement(configuration, "setting", {"id": name, "value": str(count)})
                reason = "counted in /proc/cpuinfo"
                done.append(Repair(_DOCUMENT, lshw_nodes.name(path), f"added {name}={count}", reason))
    return done


_STEPS: tuple[Callable[[ET.Element, Facts], list[Repair]], ...] = (
    unwrap_virtio_nics,
    leave_out_speedless_usb_nics,
    add_nic_speeds,
    leave_out_nvme_children,
    name_nvme_paths,
    number_single_bank,
    count_cores,
)


def _has_speed(node: ET.Element) -> bool:
    return bool(child_text(node, "capacity") or child_text(node, "size"))


def _put(node: ET.Element, tag: str, text: str) -> None:
    """Sets the text of the first child of that name, which is added where lshw has it: behind the serial number."""
    child = node.find(tag)
    if child is None:
        child = ET.Element(tag)
        tags = [one.tag for one in node]
        node.insert(tags.index("serial") + 1 if "serial" in tags else len(tags), child)
        child.tail = "\n"
    child.text = text
