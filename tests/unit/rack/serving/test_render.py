from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from alchemy.rack.serving import render
from alchemy.rack.serving.setup import Setup
from tests.unit.rack.serving import setups

RANGE = "192.0.2.50,192.0.2.99"
ARM64 = 0xAA64


def dnsmasq(setup: Setup) -> list[str]:
    """The lines of dnsmasq.conf that are neither empty nor comments."""
    lines = render.text("dnsmasq.conf", setup).splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_beside_another_dhcp_server_each_architecture_has_one_service_for_its_rom_and_one_for_ipxe(
    tmp_path: Path,
) -> None:
    lines = dnsmasq(setups.setup(tmp_path, machine=ARM64))
    files = {0: "undionly.kpxe", 7: "x64/snponly.efi", 9: "x64/snponly.efi", 11: "arm64/snponly.efi"}
    for number, file in files.items():
        services = [line for line in lines if re.match(rf"pxe-service=tag:!?ipxe,{number},", line)]
        assert services == [
            f'pxe-service=tag:!ipxe,{number},"Alchemy",{file}',
            f'pxe-service=tag:ipxe,{number},"Alchemy",http://192.0.2.1/boot.ipxe',
        ]
    assert "dhcp-range=192.0.2.0,proxy,255.255.255.0" in lines


def test_http_boot_has_no_service_as_dnsmasq_would_skip_its_file(tmp_path: Path) -> None:
    lines = dnsmasq(setups.setup(tmp_path, machine=ARM64))
    assert [line for line in lines if re.match(r"pxe-service=[^,]*,(16|19),", line)] == []
    assert "dhcp-boot=tag:!ipxe,tag:http-x64,http://192.0.2.1/ipxe/x64/snponly.efi" in lines
    assert "dhcp-boot=tag:!ipxe,tag:http-arm64,http://192.0.2.1/ipxe/arm64/snponly.efi" in lines


def test_a_range_of_its_own_needs_no_service_and_answers_http_clients_as_one(tmp_path: Path) -> None:
    lines = dnsmasq(setups.setup(tmp_path, range_words=RANGE))
    assert "dhcp-range=192.0.2.50,192.0.2.99,255.255.255.0,1h" in lines
    assert "dhcp-boot=tag:!ipxe,tag:x64,x64/snponly.efi,,192.0.2.1" in lines
    assert "dhcp-option-force=tag:http-x64,60,HTTPClient" in lines
    assert not any(line.startswith("pxe-service") for line in lines)


@pytest.mark.parametrize("name", ["dnsmasq.conf", "dhcpd.conf", "kea-dhcp4.conf"])
def test_without_an_image_for_arm64_nothing_answers_it(tmp_path: Path, name: str) -> None:
    assert "arm64" not in render.text(name, setups.setup(tmp_path))
    assert "arm64" in render.text(name, setups.setup(tmp_path / "b", machine=ARM64))


def test_nginx_listens_on_the_interface_and_the_loopback_only(tmp_path: Path) -> None:
    text = render.text("nginx.conf", setups.setup(tmp_path, port=8080))
    assert re.findall(r"listen (.*);", text) == ["192.0.2.1:8080", "127.0.0.1:8080"]


def test_a_certificate_is_served_beside_http(tmp_path: Path) -> None:
    setup = replace(setups.setup(tmp_path), certificate=(tmp_path / "a.pem", tmp_path / "a.key"))
    text = render.text("nginx.conf", setup)
    assert "listen 192.0.2.1:443 ssl;" in text
    assert f'ssl_certificate_key "{tmp_path}/a.key";' in text


def test_an_image_folder_with_a_space_is_quoted(tmp_path: Path) -> None:
    setup = replace(setups.setup(tmp_path), images={"gold": tmp_path / "a b"})
    assert f'location /images/gold/ {{\n            alias "{tmp_path}/a b/";' in render.text("nginx.conf", setup)


def test_kea_gets_json(tmp_path: Path) -> None:
    text = render.text("kea-dhcp4.conf", setups.setup(tmp_path, range_words=RANGE))
    found = json.loads(text.split("\n", 1)[1])["Dhcp4"]
    assert found["subnet4"][0]["pools"] == [{"pool": "192.0.2.50 - 192.0.2.99"}]
    assert {entry["name"] for entry in found["client-classes"]} >= {
        "alchemy-ipxe",
        "alchemy-x64-7",
        "alchemy-http-x64-16",
    }


def test_the_state_folder_is_filled_again_at_each_start(tmp_path: Path) -> None:
    setup = setups.setup(tmp_path)
    render.write(setup)
    render.write(setup)
    assert (setup.folder / "tftp/x64/snponly.efi").read_text(encoding="utf-8") == "x64/snponly.efi"
    assert (setup.folder / render.FALLBACK).read_text(encoding="utf-8").startswith("#!ipxe\n")


def test_units_quote_what_systemd_would_expand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alchemy.rack.serving.render.program", lambda name: f"/usr/sbin/{name}")
    setup = setups.setup(tmp_path)
    printed = render.print_to(setup, tmp_path / "100% $x.yml")
    assert {path.name for path in printed} == {
        "dnsmasq.conf", "nginx.conf", "dhcpd.conf", "kea-dhcp4.conf",
        "alchemy-dnsmasq.service", "alchemy-nginx.service", "alchemy-service.service",
    }  # fmt: skip
    unit = (setup.folder / "alchemy-service.service").read_text(encoding="utf-8")
    assert f'"--config" "{tmp_path}/100%% $$x.yml"' in unit
    nginx = (setup.folder / "alchemy-nginx.service").read_text(encoding="utf-8")
    assert re.search(r'^ExecStart="/usr/sbin/nginx" "-p"', nginx, re.MULTILINE)
