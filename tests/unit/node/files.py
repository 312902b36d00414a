"""Machines made of a few files and outputs, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from alchemy_node.machine import Machine
from alchemy_node.processes import Output


@dataclass(frozen=True)
class Told:
    """Programs that print what a test says, by their command line; the others are not installed."""

    outputs: Mapping[str, str | Output]

    def __call__(self, argv: Sequence[str], seconds: float, limit: int) -> Output:
        output = self.outputs.get(" ".join(argv), Output(problem="not installed"))
        return output if isinstance(output, Output) else Output(0, output)


def machine(
    root: Path,
    files: Mapping[str, str | bytes] = {},
    links: Mapping[str, str] = {},
    outputs: Mapping[str, str | Output] = {},
) -> Machine:
    """A machine with these files, symbolic links (to paths of the machine) and outputs of command lines."""
    root.mkdir(exist_ok=True)
    for path, content in files.items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
    for path, target in links.items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to("../" * path.strip("/").count("/") + target.lstrip("/"))
    return Machine(root, Told(outputs))
