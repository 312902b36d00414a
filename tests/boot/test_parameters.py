"""Every boot parameter, in a booted image. The table says which test shows it to work."""

from __future__ import annotations

import hashlib
import re
import struct
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.parts import command_signature, parameters
from alchemy.run import Runner
from tests import repository
from tests.boot import guest, test_intake, test_node, test_trust
from tests.unit.node import test_jobs

# parameter → the tests that fail without its code
SHOWN_BY = {
    "net": ["test_services_of_the_preliminary_environment"],
    "net_timeout": ["test_a_network_that_never_answers_does_not_hold_the_boot"],
    "ip": ["test_a_static_network_over_a_bond_and_a_vlan"],
    "nameserver": ["test_a_static_network_over_a_bond_and_a_vlan"],
    "vlan": ["test_a_static_network_over_a_bond_and_a_vlan"],
    "bond": ["test_a_static_network_over_a_bond_and_a_vlan"],
    "hostname": ["test_a_static_network_over_a_bond_and_a_vlan"],
    "BOOTIF": ["test_the_interface_of_bootif_is_waited_for"],
    "ssh": ["test_services_of_the_preliminary_environment"],
    "lldpd": ["test_services_of_the_preliminary_environment"],
    "ssh_keys_url": ["test_services_of_the_preliminary_environment"],
    "ssh_keys_sha256": ["test_keys_of_another_digest_and_an_unsigned_command_are_not_used"],
    "command_url": ["test_a_command_runs_beside_the_boot"],
    "command_sha256": ["test_what_is_fetched_has_to_have_its_digest"],
    "command_key": ["test_keys_of_another_digest_and_an_unsigned_command_are_not_used"],
    "shell": ["test_services_of_the_preliminary_environment"],
    "real_init": ["test_real_init_is_what_is_handed_over_to", "test_an_empty_real_init_gives_a_rescue_shell"],
    "init_debug": ["test_an_empty_real_init_gives_a_rescue_shell"],
}

# those that programs of the running system read → their tests
OF_THE_SYSTEM = {
    "rack_url": test_jobs.test_the_rack_service_says_what_to_do,
    "job": test_node.test_a_job_of_the_command_line_leaves_its_verdict_on_the_console_and_above_the_login,
    "burnin_profile": test_jobs.test_the_jobs_run_in_their_order,
    "burnin_profile_sha256": test_jobs.test_a_profile_by_url_is_the_programs_to_verify,
    "burnin_profile_key": test_trust.test_a_profile_by_url_has_to_be_signed_by_the_key_of_the_command_line,
    "burnin_disks": test_jobs.test_the_jobs_run_in_their_order,
    "expect_url": test_jobs.test_what_verifies_a_file_reaches_the_program,
    "expect_sha256": test_jobs.test_what_verifies_a_file_reaches_the_program,
    "asset_tag": test_intake.test_a_new_machine_comes_into_collins_and_its_password_nowhere,
}


def test_every_parameter_has_its_tests(image: Context) -> None:
    declared = {parameter.name for parameter in parameters.read(repository.ROOT / "chroot/early/parameters")}
    assert SHOWN_BY.keys() | OF_THE_SYSTEM.keys() == declared
    for names in SHOWN_BY.values():
        assert all(callable(globals()[name]) for name in names)


def lldp_frames(capture: Path) -> list[bytes]:
    """The LLDP frames (IEEE 802.1AB: Ethernet type 88cc) of a pcap file (little endian, microseconds)."""
    data = capture.read_bytes()
    frames, at = [], 24
    while at + 16 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 8)
        frame = data[at + 16 : at + 16 + length]
        if frame[12:14] == b"\x88\xcc":
            frames.append(frame)
        at += 16 + length
    return frames


def test_services_of_the_preliminary_environment(image: Context, key: Path, web: Path, console_log: Path) -> None:
    capture = console_log.with_suffix(".pcap")
    capture.unlink(missing_ok=True)
    dump = ["-object", f"filter-dump,id=dump,netdev=pxe,file={capture}"]
    with (
        guest.serve_folder(web) as url,
        guest.boot(image, console_log, key, f"net ssh lldpd shell ssh_keys_url={url}/keys", extra=dump) as node,
    ):
        node.expect(r"net: eth0 has (10\.0\.2\.\d+)\s")
        node.expect("ssh: port 22 answers")
        node.expect("alchemy: shell: ")
        node.expect(guest.PROMPT)
        node.wait_for_ssh()
        assert "dropbear" in node.ssh("ps -e")
        address = node.ssh("ip -4 -brief address show eth0").split()[2]
        assert node.ssh("sudo -n id -u").strip() == "0"
        guest.wait_for(
            lambda: any(b"Alchemy Linux" in frame for frame in lldp_frames(capture)), "LLDP frame with the version"
        )
        node.type("exit")
        node.expect(guest.HAND_OVER)
        node.expect(guest.LOGIN)
        node.wait_for_ssh()
        running = node.ssh("ps -e")
        assert "dropbear" not in running
        assert "sshd" in running
        assert node.ssh("ip -4 -brief address show eth0").split()[2] == address
        assert node.ssh("pgrep -c -x lldpd").strip() in ("1", "2")  # it has a process without privileges


def test_a_static_network_over_a_bond_and_a_vlan(image: Context, key: Path, console_log: Path) -> None:
    cmdline = (
        "bond=bond0:eth0,eth1:mode=active-backup,miimon=50 vlan=bond0.42:bond0 hostname=node9 nameserver=10.0.2.3 "
        "ip=10.0.2.77::10.0.2.2:255.255.255.0::bond0:none ip=192.0.2.9:::24::bond0.42:none "
        "ip=[2001:db8::9]:::64::bond0:none shell"
    )
    second = ["-netdev", "user,id=second", "-device", "virtio-net-pci,netdev=second"]
    with guest.boot(image, console_log, key, cmdline, extra=second) as node:
        node.expect(r"net: eth0 belongs to bond0")
        node.expect(r"net: bond0 has ")
        node.expect(r"net: bond0\.42 has 192\.0\.2\.9")
        node.expect(guest.PROMPT)
        node.type(
            "hostname; cat /sys/class/net/bond0/bonding/mode; cat /proc/net/vlan/config; ip addr show bond0; ip route"
        )
        node.expect("node9")
        node.expect("active-backup 1")
        node.expect(r"bond0\.42 +\| 42 +\| bond0")
        node.expect(r"10\.0\.2\.77/24")
        node.expect(r"2001:db8::9/64")
        node.expect(r"default via 10\.0\.2\.2 dev bond0")
        node.type("cat /new/etc/resolv.conf; ping -c 1 -W 5 10.0.2.2")
        node.expect(r"nameserver 10\.0\.2\.3")
        node.expect("1 packets received")
        node.type("exit")
        node.expect(guest.HAND_OVER)
        node.expect("node9 login:")


def silent_interface(*options: str) -> list[str]:
    """A second interface with a link, where no DHCP server answers; QEMU's firmware leaves it alone."""
    device = ["virtio-net-pci", "netdev=silent", "romfile=", *options]
    return ["-netdev", "hubport,id=silent,hubid=9", "-device", ",".join(device)]


@pytest.mark.exhaustive
def test_the_interface_of_bootif_is_waited_for(image: Context, key: Path, console_log: Path) -> None:
    # the second interface of QEMU's numbers: nobody answers there, and the other one gets its lease all the same
    cmdline = "BOOTIF=01-52-54-00-12-34-57 net_timeout=12"
    with guest.boot(image, console_log, key, cmdline, extra=silent_interface()) as node:
        node.expect(r"net: eth1 has a link, but got no lease within 1[2-4] s")
        node.expect(r"net: eth0 has 10\.0\.2\.15")
        node.expect(guest.HAND_OVER)


def test_a_network_that_never_answers_does_not_hold_the_boot(image: Context, key: Path, console_log: Path) -> None:
    # ip= names the silent one alone, so that there is no lease that ends the wait
    cmdline = "ip=eth1:dhcp net_timeout=3"
    with guest.boot(image, console_log, key, cmdline, extra=silent_interface()) as node:
        node.expect(r"net: eth0 is not asked for a lease")
        node.expect(r"net: eth1 has a link, but got no lease within [3-5] s")
        node.expect(guest.HAND_OVER)


def test_what_is_fetched_has_to_have_its_digest(image: Context, key: Path, web: Path, console_log: Path) -> None:
    (web / "command").write_text("#!/bin/sh\necho must not run\n")
    wrong = "0" * 64
    right = hashlib.sha256((web / "keys").read_bytes()).hexdigest()
    with guest.serve_folder(web) as url:
        cmdline = f"ssh_keys_url={url}/keys ssh_keys_sha256={right} command_url={url}/command command_sha256={wrong}"
        with guest.boot(image, console_log, key, cmdline) as node:
            node.expect("ssh_keys_url: 1 keys added for alchemy")
            node.expect(rf"command_url: refused: SHA-256 mismatch \(expected {wrong}, got [0-9a-f]{{64}}\)")
            node.expect("command_url: nothing is run")
            node.wait_for_ssh()
            assert node.ssh("cat /run/alchemy/command.status").strip() == "refused"
            assert "must not run" not in node.ssh("sudo cat /var/log/command_url.log 2>/dev/null || true")


@pytest.mark.exhaustive
def test_a_command_runs_beside_the_boot(image: Context, key: Path, web: Path, console_log: Path) -> None:
    (web / "command").write_text(
        "#!/bin/sh\necho turning lead\nwhile [ ! -e /run/go ]; do sleep 1; done\necho gold\nexit 7\n"
    )
    with guest.serve_folder(web) as url:
        cmdline = f"ssh_keys_url={url}/keys command_url={url}/command"
        with guest.boot(image, console_log, key, cmdline) as node:
            node.expect("command_url: running")
            node.expect("turning lead")
            node.expect(guest.HAND_OVER)
            node.wait_for_ssh()
            assert node.ssh("cat /run/alchemy/command.status").strip() == "running"
            node.ssh("sudo touch /run/go")
            node.expect("gold")
            node.expect("command_url: ended with status 7")
            assert node.ssh("cat /run/alchemy/command.status").strip() == "7"
            assert node.ssh("sudo cat /var/log/command_url.log") == "turning lead\ngold\n"
            assert node.try_ssh("cat /var/log/command_url.log")[0] == 1
            assert node.try_ssh("cat /run/alchemy/command")[0] == 1
            assert "command_url: ended with status 7" in node.ssh("sudo dmesg")


def test_a_signed_command_runs(image: Context, key: Path, web: Path, console_log: Path, runner: Runner) -> None:
    (web / "command").write_text("#!/bin/sh\necho gold by $(id -un)\n")
    command_signature.sign(runner, web / "command", key, 30)
    kind, blob, _ = (web / "keys").read_text().split()
    with (
        guest.serve_folder(web) as url,
        guest.boot(image, console_log, key, f"command_url={url}/command command_key={kind}:{blob}") as node,
    ):
        node.expect("gold by root")
        node.expect("command_url: ended with status 0")


@pytest.mark.exhaustive
def test_keys_of_another_digest_and_an_unsigned_command_are_not_used(
    image: Context, key: Path, web: Path, console_log: Path, runner: Runner
) -> None:
    (web / "command").write_text("#!/bin/sh\necho gold\n")
    command_signature.sign(runner, web / "command", key, 30)
    script = (web / "command").read_text()
    (web / "command").write_text(script.replace("gold", "fool"))
    kind, blob, _ = (web / "keys").read_text().split()
    wrong = "0" * 64
    with guest.serve_folder(web) as url:
        cmdline = f"ssh_keys_url={url}/keys ssh_keys_sha256={wrong} command_url={url}/command command_key={kind}:{blob}"
        with guest.boot(image, console_log, key, cmdline) as node:
            node.expect(rf"ssh_keys_url: refused: SHA-256 mismatch \(expected {wrong}, got [0-9a-f]{{64}}\)")
            node.expect("command_url: refused: bad signature: ")
            node.expect("command_url: nothing is run")
            node.expect(guest.LOGIN)
    assert "keys added" not in console_log.read_text()
    assert not re.search(r"^fool", console_log.read_text(), re.MULTILINE)


def test_real_init_is_what_is_handed_over_to(image: Context, key: Path, console_log: Path) -> None:
    with guest.boot(image, console_log, key, "real_init=/bin/bash") as node:
        assert node.expect(guest.HAND_OVER)[1] == "/bin/bash"
        node.type("echo process $$ is $0")
        node.expect("process 1 is /bin/bash")


def test_an_empty_real_init_gives_a_rescue_shell(image: Context, key: Path, console_log: Path) -> None:
    with guest.boot(image, console_log, key, "init_debug real_init=") as node:
        node.expect(r"\+ mount_system")
        node.expect("real_init is empty: there is no init to hand over to")
        node.expect(guest.PROMPT)
        node.type("echo this is $((6 * 7))")
        node.expect("this is 42")
        node.type("exit")
        assert node.expect(guest.HAND_OVER)[1] == "/sbin/init"
