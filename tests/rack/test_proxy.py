"""What each kind of firmware is told to boot beside another DHCP server, packet by packet."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from alchemy.rack.serving import dhcp
from alchemy.rack.serving.dhcp import Reply
from tests.rack import firmware, serving
from tests.rack import lan as lans
from tests.rack.firmware import ROWS, SCRIPT, UNDI, Firmware
from tests.rack.lan import SERVER, SITE, Lan
from tests.rack.serving import Serving

_PATIENCE = 30.0


@pytest.fixture(scope="module")
def served(lan: Lan, folder: Path, rack_yml: Path) -> Iterator[Serving]:
    with serving.serving(lan, folder, "--proxy", f"--config={rack_yml}") as running:
        yield running


@pytest.mark.parametrize(("vendor", "architecture", "file"), ROWS.values(), ids=ROWS.keys())
@pytest.mark.parametrize("ipxe", [False, True], ids=["ROM", "iPXE"])
def test_each_firmware_is_told_what_it_can_boot(
    lan: Lan, served: Serving, vendor: str, architecture: int, file: str, ipxe: bool
) -> None:
    client = Firmware(vendor, architecture, ipxe)
    offers = firmware.discover(lan, client, _PATIENCE)
    assert len(offers) == 1, served.log("dnsmasq")
    offer = offers[0]
    assert offer.kind == dhcp.OFFER
    assert offer.your_address == IPv4Address(0), "a proxy gives no address"
    assert offer.options[dhcp.VENDOR_CLASS].decode() == vendor.split(":")[0]
    assert told(lan, client, offer) == (SCRIPT if ipxe else file)


@pytest.mark.parametrize("client", [Firmware("", None), Firmware("MSFT 5.0", None), Firmware("", 7)])
def test_what_does_not_boot_from_the_network_gets_no_answer(lan: Lan, served: Serving, client: Firmware) -> None:
    # what is answered at once shows that the silence is meant
    assert firmware.discover(lan, client, 3) == []
    assert firmware.discover(lan, Firmware(UNDI, 0), _PATIENCE) != []


@pytest.mark.parametrize(("name", "there"), [("undionly.kpxe", True), ("x64/snponly.efi", True),
                                             ("arm64/snponly.efi", True), ("../dnsmasq.conf", False),
                                             ("../records.sqlite", False), ("nothing", False)])  # fmt: skip
def test_tftp_gives_the_binaries_and_nothing_else(lan: Lan, served: Serving, name: str, there: bool) -> None:
    content = firmware.tftp(lan, name)
    assert (content is not None) == there
    if there:
        assert content == (served.state / "tftp" / name).read_bytes()


def test_the_network_own_dhcp_server_still_answers_everybody(lan: Lan, served: Serving, folder: Path) -> None:
    with lans.site_dhcp(lan, folder):
        offers = wait_for_both(lan)
    assert {str(offer.server) for offer in offers} == {SERVER, SITE}
    giving = [offer for offer in offers if int(offer.your_address)]
    assert [str(offer.server) for offer in giving] == [SITE]


def told(network: Lan, client: Firmware, offer: Reply) -> str:
    """What a client boots after an offer: its file, otherwise what port 4011 says, as PXE's menu of one entry does."""
    if offer.file:
        return offer.file
    answers = firmware.ask_proxy(network, client, offer, _PATIENCE)
    assert len(answers) == 1
    assert answers[0].kind == dhcp.ACK
    file = answers[0].file
    if "://" not in file:
        assert str(answers[0].next_server) == SERVER
    return file


def wait_for_both(network: Lan) -> list[Reply]:
    """The offers of a round in which both servers answer."""
    offers: list[Reply] = []

    def both() -> bool:
        offers[:] = firmware.discover(network, Firmware(UNDI, 0), _PATIENCE)
        return len(offers) == 2

    serving.wait_for(both, "an offer of each server")
    return offers
