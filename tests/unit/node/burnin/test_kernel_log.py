"""What lines of the kernel mean."""

from __future__ import annotations

import pytest

from alchemy_node.burnin import kernel_log, profile
from alchemy_node.burnin.parts import Part, Parts

PARTS = Parts(
    {
        ("dimm", "A1"): Part("DIMM A1", "D1", "dimm-a1"),
        ("cpu", "0"): Part("CPU 1", None, "cpu-0"),
        ("disk", "sda"): Part("disk sda", "S1", "disk-sda"),
        ("nic", "eth1"): Part("NIC eth1", None, "nic-1"),
    }
)

LINES = [
    ("Out of memory: Killed process 812 (stress-ng-vm) total-vm:1kB", "ERROR", "out-of-memory", "None"),
    ("Memory cgroup out of memory: Killed process 9 (fio) total-vm:1kB", "ERROR", "out-of-memory", "None"),
    (
        "mce_record: CPU: 0, MCGc/s: 1000c09/0, MC5: 8c0000400000009f, IPID: 0, ADDR/MISC/SYND: 12345000/8c/0",
        "FAIL", "dimm-ce", "DIMM A1, serial D1",
    ),
    (
        "mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 5: bd8000000000009f",
        "FAIL", "dimm-ue", "DIMM A1, serial D1",
    ),
    ("mce: [Hardware Error]: CPU 3: Machine Check: 0 Bank 1: 9020000f0120100e", "FAIL", "machine-check", "CPU 1"),
    (
        "mc_event: 1 Corrected error: memory read error on CPU0/A1 (mc:0 location:0:1:-1 address:0x12345000)",
        "FAIL", "dimm-ce", "DIMM A1, serial D1",
    ),
    (
        "mc_event: 2 Uncorrected errors: memory scrub error on unknown label (mc:0 location:0:1:-1)",
        "FAIL", "dimm-ue", "DIMM A1, serial D1",
    ),
    (
        "EDAC MC0: 1 CE memory read error on CPU_SrcID#0_MC#0_Chan#0_DIMM#0 (channel:0 slot:0 page:0x1)",
        "FAIL", "dimm-ce", "DIMM A1, serial D1",
    ),
    ("Memory failure: 0x12345: recovery action for dirty LRU page: Recovered", "FAIL", "dimm-ue", "None"),
    (
        "aer_event: 0000:00:04.0 PCIe Bus Error: severity=Uncorrected, non-fatal, Data Link Protocol",
        "FAIL", "pcie-uncorrected", "PCI device 0000:00:04.0",
    ),
    (
        "pcieport 0000:00:04.0: AER: Uncorrectable (Fatal) error message received: 0000:01:00.0",
        "FAIL", "pcie-uncorrected", "PCI device 0000:01:00.0",
    ),
    ("nvme nvme0: controller is down; will reset: CSTS=0xffffffff", "FAIL", "disk-timeout", "disk nvme0"),
    ("nvme nvme0: I/O 12 (Read) QID 3 timeout, aborting", "FAIL", "disk-timeout", "disk nvme0"),
    ("I/O error, dev sda, sector 2048 op 0x0:(READ) flags 0x0", "FAIL", "disk-io-error", "disk sda, serial S1"),
    ("blk_update_request: critical medium error, dev sda, sector 8", "FAIL", "disk-io-error", "disk sda, serial S1"),
    ("sd 2:0:0:0: [sda] tag#3 Sense Key : Medium Error [current]", "FAIL", "disk-io-error", "disk sda, serial S1"),
    ("ata3.00: exception Emask 0x0 SAct 0x0 SErr 0x0 action 0x6 frozen", "FAIL", "ata-error", "ata port 3"),
    ("ata3: hard resetting link", "FAIL", "ata-error", "ata port 3"),
    ("NETDEV WATCHDOG: eth1 (ixgbe): transmit queue 0 timed out 5000 ms", "FAIL", "nic-hung", "NIC eth1"),
    ("mce: CPU2: Core temperature is above threshold, cpu clock is throttled", "FAIL", "throttled", "None"),
    ("watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [fio:99]", "FAIL", "cpu-lockup", "None"),
    ("rcu: INFO: rcu_preempt self-detected stall on CPU", "FAIL", "cpu-stall", "None"),
    ("INFO: task fio:99 blocked for more than 120 seconds.", "FAIL", "task-hung", "None"),
    ("mce: [Hardware Error]: Machine check events logged", "FAIL", "hardware-error", "None"),
    ("{1}[Hardware Error]: event severity: corrected", "FAIL", "hardware-error", "None"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "kind", "verdict", "part"), LINES)
def test_lines_that_mean_something(line: str, kind: str, verdict: str, part: str) -> None:
    judged = kernel_log.judge(line, PARTS)
    assert judged is not None
    finding, limit = judged
    assert (finding.kind.name, finding.verdict, str(finding.part)) == (kind, verdict, part)
    assert limit is None or limit in profile.LIMITS
    # nothing tolerates what is uncorrected
    assert limit is None or not verdict.endswith(("-ue", "-uncorrected"))


def test_every_pattern_has_a_line_above() -> None:
    unused = [p for p in kernel_log.PATTERNS if not any(p.regex.search(line) for line, *_ in LINES)]
    assert unused == []


@pytest.mark.parametrize(
    "line",
    [
        "",
        "I/O error, dev loop0, sector 0 op 0x0:(READ)",
        "Buffer I/O error on dev dm-3, logical block 0, async page read",
        "I/O error, dev zram1, sector 8",
        "I/O error, dev sr0, sector 8",
        "ata1: SATA link up 6.0 Gbps (SStatus 133 SControl 300)",
        "e1000e 0000:00:02.0 eth0: NIC Link is Up 1000 Mbps Full Duplex",
        "pcieport 0000:00:04.0: AER: enabled with IRQ 24",
        "EDAC MC: Ver: 3.0.0",
        "EDAC amd64: MCT channel count: 2",
        "mce: CPU supports 10 MCE banks",
        "watchdog: Delayed init of the lockup detector failed: -19",
    ],
)
def test_lines_that_mean_nothing(line: str) -> None:
    assert kernel_log.judge(line, PARTS) is None


def test_a_memory_error_where_several_dimms_are_blames_none_of_them() -> None:
    two = Parts({("dimm", "A1"): Part("DIMM A1"), ("dimm", "B1"): Part("DIMM B1")})
    judged = kernel_log.judge("mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 5: 8c0000400000009f", two)
    assert judged is not None
    assert str(judged[0].part) == "a DIMM"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (b"6,339,5140900,-;eth0: link up\n SUBSYSTEM=net\n", "eth0: link up"),
        (b"3,1,2,-;bad \x1b[31m\xff", "bad ?[31m\ufffd"),
        (b"garbage", ""),
        (b"", ""),
    ],
)
def test_records_of_kmsg(record: bytes, message: str) -> None:
    assert kernel_log.parse_kmsg(record) == message
