"""The pair of documents that Collins takes, made from what lshw and lldpd say."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from alchemy_node import private_files
from alchemy_node.intake import bounded_xml, lldp_repairs, lshw_repairs, preflight
from alchemy_node.intake.facts import Facts
from alchemy_node.intake.refusal import Refusal, Repair
from alchemy_node.machine import Machine

LSHW = ("lshw", "-quiet", "-xml")
LLDP = ("lldpcli", "-f", "xml", "show", "neighbors", "details")


@dataclass(frozen=True)
class Document:
    """What a program printed, and why that may not be all of it (`problem`; None when it is)."""

    text: str
    problem: str | None = None


@dataclass(frozen=True)
class Pair:
    """The documents as Collins takes them, the repairs in them, and the refusals that are left.

    A document without repairs is the program's output, byte for byte. `serial` is the machine's, as Collins will record
    it; `pvids` holds the untagged VLAN of each port.
    """

    lshw: str
    lldp: str
    originals: dict[str, str]
    repairs: tuple[Repair, ...]
    refusals: tuple[Refusal, ...]
    serial: str
    pvids: dict[str, int]


def read(machine: Machine) -> tuple[Document, Document]:
    """Asks lshw and lldpd; takes up to a minute on a large machine."""
    outputs = machine.run(LSHW, 120), machine.run(LLDP, 15)
    lshw, lldp = (Document(output.stdout, output.problem) for output in outputs)
    return lshw, lldp


def make(lshw: Document, lldp: Document, facts: Facts, allowances: frozenset[str] = frozenset()) -> Pair:
    """Repairs both documents and checks them; `allowances` are keys of preflight.ALLOWANCES."""
    pvids: dict[str, int] = {}

    def repair_lldp(root: ET.Element) -> tuple[ET.Element, list[Repair]]:
        pvids.update(lldp_repairs.pvids(root))
        return root, lldp_repairs.repair(root, allowances)

    made_lshw = _make("lshw.xml", lshw, lambda root: lshw_repairs.repair(root, facts), preflight.lshw, allowances)
    made_lldp = _make("lldp.xml", lldp, repair_lldp, preflight.lldp, allowances)
    return Pair(
        lshw=made_lshw.text,
        lldp=made_lldp.text,
        originals={"lshw.xml": lshw.text, "lldp.xml": lldp.text},
        repairs=(*made_lshw.repairs, *made_lldp.repairs),
        refusals=(*made_lshw.refusals, *made_lldp.refusals),
        serial=made_lshw.serial,
        pvids=pvids,
    )


@dataclass(frozen=True)
class _Made:
    """One document of the pair."""

    text: str
    repairs: list[Repair] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    serial: str = ""


def _make(
    name: str,
    document: Document,
    repair: Callable[[ET.Element], tuple[ET.Element, list[Repair]]],
    check: Callable[[ET.Element, frozenset[str]], list[Refusal]],
    allowances: frozenset[str],
) -> _Made:
    program = " ".join(LSHW if name == "lshw.xml" else LLDP)
    if document.problem or not document.text.strip():
        problem = document.problem or "no output"
        refusal = Refusal(name, "", f"`{program}`: {problem}", "UpdateAction.scala:36", program)
        return _Made(document.text, refusals=[refusal])
    text, forbidden = bounded_xml.without_forbidden(document.text)
    repairs = []
    if forbidden:
        reason = "XML cannot hold control characters"
        repairs.append(Repair(name, "the whole document", f"left out {forbidden} characters", reason))
    try:
        root = bounded_xml.parse(text)
    except bounded_xml.XmlError as error:
        parser = "LshwParser.scala:38" if name == "lshw.xml" else "LldpParser.scala:18"
        return _Made(document.text, refusals=[Refusal(name, "", str(error), parser, program)])
    root, changes = repair(root)
    repairs += changes
    made = bounded_xml.write(root) if repairs else document.text
    return _Made(made, repairs, check(root, allowances), root.findtext("serial", "").strip())


def write(pair: Pair, folder: Path) -> None:
    """Writes lshw.xml, lldp.xml, repairs.json, and the untouched lshw.original.xml and lldp.original.xml.

    Each file is complete or absent. Raises OSError.
    """
    private_files.write(folder / "lshw.xml", pair.lshw)
    private_files.write(folder / "lldp.xml", pair.lldp)
    for name, text in pair.originals.items():
        private_files.write(folder / name.replace(".xml", ".original.xml"), text)
    private_files.write(folder / "repairs.json", json.dumps(report(pair), indent=1) + "\n")


def report(pair: Pair) -> dict[str, object]:
    """Returns what repairs.json holds, and what Collins' log gets."""
    return {
        "schema": 1,
        "repairs": [vars(repair) for repair in pair.repairs],
        "refusals": [vars(refusal) for refusal in pair.refusals],
    }
