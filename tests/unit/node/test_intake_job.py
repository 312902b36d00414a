"""job=intake, from the kernel's command line to Collins: the jobs, the program, the file of the image, the stand-in."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from alchemy_node.intake import pair
from alchemy_node.intake import program as intake
from alchemy_node.jobs import program as jobs
from alchemy_node.processes import Output
from alchemy_node.status import Status
from tests import collins as stand_in
from tests import recorded
from tests.collins import IPMI_PASSWORD, PASSWORD, USER, Asset, Collins
from tests.collins_parsers import Settings
from tests.unit.node import intake_xml as xml

FILES = {
    "proc/cmdline": "console=ttyS0 net job=intake asset_tag=R1-7\n",
    "proc/net/route": "Iface\neth0\n",
    "sys/class/tty/console/active": "ttyS0\n",
    "dev/ttyS0": "",
    "etc/issue": "Alchemy Linux\n",
    "sys/class/net/eth0/device/vendor": "0x8086\n",
    "sys/class/net/eth0/carrier": "1\n",
}


def boot(folder: Path, lldp: str) -> int:
    """Boots a machine with such neighbours."""
    machine = recorded.machine(folder)
    for name, text in {
        **{f"root/{name}": text for name, text in FILES.items()},
        f"tools/{recorded.name(pair.LSHW)}": xml.lshw(xml.CPU, xml.MEMORY, xml.NIC),
        f"tools/{recorded.name(pair.LLDP)}": lldp,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")

    def run(argv: Sequence[str]) -> Output:
        assert argv == ("alchemy-intake",)
        out, errors = io.StringIO(), io.StringIO()
        around = intake.Surroundings(
            machine=machine,
            log=folder / "root/var/log/alchemy/intake",
            pause=lambda _: None,
            clock=iter(range(0, 10**6, 20)).__next__,
            out=out,
            errors=errors,
        )
        status = intake.main(["--config", str(folder / "intake.toml")], around)
        return Output(status, out.getvalue(), errors.getvalue(), None if status == 0 else f"exit status {status}")

    return jobs.main(jobs.Surroundings(machine, run, lambda _: None))


def configure(folder: Path, url: str, password: str) -> None:
    (folder / "password").write_text(f"{password}\n", encoding="utf-8")
    text = f'collins = "{url}"\nuser = "{USER}"\npassword_file = "{folder}/password"\ngenerate_ipmi = true\n'
    (folder / "intake.toml").write_text(text, encoding="utf-8")


def left_behind(folder: Path) -> str:
    """All that the boot wrote: consoles, logs, documents."""
    files = [path for path in (folder / "root").rglob("*") if path.is_file()]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def test_the_machine_is_new_and_no_password_is_anywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with stand_in.serving(Collins(Settings(has_ipmi_pool=True))) as collins:
        configure(tmp_path, collins.url, PASSWORD)
        assert boot(tmp_path, xml.lldp(xml.neighbor(more=xml.PVID))) == Status.PASS
    assert collins.assets["R1-7"].status == "New"
    printed = capsys.readouterr()
    assert "alchemy: jobs: intake PASS" in printed.out
    assert "intake PASS: see /var/log/alchemy" in (tmp_path / "root/etc/issue").read_text(encoding="utf-8")
    everything = left_behind(tmp_path) + printed.out + printed.err
    assert "collins: the asset R1-7 is New" in everything
    for secret in (PASSWORD, stand_in.authorization(PASSWORD), IPMI_PASSWORD):
        assert secret not in everything


def test_a_refusal_is_on_the_console(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with stand_in.serving(Collins()) as collins:
        configure(tmp_path, collins.url, PASSWORD)
        assert boot(tmp_path, xml.lldp(xml.neighbor(chassis=xml.CHASSIS_ID))) == Status.FAIL
    assert collins.requests == []
    out = capsys.readouterr().out
    assert "intake: error: lldp.xml: eth0: <chassis><name>: the neighbour sends no System Name (LldpParser.sc" in out
    assert "alchemy: intake: hint: on the switch (Cisco, Arista): `lldp tlv-select system-name`" in out
    assert "alchemy: jobs: intake FAIL" in out
    assert (tmp_path / "root/run/alchemy/verdict").read_text(encoding="utf-8") == "FAIL\n"


def test_a_wrong_password_is_an_error_that_does_not_show_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with stand_in.serving(Collins(assets={"R1-7": Asset("New")})) as collins:
        configure(tmp_path, collins.url, "not this one")
        assert boot(tmp_path, xml.lldp(xml.neighbor())) == Status.ERROR
    out = capsys.readouterr().out
    assert "401 Unauthorized" in out
    assert "not this one" not in left_behind(tmp_path) + out
