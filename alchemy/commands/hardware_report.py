"""The table of known machines in docs/hardware.md, and the list of aliases in tests/hardware/ that it is made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from alchemy.commands import hardware
from alchemy.config.arch import ARCH
from alchemy.parts.hardware import alias_file, dumps, kernel, verdicts
from alchemy.parts.hardware.verdicts import NEEDED, Image, Report

# the file with the table
DOCUMENT = "docs/hardware.md"

# below the repository: the machines, where each is from, what the kernel has for them, and the ids it may lack
FOLDER = "tests/hardware"
_MACHINES = "machines"
_INDEX = "INDEX.tsv"
_EXCEPTIONS = "exceptions.tsv"


def update(root: Path, bin_folder: Path) -> None:
    """Renews the list of aliases from a bundle: what the kernel has for the known machines."""
    made = bin_folder / alias_file.NAME
    kernel.read(made)
    (root / FOLDER / alias_file.NAME).write_text(compact(root, made.read_text(encoding="utf-8")), encoding="utf-8")


def compact(root: Path, aliases: str) -> str:
    """Returns the lines of a modules.alias that concern a function of the known machines."""
    functions = {function for dump in _dumps(root) for function in dump.functions}
    return kernel.compact(aliases, functions)


def exceptions(root: Path) -> dict[str, str]:
    """Returns the ids, `vvvv:dddd`, that the image is known not to drive, each with the reason."""
    lines = (root / FOLDER / _EXCEPTIONS).read_text(encoding="utf-8").splitlines()
    return {identity: reason for identity, _, reason in (line.partition("\t") for line in lines)}


def reports(root: Path) -> list[Report]:
    """Returns the verdicts on the known machines."""
    known = kernel.read(root / FOLDER / alias_file.NAME)
    image = Image(known, elsewhere=hardware.elsewhere(root / "kernels" / ARCH.name))
    return [verdicts.report(dump, image) for dump in _dumps(root)]


def markdown(root: Path) -> str:
    """Returns the generated part of docs/hardware.md."""
    found, reasons = reports(root), exceptions(root)
    years = _years(root)
    complete = sum(not report.failing for report in found)
    lines = [
        f"Of {len(found)} known machines, {complete} have all network and storage controllers driven. "
        f"{len(reasons)} ids are not driven:",
        "",
        "| id | why |",
        "| --- | --- |",
        *(f"| `{identity}` | {reason} |" for identity, reason in sorted(reasons.items())),
        "",
        "| machine | year | network | storage | not driven |",
        "| --- | --- | --- | --- | --- |",
        *(_row(report, years.get(report.dump.name, "")) for report in found),
        "",
        "| driver | machines |",
        "| --- | --- |",
        *(f"| {driver} | {count} |" for driver, count in _drivers(found)),
    ]
    return "\n".join(lines)


def _row(report: Report, year: str) -> str:
    network, storage = (", ".join(f"`{name}`" for name in _of(report, role)) or "-" for role in NEEDED)
    missing = ", ".join(sorted({f"`{verdict.function.identity}`" for verdict in report.failing}))
    return f"| {report.dump.name.replace('-', ' ')} | {year} | {network} | {storage} | {missing} |"


def _of(report: Report, role: str) -> list[str]:
    return sorted({verdict.driver for verdict in report.verdicts if verdict.driver and verdict.function.role == role})


def _drivers(found: list[Report]) -> Iterator[tuple[str, int]]:
    counts = Counter(f"`{name}`" for report in found for role in NEEDED for name in _of(report, role))
    yield from sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _years(root: Path) -> dict[str, str]:
    lines = (root / FOLDER / _INDEX).read_text(encoding="utf-8").splitlines()
    return {name: year for name, year, *_ in (line.split("\t") for line in lines[1:])}


def _dumps(root: Path) -> list[dumps.Dump]:
    return dumps.read(sorted((root / FOLDER / _MACHINES).iterdir()))
