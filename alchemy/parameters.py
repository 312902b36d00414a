"""The boot parameters, as chroot/early/parameters declares them, for documentation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alchemy import archive


@dataclass(frozen=True)
class Parameter:
    """A parameter of the kernel command line. `kind` is flag, value or list."""

    name: str
    kind: str
    example: str
    meaning: str


def read(table: Path) -> list[Parameter]:
    """The parameters of a table: a line each, four fields with `|` between them."""
    return [Parameter(*(field.strip() for field in line.split("|"))) for line in archive.lines(table)]


def markdown(parameters: list[Parameter]) -> str:
    """The table of README.md."""
    rows = [f"| `{parameter.example}` | {parameter.meaning} |" for parameter in parameters]
    return "\n".join(["| parameter | effect |", "| --- | --- |", *rows])


def text(parameters: list[Parameter]) -> str:
    """The list of `help`."""
    width = max(len(parameter.name) for parameter in parameters) + 1
    names = [parameter.name if parameter.kind == "flag" else f"{parameter.name}=" for parameter in parameters]
    return "\n".join(
        f"  {name:{width}}  {parameter.meaning}" for name, parameter in zip(names, parameters, strict=True)
    )
