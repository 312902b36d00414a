"""The table of boot parameters, chroot/early/parameters, for documentation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alchemy.host import files


@dataclass(frozen=True)
class Parameter:
    """A parameter of the kernel command line. `kind` is flag, value or list; `implies` is `net` or `-`."""

    name: str
    kind: str
    implies: str
    example: str
    meaning: str

    @property
    def effect(self) -> str:
        """What the parameter does, with what it implies."""
        return f"{self.meaning}; implies {self.implies}" if self.implies != "-" else self.meaning


def read(table: Path) -> list[Parameter]:
    """Reads a table: a line per parameter, with five fields between `|`."""
    return [Parameter(*(field.strip() for field in line.split("|"))) for line in files.lines(table)]


def markdown(parameters: list[Parameter]) -> str:
    """Formats the parameters as the table of README.md."""
    rows = [f"| `{parameter.example}` | {parameter.effect} |" for parameter in parameters]
    return "\n".join(["| parameter | effect |", "| --- | --- |", *rows])


def text(parameters: list[Parameter]) -> str:
    """Formats the parameters as the list of `./run help`."""
    width = max(len(parameter.name) for parameter in parameters) + 1
    names = [parameter.name if parameter.kind == "flag" else f"{parameter.name}=" for parameter in parameters]
    return "\n".join(f"  {name:{width}}  {parameter.effect}" for name, parameter in zip(names, parameters, strict=True))
