"""What each kind of firmware is told to boot where boot.serve gives out the addresses, packet by packet."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from alchemy.rack.serving import dhcp
from tests.rack import firmware, serving
from tests.rack.firmware import ROWS, SCRIPT, Firmware
from tests.rack.lan import SERVER, Lan
from tests.rack.serving import Serving

_PATIENCE = 30.0


@pytest.fixture(scope="module")
def served(lan: Lan, folder: Path, rack_yml: Path) -> Iterator[Serving]:
    with serving.serving(lan, folder, "--range=192.0.2.70,192.0.2.90", f"--config={rack_yml}") as running:
        yield running


@pytest.mark.parametrize(("vendor", "architecture", "file"), ROWS.values(), ids=ROWS.keys())
@pytest.mark.parametrize("ipxe", [False, True], ids=["ROM", "iPXE"])
def test_each_firmware_gets_an_address_and_what_it_can_boot(
    lan: Lan, served: Serving, vendor: str, architecture: int, file: str, ipxe: bool
) -> None:
    offers = firmware.discover(lan, Firmware(vendor, architecture, ipxe), _PATIENCE)
    assert len(offers) == 1, served.log("dnsmasq")
    offer = offers[0]
    assert IPv4Address("192.0.2.70") <= offer.your_address <= IPv4Address("192.0.2.90")
    assert offer.file == (SCRIPT if ipxe else file)
    assert str(offer.next_server) == SERVER
    if vendor.startswith("HTTPClient"):
        assert offer.options[dhcp.VENDOR_CLASS] == b"HTTPClient"


def test_what_does_not_boot_from_the_network_gets_an_address_and_no_file(lan: Lan, served: Serving) -> None:
    offers = firmware.discover(lan, Firmware("", None), _PATIENCE)
    assert [offer.file for offer in offers] == [""]
    # this host routes nothing
    assert 3 not in offers[0].options
