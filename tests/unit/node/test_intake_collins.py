"""The calls to Collins, put to a stand-in that refuses what Collins refuses."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace

import pytest

from alchemy_node import web
from alchemy_node.intake import collins as client
from alchemy_node.intake.collins import Intake
from alchemy_node.manager import Login, ManagerError, Server
from alchemy_node.status import Status
from tests import collins as stand_in
from tests.collins import IPMI_PASSWORD, PASSWORD, Asset, Collins
from tests.collins_parsers import Settings
from tests.unit.node import intake_xml as xml

TAG = "rack1-node_7"
INTAKE = Intake(
    tag=TAG,
    chassis_tag="C7",
    serial="AB12",
    lshw=xml.lshw(xml.CPU, xml.NIC).replace("<list>", "").replace("</list>", ""),
    lldp=xml.lldp(xml.neighbor()),
    attributes={"LLDP_PVID": "eth0=100"},
    report={"repairs": ["<b>&"]},
)


@pytest.fixture
def collins(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collins]:
    monkeypatch.setattr(web, "_STEP", 0.3)
    with stand_in.serving(Collins()) as server:
        yield server


def _bring_in(collins: Collins, intake: Intake = INTAKE, password: str = PASSWORD) -> tuple[str, list[str]]:
    """The status at the end, and what was said."""
    said: list[str] = []
    login = Login(stand_in.USER, password)
    server = Server(collins.url, login.headers(), pause=lambda _: None)
    return client.Collins(server, login, said.append).bring_in(intake), said


def test_an_unknown_machine_becomes_new(collins: Collins) -> None:
    status, said = _bring_in(collins)
    assert status == "New"
    assert said == [f"collins: created the asset {TAG}", "collins: took lshw, lldp and CHASSIS_TAG"]
    asset = collins.assets[TAG]
    assert asset.attributes == {"CHASSIS_TAG": "C7", "BASE_SERIAL": "AB12", "LLDP_PVID": "eth0=100"} | asset.attributes
    assert asset.hardware is not None
    assert asset.hardware.nics == [(10**9, "02:00:00:00:00:01")]
    assert asset.log == [{"Type": "NOTE", "Message": {"repairs": ["<b>&"]}}]


@pytest.mark.parametrize(
    ("status", "state"), [("New", "NEW"), ("Allocated", "RUNNING"), ("Allocated", "SPARE"), ("Unallocated", "")]
)
def test_a_known_machine_goes_through_maintenance_and_back(collins: Collins, status: str, state: str) -> None:
    collins.assets[TAG] = Asset(status, state)
    assert _bring_in(collins)[0] == status
    asset = collins.assets[TAG]
    assert (asset.status, asset.state) == (status, state)
    assert "INTAKE_RETURN" not in asset.attributes
    assert asset.hardware is not None


def test_a_machine_in_maintenance_stays_there(collins: Collins) -> None:
    collins.assets[TAG] = Asset("Maintenance", "HW_TESTING")
    assert _bring_in(collins)[0] == "Maintenance"
    assert collins.assets[TAG].state == "HW_TESTING"


def test_running_again_changes_nothing(collins: Collins) -> None:
    _bring_in(collins)
    before = replace(deepcopy(collins.assets[TAG]), log=[])
    assert _bring_in(collins)[0] == "New"
    assert replace(collins.assets[TAG], log=[]) == before


def test_a_run_that_broke_off_in_maintenance_is_finished_by_the_next(collins: Collins) -> None:
    collins.assets[TAG] = Asset("Allocated", "SPARE")
    # all answers from the one to the documents on: find, attribute, status (409), status
    broken = _after(collins, 4)
    with pytest.raises(ManagerError):
        _bring_in(broken)
    assert collins.assets[TAG].status == "Maintenance"
    collins.faults = []
    assert _bring_in(collins)[0] == "Allocated"
    assert (collins.assets[TAG].state, "INTAKE_RETURN" in collins.assets[TAG].attributes) == ("SPARE", False)


def test_a_machine_that_a_person_has_since_taken_stays_with_them(collins: Collins) -> None:
    collins.assets[TAG] = Asset("Maintenance", "HW_TESTING", attributes={"INTAKE_RETURN": "Allocated:SPARE"})
    assert _bring_in(collins)[0] == "Maintenance"
    assert collins.assets[TAG].state == "HW_TESTING"


def _after(collins: Collins, answers: int) -> Collins:
    """Breaks everything behind so many good answers."""
    collins.faults = [*[0] * answers, *[503] * 100]
    return collins


def test_a_refusal_of_the_documents_leads_back(collins: Collins) -> None:
    collins.assets[TAG] = Asset("Allocated", "RUNNING")
    with pytest.raises(ManagerError, match="Found empty vlan name") as caught:
        _bring_in(collins, replace(INTAKE, lldp=xml.lldp(xml.neighbor(more=xml.PVID))))
    assert caught.value.status is Status.ERROR
    assert collins.assets[TAG].status == "Allocated"


# what Collins has, what is sent -> what is said
REFUSALS = {
    "CreateAction.scala:66 generate_ipmi without a pool": (
        None,
        replace(INTAKE, generate_ipmi=True),
        "Invalid IPMI pool default specified",
    ),
    "UpdateAction.scala:36-42 a blank CHASSIS_TAG": (None, replace(INTAKE, chassis_tag=" "), "CHASSIS_TAG is invalid"),
    "CommonParser.scala:8 an empty lshw": (None, replace(INTAKE, lshw=""), "lshw is invalid"),
    "AssetLifecycle.scala:36-42 a restricted attribute": (
        None,
        replace(INTAKE, attributes={"SERVICE_TAG": "x"}),
        "Attribute SERVICE_TAG is restricted",
    ),
    "AssetMeta.scala:34 a name in lower case": (
        None,
        replace(INTAKE, attributes={"pvid": "x"}),
        "Name must be all upper case",
    ),
    "Asset.scala:51 a tag with a dot": (None, replace(INTAKE, tag="a.b"), "Tag must be non-empty alpha numeric"),
    "another machine": (Asset("New", attributes={"BASE_SERIAL": "ZZ99"}), INTAKE, "duplicate tag"),
    "no server": (Asset("New", kind="SWITCH"), INTAKE, "expected SERVER_NODE, got 'SWITCH'"),
    "decommissioned": (Asset("Decommissioned"), INTAKE, "it is Decommissioned in Collins"),
}


@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS)
def test_what_collins_refuses(collins: Collins, case: tuple[Asset | None, Intake, str]) -> None:
    asset, intake, message = case
    if asset is not None:
        collins.assets[intake.tag] = asset
    with pytest.raises(ManagerError, match=message):
        _bring_in(collins, intake)
    if asset is not None:
        assert asset.hardware is None


def test_a_replaced_board(collins: Collins) -> None:
    collins.assets[TAG] = Asset("Maintenance", attributes={"BASE_SERIAL": "ZZ99"})
    _bring_in(collins, replace(INTAKE, replace=True))
    assert collins.assets[TAG].attributes["BASE_SERIAL"] == "AB12"


def test_a_form_beyond_the_limit_is_refused_before_it_is_sent() -> None:
    large = replace(INTAKE, lshw=xml.lshw(f'<node id="x"><product>{"<" * 400000}</product></node>'))
    assert "too large for Collins" in client.refusals(large)[0].problem
    assert client.refusals(INTAKE) == []


@pytest.mark.parametrize("fault", [500, 502, 503, 429, "half", "never"])
def test_one_bad_answer_is_retried(collins: Collins, fault: int | str) -> None:
    collins.faults = [fault]
    assert _bring_in(collins)[0] == "New"


def test_a_lost_answer_to_the_creation_is_no_error(collins: Collins) -> None:
    collins.faults = [0, "half"]
    status, said = _bring_in(collins)
    assert status == "New"
    assert f"collins: created the asset {TAG}" not in said


def test_a_collins_that_is_down(collins: Collins) -> None:
    down = Collins(url="http://127.0.0.1:9")
    with pytest.raises(ManagerError, match="connection refused") as caught:
        _bring_in(down)
    assert caught.value.status is Status.ERROR


def test_a_server_that_is_no_collins(collins: Collins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collins, "_shown", lambda *_: {"hello": []})
    collins.assets[TAG] = Asset("New")
    with pytest.raises(ManagerError, match=r"expected data\.ASSET"):
        _bring_in(collins)


def test_no_password_is_in_any_message(collins: Collins) -> None:
    """The server echoes the header of a wrong password."""
    wrong = "wrong password"
    with pytest.raises(ManagerError, match="401 Unauthorized") as caught:
        _bring_in(collins, password=wrong)
    assert caught.value.status is Status.USAGE
    text = f"{caught.value} {caught.value.hint} {Login(stand_in.USER, wrong)!r} {Server(collins.url, {'a': wrong})!r}"
    assert wrong not in text
    assert "(removed)" in text
    assert Login(stand_in.USER, wrong).headers()["Authorization"].split()[1] not in text


def test_a_generated_ipmi_password_is_not_kept(collins: Collins) -> None:
    collins.settings = Settings(has_ipmi_pool=True)
    status, said = _bring_in(collins, replace(INTAKE, generate_ipmi=True))
    assert status == "New"
    assert IPMI_PASSWORD not in " ".join(said)
