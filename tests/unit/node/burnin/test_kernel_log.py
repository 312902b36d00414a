"""What lines of the kernel mean."""

from __future__ import annotations

import pytest

from alchemy_node.burnin import kernel_log, profile
from alchemy_node.burnin.parts import Part, Parts
from alchemy_node.inventory.memory_map import MemoryMap

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


# A physical address, where the kernel gives one: 16 GiB each of A1 and B1, 32 GiB of C1 and D1 together.

GIB = 1 << 30
FOUR = {
    number: Part(f"DIMM {name}", f"S{number}", f"dimm-{number}") for number, name in enumerate(("A1", "B1", "C1", "D1"))
}
LOCATED = Parts(
    {("dimm", part.name.removeprefix("DIMM ")): part for part in FOUR.values()},
    MemoryMap(
        (
            ((0, 16 * GIB - 1), frozenset({0})),
            ((16 * GIB, 32 * GIB - 1), frozenset({1})),
            ((32 * GIB, 64 * GIB - 1), frozenset({2, 3})),
        ),
        interleaved=True,
    ),
    FOUR,
)
RECORD = (
    "mce_record: CPU: 0, MCGc/s: f000c14/0, MC7: {status}, IPID: 0000000000000000, ADDR: {address}, MISC: {misc}, "
    "SYND: 0000000000000000, RIP: 00:<0000000000000000>, TSC: 0, PPIN: 0, vendor: {vendor}, CPUID: 50657, time: 1, "
    "socket: 0, APIC: 0, microcode: 2b000603"
)
B1 = "0000000400001040"
PAIR = "one of 2 interleaved DIMMs (DIMM C1, serial S2 or DIMM D1, serial S3)"


def record(status: str = "cc00004000010090", address: str = B1, misc: str = "8c", vendor: int = 0) -> str:
    return RECORD.format(status=status, address=address, misc=misc.rjust(16, "0"), vendor=vendor)


@pytest.mark.parametrize(
    ("line", "part", "said"),
    [
        (record(), "DIMM B1, serial S1", "in bank 7 (status cc00004000010090) at physical address 0x400001040"),
        (record(address="0000000900000000"), PAIR, "at physical address 0x900000000"),
        # known to 64 GiB; no physical address; an address or its kind not valid; AMD's; beyond all memory
        (record(misc="a4"), "a DIMM", ""),
        (record(misc="4c"), "a DIMM", ""),
        (record(misc="0c"), "a DIMM", ""),
        (record(status="c800004000010090"), "a DIMM", ""),
        (record(status="c400004000010090"), "a DIMM", ""),
        (record(vendor=2), "a DIMM", ""),
        (record(address="f000000000000000"), "a DIMM", ""),
        # EDAC: its label where that is DMI's, else its address
        (
            "mc_event: 1 Corrected error: memory read error on CPU_SrcID#0_MC#0_Chan#0_DIMM#0 (mc:0 location:0:0:-1 "
            "address:0x400001040 grain:32 syndrome:0x0)",
            "DIMM B1, serial S1",
            "memory error at physical address 0x400001040, EDAC's CPU_SrcID#0_MC#0_Chan#0_DIMM#0: replace DIMM B1",
        ),
        (
            "mc_event: 1 Corrected error: memory read error on CPU0 A1 (mc:0 address:0x400001040 grain:32 s)",
            "DIMM A1, serial S0",
            "corrected memory error: replace DIMM A1",
        ),
        (
            "mc_event: 1 Corrected error: memory read error on mc#0 (mc:0 location:0:0:-1 address:0x0 grain:32 s)",
            "DIMM mc#0",
            "",
        ),
        (
            "EDAC MC0: 1 CE memory read error on CPU_SrcID#0_MC#0_Chan#0_DIMM#0 (channel:0 slot:0 page:0x400001 "
            "offset:0x40 grain:32 syndrome:0x0)",
            "DIMM B1, serial S1",
            "at physical address 0x400001040",
        ),
        ("EDAC MC0: 1 UE memory error on mc#0 (channel:0 slot:0 page:0x0 offset:0x0 grain:32 s)", "DIMM mc#0", ""),
        (
            "Memory failure: 0x400001: recovery action for clean page: Recovered",
            "DIMM B1, serial S1",
            "replace DIMM B1",
        ),
        ("Memory failure: 0xfffffffffffff: recovery action for x: Failed", "None", "the kernel took away a page"),
    ],
)
def test_a_physical_address_leads_to_the_dimm(line: str, part: str, said: str) -> None:
    judged = kernel_log.judge(line, LOCATED)
    assert judged is not None
    assert str(judged[0].part) == part
    assert said in judged[0].message
    assert ("physical address" in judged[0].message) == ("physical address" in said)


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
