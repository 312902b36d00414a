"""alchemy-intake, as it is called, on a machine that is recorded in a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from alchemy_node import web
from alchemy_node.burnin.record import Record
from alchemy_node.intake import pair, program
from alchemy_node.status import Status
from tests import collins as stand_in
from tests import web_stand_in
from tests.collins import IPMI_PASSWORD, PASSWORD, USER, Asset, Collins
from tests.collins_parsers import Settings
from tests.unit.node import intake_xml as xml
from tests.unit.node.burnin import runs
from tests.unit.node.intake_node import TAG, Node


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.fixture
def collins(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collins]:
    monkeypatch.setattr(web, "_STEP", 0.3)
    with stand_in.serving(Collins()) as server:
        yield server


def test_an_unknown_machine_becomes_new(node: Node, collins: Collins) -> None:
    assert node.collins(collins.url) == Status.PASS
    assert node.out.getvalue().splitlines() == [
        "intake: waiting up to 60 s for LLDP on eth0",
        "repair: lshw.xml: list: left out (Collins looks for the machine's serial number in the root only)",
        "repair: lshw.xml: core/memory/bank:0: renamed id=bank to bank:0 (it is the only bank)",
        "repair: lldp.xml: eth0: left out VLAN 100 (the VLAN has no name)",
        f"collins: asset {TAG}, from DMI's tag of the chassis",
        f"collins: created the asset {TAG}",
        "collins: took lshw, lldp and CHASSIS_TAG",
        f"collins: the asset {TAG} is New",
    ]
    assert node.errors.getvalue() == ""
    asset = collins.assets[TAG]
    assert asset.attributes == {"CHASSIS_TAG": TAG, "BASE_SERIAL": "AB12", "LLDP_PVID": "eth0=100"}
    assert len(asset.log[0]["Message"]["intake"]["repairs"]) == 3
    kept = sorted(path.name for path in (node.folder / "log").iterdir())
    assert kept[0] == "inventory.json"
    assert kept[1:] == ["lldp.original.xml", "lldp.xml", "lshw.original.xml", "lshw.xml", "repairs.json"]
    assert node.collins(collins.url) == Status.PASS
    assert f"collins: the asset {TAG} is New" in node.out.getvalue()


@pytest.mark.parametrize(
    ("lshw", "lldp", "refusals"),
    [
        (xml.lshw(xml.FAST_NIC), xml.lldp(xml.neighbor()), ["LshwParser.scala:155"]),
        (xml.lshw(xml.NIC), xml.lldp(), ["LldpParser.scala:88"]),
        (
            xml.lshw(xml.OLD_CPU),
            xml.lldp(xml.neighbor(chassis=xml.CHASSIS_ID, port=xml.PORT_ID)),
            ["LshwParser.scala:71"] * 2 + ["LldpParser.scala:46"] * 2 + ["LldpParser.scala:59"],
        ),
        ("", xml.lldp(xml.neighbor()), ["UpdateAction.scala:36"]),
    ],
)
def test_a_refusal_is_named_before_anything_is_sent(
    node: Node, collins: Collins, lshw: str, lldp: str, refusals: list[str]
) -> None:
    node.tool(pair.LSHW, lshw)
    node.tool(pair.LLDP, lldp)
    assert node.collins(collins.url) == Status.FAIL
    assert collins.requests == []
    errors = [line for line in node.errors.getvalue().splitlines() if line.startswith("error: l")]
    assert [line.rpartition("(")[2].rstrip(")") for line in errors] == refusals
    assert node.errors.getvalue().endswith("error: collins: nothing was sent\n")
    assert (node.folder / "log" / "repairs.json").exists()


def test_what_the_settings_of_collins_allow_is_sent(node: Node, collins: Collins) -> None:
    node.tool(pair.LSHW, xml.lshw(xml.FAST_NIC))
    collins.settings = Settings(default_nic_capacity=10**9, require_vlan_name=False)
    assert node.collins(collins.url, "--collins-allows", "nic-without-capacity,vlan-without-name") == Status.PASS
    assert collins.assets[TAG].neighbors[0]["vlans"] == "100= "


def test_a_tag_that_is_none_is_named(node: Node, collins: Collins) -> None:
    node.file("sys/class/dmi/id/chassis_asset_tag", "To Be Filled By O.E.M.")
    assert node.collins(collins.url) == Status.FAIL
    assert collins.requests == []
    assert node.errors.getvalue().splitlines() == [
        "error: asset tag: DMI's tag of the chassis: 'To Be Filled By O.E.M.' is a placeholder of the maker",
        "error: asset tag: DMI's tag of the board: it is empty",
        "hint: alchemy-intake --tag TAG; or boot with asset_tag=TAG",
        "error: collins: nothing was sent",
    ]


def test_the_tag_of_the_command_line_of_the_kernel(node: Node, collins: Collins) -> None:
    node.file("proc/cmdline", 'net asset_tag="K9" ssh')
    assert node.collins(collins.url) == Status.PASS
    assert collins.assets["K9"].attributes["CHASSIS_TAG"] == TAG
    assert node.collins(collins.url, "--tag", "O1") == Status.PASS
    assert "O1" in collins.assets
    assert "collins: asset O1, from --tag" in node.out.getvalue()


def test_a_collins_that_is_down(node: Node) -> None:
    assert node.collins("http://127.0.0.1:9") == Status.ERROR
    assert (
        "error: collins: http://127.0.0.1:9/api/asset/R1-7: connection refused (5 attempts)" in node.errors.getvalue()
    )
    assert "the documents are kept in" in node.out.getvalue()
    assert json.loads((node.folder / "log" / "inventory.json").read_text(encoding="utf-8"))["alchemy"]["schema"] == 1


def test_no_password_is_printed_or_kept(node: Node, collins: Collins) -> None:
    collins.settings = Settings(has_ipmi_pool=True)
    assert node.collins(collins.url, "--generate-ipmi") == Status.PASS
    assert IPMI_PASSWORD not in node.everything()
    (node.folder / "password").write_text("a wrong one\n", encoding="utf-8")
    assert node.collins(collins.url) == Status.USAGE
    assert "401 Unauthorized" in node.errors.getvalue()
    for secret in (PASSWORD, "a wrong one", stand_in.authorization(PASSWORD), stand_in.authorization("a wrong one")):
        assert secret not in node.everything()


def test_the_password_of_the_environment(node: Node, collins: Collins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALCHEMY_COLLINS_PASSWORD", PASSWORD)
    assert node.run("--collins", collins.url, "--user", USER) == Status.PASS


def test_a_silent_port_is_a_warning(node: Node, collins: Collins) -> None:
    node.file("sys/class/net/eth1/device/vendor", "0x8086")
    node.file("sys/class/net/eth1/carrier", "1")
    assert node.collins(collins.url) == Status.PASS
    warning = "eth1: no LLDP neighbour on a port with a link (hint: enable LLDP on the switch port)"
    assert f"warning: {warning}" in node.out.getvalue()
    assert collins.assets[TAG].log[0]["Message"]["intake"]["lldp"] == [warning]


def test_a_manager_that_fails_does_not_keep_the_machine_from_the_next(node: Node, collins: Collins) -> None:
    def answer(request: web_stand_in.Request) -> tuple[int, object]:
        if request.path == "/v1/boots":
            return 403, {"error": "profile local has no jobs"}
        return 202, {"uuid": "u1"}

    with web_stand_in.serving(answer) as served:
        status = node.collins(collins.url, "--rack", served.url, "--ironic", served.url)
    assert status == Status.ERROR
    assert "no run is expected of this machine: 403 Forbidden (profile local has no jobs)" in node.errors.getvalue()
    assert "ironic: took the inventory of node u1" in node.out.getvalue()
    assert collins.assets[TAG].status == "New"
    assert [request.path for request in served.requests] == ["/v1/boots", "/v1/continue_inspection"]


def test_a_hostile_machine_and_a_hostile_server(node: Node, collins: Collins) -> None:
    evil = "\x1b[2J\x07<b>&amp;\u202e"
    node.file("sys/class/dmi/id/product_serial", evil)
    node.tool(
        pair.LSHW, xml.lshw(xml.NIC.replace("82574L", f"a{evil[:5]}b").replace("<capacity>1000000000", "<capacity>"))
    )
    collins.assets[TAG] = Asset(f"Odd{evil}")
    assert node.collins(collins.url) == Status.FAIL
    assert node.errors.getvalue().replace("\n", "").isprintable()
    node.tool(pair.LSHW, xml.lshw(xml.NIC))
    assert node.collins(collins.url) == Status.PASS
    assert "Odd?[2J" in node.out.getvalue()
    assert node.out.getvalue().replace("\n", "").isprintable()


def test_thousands_of_neighbours_are_said_in_a_few_lines(node: Node, collins: Collins) -> None:
    node.tool(pair.LLDP, xml.lldp(*['<interface label="Interface" name="eth0"/>'] * 2000))
    assert node.collins(collins.url) == Status.FAIL
    lines = node.errors.getvalue().splitlines()
    assert lines[40:] == ["error: 9980 more refusals", "error: collins: nothing was sent"]
    node.tool(pair.LLDP, xml.lldp(xml.neighbor(), *['<interface label="Interface" name="eth0"/>'] * 2000))
    assert node.collins(collins.url) == Status.PASS
    assert len(collins.assets[TAG].neighbors) == 1
    assert len(node.out.getvalue().splitlines()) < 60


OPTIONS = {
    "nothing": ([], "", "nothing to do (expected --collins, --ironic or --rack)"),
    "no URL": (["--ironic", "ironic.example"], "", "--ironic: 'ironic.example' is not a URL"),
    "no tag": (["--ironic", "http://i", "--tag", "Default string"], "", "--tag: 'Default string' is a placeholder"),
    "no user": (["--collins", "http://c"], "", "--user: Collins needs a user"),
    "no password": (["--collins", "http://c", "--user", "u"], "", "the password of Collins is empty or missing"),
    "no password file": (
        ["--collins", "http://c", "--user", "u", "--password-file", "/none"],
        "",
        "--password-file: /none: No such file or directory",
    ),
    "an unknown allowance": (
        ["--collins", "http://c", "--user", "u", "--collins-allows", "anything"],
        "",
        "--collins-allows: unknown 'anything' (expected nic-without-capacity",
    ),
    "a password in the file": ([], "password = 'x'\n", "unknown key 'password' (expected collins, user, password_file"),
    "a wrong type": ([], "collins = 1\n", "collins: expected a str, got a int"),
    "no TOML": ([], "collins = \n", "not valid TOML"),
}


@pytest.mark.parametrize("case", OPTIONS.values(), ids=OPTIONS)
def test_options(node: Node, monkeypatch: pytest.MonkeyPatch, case: tuple[list[str], str, str]) -> None:
    arguments, config, message = case
    monkeypatch.delenv("ALCHEMY_COLLINS_PASSWORD", raising=False)
    file = node.folder / "intake.toml"
    file.write_text(config, encoding="utf-8")
    assert node.run("--config", str(file), *arguments) == Status.USAGE
    assert message in node.errors.getvalue()


def test_the_file_holds_what_options_hold(node: Node, collins: Collins) -> None:
    collins.settings = Settings(require_vlan_name=False)
    file = node.folder / "intake.toml"
    file.write_text(
        f'collins = "{collins.url}"\nuser = "{USER}"\npassword_file = "{node.folder}/password"\n'
        'collins_allows = ["vlan-without-name"]\n',
        encoding="utf-8",
    )
    assert node.run("--config", str(file), "--tag", "F1") == Status.PASS
    assert "F1" in collins.assets


def test_a_password_is_no_option(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        node.run("--collins", "http://c", "--password", "x")
    assert caught.value.code == Status.USAGE
    assert "unrecognized arguments" in capsys.readouterr().err


def test_without_root_nothing_is_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert program.main(["--ironic", "http://127.0.0.1:9"]) == Status.USAGE
    assert "sudo alchemy-intake" in capsys.readouterr().err


@pytest.mark.parametrize(("make", "result"), [(runs.passed, "PASS"), (runs.failed, "FAIL"), (runs.begin, None)])
def test_the_result_of_a_burn_in_that_has_ended_is_reported(
    node: Node, collins: Collins, make: Callable[[Path], Record], result: str | None
) -> None:
    record = node.folder / "burnin" / "run-1" / "run.jsonl"
    record.parent.mkdir(parents=True)
    make(record).close()
    assert node.collins(collins.url) == Status.PASS
    asset = collins.assets[TAG]
    assert asset.attributes.get("BURNIN_RESULT") == result
    assert len(asset.log) == (1 if result is None else 2)
