"""job=intake: a machine comes into a stand-in for Collins, from the kernel's command line to the status New."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from alchemy.context import Context
from alchemy.testbed import qemu
from tests import collins
from tests.boot import guest, lldp
from tests.boot.conftest import build
from tests.boot.test_node import machine

TAG = "R1-7"
IMAGE = """\
collins = "{url}"
user = "{user}"
password_file = "/etc/alchemy/collins.password"
"""


class Held(collins.Collins):
    """A Collins that answers only when the test has looked at the node."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.looked = threading.Event()

    def answer(self, method: str, path: str, kind: str, body: bytes, header: str) -> collins.Reply:
        self.asked.set()
        self.looked.wait(guest.COMMAND_SECONDS)
        return super().answer(method, path, kind, body, header)


def test_a_new_machine_comes_into_collins_and_its_password_nowhere(
    image: Context, key: Path, console_log: Path, web: Path, tmp_path: Path
) -> None:
    server = Held()
    with collins.serving(server), lldp.switch(qemu.free_port()) as switch:
        url = server.url.replace("127.0.0.1", guest.HOST)
        files = {
            "etc/alchemy/intake.toml": IMAGE.format(url=url, user=collins.USER),
            "etc/alchemy/collins.password": collins.PASSWORD,
        }
        # only the identity layer differs from that of `image`
        context = build(tmp_path / "alchemy", "compression: zstd\n", files)
        switch.frame = lldp.frame((*lldp.COMPLETE, lldp.PVID))
        with (
            guest.serve_folder(web) as keys,
            guest.boot(
                context, console_log, key, f"job=intake asset_tag={TAG} ssh_keys_url={keys}/keys", memory=1024,
                extra=machine(tmp_path, switch.port),
            ) as node,
        ):  # fmt: skip
            node.wait_for_ssh()
            assert server.asked.wait(guest.BOOT_SECONDS)
            processes = node.ssh("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
            assert "alchemy-intake" in processes
            assert collins.PASSWORD not in processes
            server.looked.set()
            node.expect(r"jobs: intake PASS\s")
            assert node.ssh("cat /run/alchemy/verdict").strip() == "PASS"
            # of /run the folder alone: below it lie the image's own layers, one with the file of the password
            grep = f"find /var/log /run /tmp -xdev -type f -exec grep -lF {collins.PASSWORD!r} {{}} +"
            found = node.ssh(f"sudo -n {grep} || true").strip()
            assert found == ""
        shutil.rmtree(tmp_path / "alchemy")
    asset = server.assets[TAG]
    assert asset.status == "New"
    assert asset.hardware is not None
    assert (len(asset.hardware.disks), len(asset.hardware.memory), len(asset.hardware.nics)) == (2, 1, 2)
    assert asset.neighbors
    console = console_log.read_text(encoding="utf-8", errors="replace")
    assert collins.PASSWORD not in console
    assert collins.IPMI_PASSWORD not in console
