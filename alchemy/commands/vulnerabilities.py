"""The command sbom.check: which packages of the image have known vulnerabilities."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.parts import osv_feed
from alchemy.parts.osv import Component, Finding, Index
from alchemy.stages import outputs


@dataclass(frozen=True)
class Result:
    """The findings, sorted, and how many packages and records were read."""

    findings: tuple[Finding, ...]
    packages: int
    records: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def check(context: Context, feeds: Sequence[str]) -> Result:
    """Compares the packages of bin/alchemy.cdx.json with the records of all feeds.

    Raises UserError for a missing or malformed bill of materials, and for a malformed feed.
    """
    if not feeds:
        raise UserError(
            "FEED: missing", hint="./run sbom.check FEED…, with OSV records: files, folders, zip files, URLs"
        )
    components = _components(context.bin / outputs.SBOM)
    index = Index(components)
    found: dict[tuple[str, str, str], Finding] = {}
    records = 0
    for feed in feeds:
        for source, record in osv_feed.records(context, feed):
            records += 1
            try:
                findings = index.findings(record)
            except ValueError as error:
                raise UserError(f"{source}: malformed OSV record {record.id} ({error})") from error
            for finding in findings:
                key = (finding.package, finding.version, finding.id)
                if key not in found or found[key].status == "unknown":
                    found[key] = finding
    return Result(tuple(found[key] for key in sorted(found)), len(components), records)


def _components(path: Path) -> list[Component]:
    """Reads the packages and the kernel of a bill of materials."""
    if not path.is_file():
        raise UserError(f"{path}: no such file", hint="./run build.all")
    try:
        listed = json.loads(path.read_bytes())["components"]
        components = [
            Component(
                name=f"{each['group']}/{each['name']}" if each.get("group") else each["name"],
                version=each["version"],
                purl=each.get("purl"),
                cpe=each.get("cpe"),
                repository=next(
                    (link["url"] for link in each.get("externalReferences", []) if link["type"] == "vcs"), None
                ),
            )
            for each in listed
            if each["type"] != "file"
        ]
        Index(components)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: not a CycloneDX bill of materials ({error})", hint="./run build.all") from error
    return components


def text(result: Result) -> str:
    """Formats a result: a line for each finding, then the totals."""
    concerned = {finding.package for finding in result.findings if finding.status == "affected"}
    unknown = {finding.package for finding in result.findings if finding.status == "unknown"} - concerned
    totals = f"{_count(result.packages, 'package')}, {_count(result.records, 'record')}: {len(concerned)} affected"
    return "\n".join([*map(_line, result.findings), totals + (f", {len(unknown)} unknown" if unknown else "")])


def _line(finding: Finding) -> str:
    name = " ".join([finding.id, *_shown(finding.aliases)])
    if finding.status == "unknown":
        outcome = f"unknown whether affected: {finding.reason}"
    else:
        outcome = f"fixed in {' or '.join(finding.fixed)}" if finding.fixed else "no fixed version"
    return f"{finding.package} {finding.version}: {name}: severity {finding.severity or 'unknown'}: {outcome}"


def _shown(aliases: Iterable[str]) -> list[str]:
    """Returns the first name that others use for a vulnerability."""
    return [f"({alias[:100]})" for alias in aliases if alias.startswith("CVE-")][:1]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
