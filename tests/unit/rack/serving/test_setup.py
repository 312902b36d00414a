from __future__ import annotations

import os
from pathlib import Path

import pytest

from alchemy.errors import UserError
from alchemy.rack.serving import ports, setup
from alchemy.rack.serving.ports import Port
from tests.unit.rack.serving import setups
from tests.unit.rack.serving.setups import INTERFACE


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("192.0.2.50", "--range: invalid range (expected FIRST,LAST, got '192.0.2.50')"),
        ("192.0.2.50,192.0.2.60,1h", "--range: invalid range (expected FIRST,LAST, got '192.0.2.50,192.0.2.60,1h')"),
        ("192.0.2.50,\nlog-dhcp", "--range: invalid address: Expected 4 octets in 'log-dhcp'"),
        ("192.0.2.50,2001:db8::1", "--range: invalid address: Expected 4 octets in '2001:db8::1'"),
        ("198.51.100.5,198.51.100.9",
         "--range: 198.51.100.5: not an address for a node (expected one of 192.0.2.0/24, that of eth7)"),
        ("192.0.2.0,192.0.2.9",
         "--range: 192.0.2.0: not an address for a node (expected one of 192.0.2.0/24, that of eth7)"),
        ("192.0.2.9,192.0.2.255",
         "--range: 192.0.2.255: not an address for a node (expected one of 192.0.2.0/24, that of eth7)"),
        ("192.0.2.60,192.0.2.50",
         "--range: invalid range (expected the lower address first, got '192.0.2.60,192.0.2.50')"),
        ("192.0.2.1,192.0.2.9", "--range: contains 192.0.2.1, the address of eth7 itself"),
    ],
)  # fmt: skip
def test_a_range_outside_of_the_interfaces_network_is_refused(tmp_path: Path, words: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        setups.setup(tmp_path, range_words=words)
    assert caught.value.message == message


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_does_not_exist_is_refused(tmp_path: Path, port: int) -> None:
    with pytest.raises(UserError) as caught:
        setups.setup(tmp_path, port=port)
    assert caught.value.message == f"--port: invalid port (expected 1 to 65535, got {port})"


@pytest.mark.parametrize("name", ["a b", "a\nuser=root", 'a"', "a;b", "a,b", "a#b", "a'b", "a{b", "ä", "a$b"])
def test_a_state_folder_that_a_server_takes_for_syntax_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"^--state: unsupported path \(expected letters"):
        setup.create(INTERFACE, tmp_path / name, {"alchemy": setups.image(tmp_path / "image")})


@pytest.mark.parametrize("name", ['a"b', "a$b", "a\\b", "a\nb"])
def test_an_image_folder_that_nginx_takes_for_syntax_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="unsupported path"):
        setup.create(INTERFACE, tmp_path / "state", {"alchemy": setups.image(tmp_path / name)})


def test_a_state_folder_that_is_too_deep_for_a_socket_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    with pytest.raises(UserError, match=r"--state: path too long for a socket in it \(expected at most 90 bytes, got"):
        setup.create(INTERFACE, folder, {"alchemy": setups.image(tmp_path / "image")})


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        setup.create(INTERFACE, tmp_path / "a b", {"gold": tmp_path / "none"}, range_words="x", port=0)
    assert [line.split(":")[0] for line in caught.value.message.splitlines()] == [
        "--state", "--port", "images.gold", "--range",
    ]  # fmt: skip
    assert caught.value.hint == "./run build.all"


@pytest.mark.parametrize(("port", "url"), [(80, "http://192.0.2.1"), (8080, "http://192.0.2.1:8080")])
def test_the_url_names_the_port_unless_it_is_that_of_http(tmp_path: Path, port: int, url: str) -> None:
    assert setups.setup(tmp_path, port=port).url == url


@pytest.mark.parametrize(("range_words", "proxied"), [(None, True), ("192.0.2.50,192.0.2.60", False)])
def test_port_4011_is_needed_beside_another_dhcp_server_only(
    tmp_path: Path, range_words: str | None, proxied: bool
) -> None:
    wanted = setups.setup(tmp_path, range_words=range_words).ports
    assert (Port("udp", ports.PROXY, "eth7") in wanted) == proxied
    assert Port("udp", ports.DHCP, "eth7") in wanted


@pytest.mark.parametrize(("machine", "answered"), [(0x8664, False), (0xAA64, True), (0x1234, False)])
def test_arm64_is_answered_where_an_image_for_it_is_there(tmp_path: Path, machine: int, answered: bool) -> None:
    names = [binary.name for binary in setups.setup(tmp_path, machine=machine).binaries]
    assert names == ["undionly.kpxe", "x64/snponly.efi", *(["arm64/snponly.efi"] if answered else [])]


@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_the_servers_give_up_their_rights_where_any_user_can_read_what_they_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    folder = tmp_path / "image"
    folder.mkdir()
    folder.chmod(mode)
    for parent in (tmp_path, *tmp_path.parents):
        if not parent.stat().st_mode & 0o001:
            monkeypatch.setattr(Path, "parents", property(lambda _: ()))
    assert (setup.account(folder, []) == "root") == (mode == 0o700)
