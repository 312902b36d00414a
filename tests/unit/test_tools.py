"""What tests/tools/ lists, held against the sets: no tool is promised that nobody has seen at work."""

from __future__ import annotations

import re

import pytest

from alchemy.portage import settings
from tests import repository, tools

SETS = [path.name.removeprefix("packages.") for path in repository.SETS]


# what the first Alchemy had, and what was asked of this one, by the name of its package or of the tool
ASKED = {
    "core": "lvm2 btrfs-progs lm-sensors openipmi x86info cpuid linux-firmware mdadm nvme-cli rasdaemon lldpd lshw"
    " dmidecode ipmitool smartmontools stress memtester htop busybox dropbear openssh",
    "util": "tmux screen vim dash ack ripgrep numactl sshpass gptfdisk lsof jq strace rsync kexec-tools flashrom fwupd"
    " i2c-tools efibootmgr file less tree",
    "network": "netcat tcpdump mtr netperf nmap net-snmp socat iperf ethtool bridge-utils nftables wireguard-tools"
    " bwping arping",
    "benchmark": "stress stress-ng stressapptest cpuburn nbench tiobench bonnie++ fio iozone sysbench ramspeed stream"
    " gimps hddtemp smartmontools linpack hpl nepim bandwidth systester",
    "storage": "mdadm ddrescue dd-rescue ncdu parted hdparm sdparm sg3_utils nvme-cli xfsprogs dosfstools testdisk"
    " mt-st mpt-status lsscsi gptfdisk",
    "fabric": "rdma-core perftest ndctl numactl ledmon",
    "breakin": "udpcast breakin pcopy",
    "eula": "megacli storcli tw_cli hpssacli gimps areca-cli sas2ircu y-cruncher",
}


def atoms(name: str) -> list[str]:
    return settings.read_set(repository.ROOT / f"packages/packages.{name}")


@pytest.mark.parametrize("name", SETS)
def test_every_atom_of_a_set_is_tested_and_nothing_else(name: str) -> None:
    assert sorted(tool.atom for tool in tools.read(name) if not tool.missing) == sorted(atoms(name))


@pytest.mark.parametrize("name", SETS)
def test_what_is_missing_is_in_no_set_and_its_successor_is_in_one(name: str) -> None:
    there = {atom for other in SETS for atom in atoms(other)}
    comments = (repository.ROOT / f"packages/packages.{name}").read_text(encoding="utf-8")
    for tool in tools.read(name):
        assert not tool.missing or tool.atom.split("/")[1] in comments, f"{tool} is in no comment of its set"
        assert bool(tool.missing) == (tool.atom not in there), tool
        assert set(tool.instead) <= there, tool
        assert bool(tool.instead) == bool(tool.missing), tool


@pytest.mark.parametrize("tool", [tool for name in SETS for tool in tools.read(name)], ids=str)
def test_a_tool_is_run_or_tested_elsewhere_or_missing(tool: tools.Tool) -> None:
    assert [bool(value) for value in (tool.run, tool.tested, tool.missing)].count(True) == 1
    assert bool(tool.run) == bool(tool.expect)
    assert not re.search(tool.expect or "x", ""), "would match anything"


@pytest.mark.parametrize("name", sorted(ASKED))
def test_whatever_was_asked_for_is_listed(name: str) -> None:
    listed = {re.split("[/:]", tool.atom)[1] for other in SETS for tool in tools.read(other)}
    assert set(ASKED[name].split()) - listed == set()
