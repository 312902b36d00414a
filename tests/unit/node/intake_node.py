"""A machine that is recorded in a folder, for alchemy-intake."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

from alchemy_node.intake import pair, program
from alchemy_node.intake.program import Surroundings
from tests import recorded
from tests.collins import PASSWORD, USER
from tests.unit.node import intake_xml as xml

TAG = "R1-7"


@dataclass
class Node:
    """A machine with one linked port, and what alchemy-intake left and printed on it."""

    folder: Path
    out: io.StringIO = field(default_factory=io.StringIO)
    errors: io.StringIO = field(default_factory=io.StringIO)

    def __post_init__(self) -> None:
        self.file("proc/cmdline", "console=ttyS0 net")
        self.file("sys/class/dmi/id/chassis_asset_tag", TAG)
        self.file("sys/class/dmi/id/product_serial", "AB12")
        self.file("sys/class/net/eth0/device/vendor", "0x8086")
        self.file("sys/class/net/eth0/carrier", "1")
        self.file("sys/class/net/eth0/address", "02:00:00:00:00:01")
        self.tool(pair.LSHW, xml.lshw(xml.CPU, xml.MEMORY, xml.NIC))
        self.tool(pair.LLDP, xml.lldp(xml.neighbor(more=xml.PVID)))
        (self.folder / "password").write_text(f"{PASSWORD}\n", encoding="utf-8")

    def file(self, name: str, text: str) -> None:
        path = self.folder / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")

    def tool(self, argv: tuple[str, ...], text: str) -> None:
        path = self.folder / "tools" / recorded.name(argv)
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def run(self, *arguments: str) -> int:
        self.out, self.errors = io.StringIO(), io.StringIO()
        around = Surroundings(
            machine=recorded.machine(self.folder),
            log=self.folder / "log",
            session=self.folder / "run" / "rack.json",
            burnin=self.folder / "burnin",
            pause=lambda _: None,
            clock=iter(range(0, 1_000_000, 20)).__next__,
            out=self.out,
            errors=self.errors,
        )
        return program.main(arguments, around)

    def collins(self, url: str, *more: str) -> int:
        return self.run("--collins", url, "--user", USER, "--password-file", str(self.folder / "password"), *more)

    def everything(self) -> str:
        """All that was printed and written."""
        files = [path.read_text(encoding="utf-8") for path in (self.folder / "log").glob("*")]
        return "\n".join([self.out.getvalue(), self.errors.getvalue(), *files])
