"""What boot.serve finds on its network before it serves, and the rights that it gives up."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemy.rack.serving import open_files
from tests.rack import firmware, serving
from tests.rack import lan as lans
from tests.rack.firmware import SCRIPT, UNDI, Firmware
from tests.rack.lan import BRIDGE, NODE, SERVER, SITE, Lan

# of the network's side of what the node is plugged into
_DEVICE = "eth0"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter, as /var/lib/alchemy is; those of pytest are for their user alone."""
    folder = Path(tempfile.mkdtemp(prefix="alchemy-rack-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_range_is_refused_beside_another_dhcp_server(lan: Lan, folder: Path, rack_yml: Path) -> None:
    with lans.site_dhcp(lan, folder):
        serving.wait_for(lambda: firmware.discover(lan, Firmware("", None), 5) != [], "the network's DHCP server")
        running = serving.start(lan, folder, "--range=192.0.2.70,192.0.2.90", f"--config={rack_yml}")
        assert running.process.wait(serving.SECONDS) == 2
    assert f"--range: {SITE} gives out addresses on {BRIDGE} (expected no other DHCP server)" in running.said
    assert "hint: ./run boot.serve --proxy" in running.said


def test_it_says_that_no_dhcp_server_is_there(lan: Lan, folder: Path, rack_yml: Path) -> None:
    with serving.serving(lan, folder, "--proxy", f"--config={rack_yml}") as running:
        assert f"warning: {BRIDGE}: no DHCP server answers" in running.said
        serving.own_binaries(folder / "other")
        other = serving.start(
            lan, folder, f"--config={rack_yml}", f"--interface={_DEVICE}", state="other", namespace=lan.node
        )
        other.wait_for("Ctrl-C stops it")
        assert other.stop() == 0
    assert f"{_DEVICE}: another boot.serve answers at {SERVER}: nodes boot from whichever is first" in other.said
    assert f"page: http://{NODE}/" in other.said


def test_nginx_and_dnsmasq_give_up_the_rights_of_root_where_they_can(lan: Lan, open_folder: Path) -> None:
    serving.own_binaries(open_folder / "state")
    rack_yml = serving.images(open_folder / "images")
    with serving.serving(lan, open_folder, "--proxy", f"--config={rack_yml}") as running:
        for name in ("nginx", "dnsmasq"):
            pids = sorted(process.pid for process in open_files.writers(running.state / "log" / f"{name}.log"))
            # nginx's master stays root, to open logs
            users = {Path(f"/proc/{pid}").stat().st_uid for pid in (pids[1:] if name == "nginx" else pids)}
            assert users
            assert 0 not in users
        assert lan.get("/images/alchemy/alchemy.img")[0] == 200
        assert lan.get("/healthz")[0] == 200
        assert firmware.tftp(lan, "undionly.kpxe")
        offer = firmware.discover(lan, Firmware("HTTPClient:Arch:00016", 16, ipxe=True), 30)
        assert [reply.file for reply in offer] == [SCRIPT]
        assert firmware.discover(lan, Firmware(UNDI, 0), 30)
