"""Find evidence of broken hardware in what the kernel says, and in the events that it traces."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from mmap import PAGESIZE

from alchemy_node.burnin.activity import Finding, Kind
from alchemy_node.burnin.parts import Part, Parts
from alchemy_node.text import printable

# What a burn-in makes itself, and what no disk is behind.
_VIRTUAL_DISK = re.compile(r"(?:loop|dm-|ram|zram|nbd|sr|fd|md)\d")

# Intel SDM volume 3, machine-check architecture: MCi_STATUS bit 61 is UC, bits 15:0 are the MCA error code.
_UNCORRECTED = 1 << 61


# The same: bit 58 says that MCi_ADDR is valid, bit 59 that MCi_MISC is. Its bits 8:6 are 2 for a physical address, and
# bits 5:0 the lowest bit that is known. AMD's memory controllers give an address of their own instead.
_ADDRESS_VALID = 1 << 58
_MISC_VALID = 1 << 59
_PHYSICAL = 2
_INTEL = "0"

# an error whose part a better source may name
UNNAMED = "hardware-error"

Judge = Callable[[re.Match[str], Parts], Finding | None]
# a physical address, and to how many bytes it is known
Place = tuple[int, int]


@dataclass(frozen=True)
class Pattern:
    """A line of the kernel, and its meaning. `limit` is the profile's limit that tolerates so many of them."""

    regex: re.Pattern[str]
    judge: Judge
    limit: str | None = None


def judge(line: str, parts: Parts) -> tuple[Finding, str | None] | None:
    """Returns what a line means, and the limit that tolerates it; None for a line that means nothing."""
    for pattern in PATTERNS:
        found = pattern.regex.search(line)
        if found is not None:
            finding = pattern.judge(found, parts)
            if finding is None:
                return None
            # nothing tolerates an uncorrected error
            return finding, None if finding.verdict == "dimm-ue" else pattern.limit
    return None


def parse_kmsg(record: bytes) -> str:
    """Returns the message of a record of /dev/kmsg: `6,339,5140900,-;message`, its dictionary left out."""
    return printable(record.decode(errors="replace").partition(";")[2].partition("\n")[0], 512)


def _machine_check(found: re.Match[str], parts: Parts) -> Finding:
    status = int(found["status"], 16)
    uncorrected = bool(status & _UNCORRECTED)
    word = "uncorrected" if uncorrected else "corrected"
    code = status & 0xFFFF
    said = f"in bank {found['bank']} (status {found['status']})"
    # 0000 0000 1MMM CCCC: the memory controller
    if code & 0xFF80 == 0x0080:
        where = _machine_check_address(found, status)
        part, said = _dimm("", where, parts, said)
        return Finding(
            Kind.FAIL, "dimm-ue" if uncorrected else "dimm-ce", f"replace {part}: {word} memory error {said}", part
        )
    cpus = parts.all("cpu")
    part = cpus[0] if len(cpus) == 1 else Part(f"the CPU with core {found['cpu']}")
    return Finding(Kind.FAIL, "machine-check", f"replace {part}: {word} machine check {said}", part)


def _machine_check_address(found: re.Match[str], status: int) -> Place | None:
    """Returns the physical address of a machine check, where it is one."""
    groups = found.groupdict()
    if groups.get("vendor") != _INTEL or not status & _ADDRESS_VALID or not status & _MISC_VALID:
        return None
    misc = int(groups["misc"], 16)
    return (int(groups["address"], 16), 1 << (misc & 0x3F)) if misc >> 6 & 7 == _PHYSICAL else None


def _memory_event(found: re.Match[str], parts: Parts) -> Finding:
    """EDAC has an address of 0 for one that it does not know."""
    groups = found.groupdict()
    where = None
    if groups.get("page"):
        where = int(groups["page"], 16) * PAGESIZE + int(groups["offset"], 16), int(groups["grain"])
    elif groups.get("address"):
        where = int(groups["address"], 16), int(groups["grain"])
    uncorrected = not found["type"].lower().startswith(("corrected", "ce"))
    verdict, word = ("dimm-ue", "uncorrected") if uncorrected else ("dimm-ce", "corrected")
    part, said = _dimm(found["label"].strip(), where if where and where[0] else None, parts)
    return Finding(Kind.FAIL, verdict, f"{word} memory error{said}: replace {part}", part)


def _memory_failure(found: re.Match[str], parts: Parts) -> Finding:
    part = parts.located(int(found["page"], 16) * PAGESIZE, PAGESIZE)
    said = f'the kernel took away a page of broken memory: "{found[0]}"'
    return Finding(Kind.FAIL, "dimm-ue", said if part is None else f"replace {part}: {said}", part)


def _dimm(label: str, where: Place | None, parts: Parts, said: str = "") -> tuple[Part, str]:
    """Returns the DIMM of a label or, where that names none, of an address, and what to say of the place."""
    part = parts.dimm(label)
    located = parts.located(*where) if where and part.id is None else None
    if where is None or located is None:
        return part, said
    edac = f", EDAC's {label}" if label else ""
    return located, f"{said} at physical address {where[0]:#x}{edac}"


def _disk(verdict: str, text: str) -> Judge:
    def judge_disk(found: re.Match[str], parts: Parts) -> Finding | None:
        name = found["disk"]
        if _VIRTUAL_DISK.match(name):
            return None
        part = parts.find("disk", name)
        return Finding(Kind.FAIL, verdict, f'replace {part}: {text} ("{found[0]}")', part)

    return judge_disk


def _part(kind: Kind, verdict: str, text: str, its: str) -> Judge:
    """Returns a judge whose part has the name that the group `name` holds, if there is that group."""

    def judge_part(found: re.Match[str], parts: Parts) -> Finding:
        part = parts.find(its, found.groupdict().get("name") or "")
        return Finding(kind, verdict, f'{text} on {part}: "{found[0]}"', part)

    return judge_part


def _plain(kind: Kind, verdict: str, text: str) -> Judge:
    return lambda found, parts: Finding(kind, verdict, f'{text}: "{found[0]}"')


_BDF = r"(?P<name>[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])"

_TOO_HOT = "a CPU is too hot: check its heat sink, the fans and the inlet temperature"

# (regular expression, judge, the limit of the profile that tolerates it); the first that matches counts. Words of
# mm/oom_kill.c, arch/x86/kernel/cpu/mce, include/ras/ras_event.h, drivers/edac, drivers/pci/pcie/aer.c, block/,
# drivers/ata, drivers/nvme, net/sched/sch_generic.c, kernel/watchdog.c, kernel/hung_task.c.
_TABLE: tuple[tuple[str, Judge, str | None], ...] = (
    (
        r"(?:Memory cgroup out of memory|Out of memory(?: \([a-z_]+\))?): Killed process \d+ \([^)]{1,32}\)",
        _plain(Kind.ERROR, "out-of-memory", "memory ran out"),
        None,
    ),
    (
        r"mce_record: CPU: (?P<cpu>\d+), .*?MC(?P<bank>\d+): (?P<status>[0-9a-f]{1,16}),"
        r"(?:.*? ADDR: (?P<address>[0-9a-f]{1,16}), MISC: (?P<misc>[0-9a-f]{1,16}),.*? vendor: (?P<vendor>\d+),)?",
        _machine_check,
        "machine_checks",
    ),
    (
        r"\[Hardware Error\]: CPU (?P<cpu>\d+): Machine Check(?: Exception)?: \S+ "
        r"Bank (?P<bank>\d+): (?P<status>[0-9a-f]{1,16})",
        _machine_check,
        "machine_checks",
    ),
    (
        r"mc_event: \d+ (?P<type>\w+) errors?:.*? on (?P<label>.+?) \(mc:"
        r"(?:.*? address:0x(?P<address>[0-9a-f]{1,16}) grain:(?P<grain>\d{1,18})\b)?",
        _memory_event,
        "memory_corrected",
    ),
    (
        r"EDAC MC\d+: \d+ (?P<type>CE|UE) .*? on (?P<label>.+?) \((?:channel|csrow|mc)"
        r"(?:.*? page:0x(?P<page>[0-9a-f]{1,14}) offset:0x(?P<offset>[0-9a-f]{1,8}) grain:(?P<grain>\d{1,18})\b)?",
        _memory_event,
        "memory_corrected",
    ),
    (
        r"Memory failure: 0x(?P<page>[0-9a-f]{1,14}): .{1,80}",
        _memory_failure,
        None,
    ),
    (
        rf"aer_event: {_BDF} PCIe Bus Error: severity=(?:Uncorrected|Fatal|Non-Fatal).{{0,80}}",
        _part(Kind.FAIL, "pcie-uncorrected", "uncorrected PCIe error", "pci"),
        None,
    ),
    (
        rf"Uncorrect(?:ed|able) \((?:Non-)?Fatal\) error (?:message )?received: (?:from )?{_BDF}",
        _part(Kind.FAIL, "pcie-uncorrected", "uncorrected PCIe error", "pci"),
        None,
    ),
    (
        r"(?P<disk>nvme\d+): (?:controller is down|Device not ready|I/O (?:tag )?\d+.{0,40} timeout"
        r"|Removing after probe failure|Disabling device after reset failure)",
        _disk("disk-timeout", "it does not answer"),
        None,
    ),
    (
        r"(?:I/O error|critical (?:medium|target|nexus) error), dev (?P<disk>[a-z]+[a-z0-9-]*), sector \d+",
        _disk("disk-io-error", "I/O error"),
        None,
    ),
    (
        r"\[(?P<disk>sd[a-z]+)\] .*(?:Medium access timeout|Sense Key : (?:Medium|Hardware) Error)",
        _disk("disk-io-error", "medium or hardware error"),
        None,
    ),
    (
        r"\bata(?P<name>\d+)(?:\.\d+)?: (?:exception Emask|failed command|hard resetting link|SATA link down"
        r"|softreset failed|COMRESET failed).{0,60}",
        _part(Kind.FAIL, "ata-error", "its disk or its link fails", "ata port"),
        None,
    ),
    (
        r"NETDEV WATCHDOG: (?P<name>\S+) \([^)]*\): transmit queue \d+ timed out",
        _part(Kind.FAIL, "nic-hung", "a transmit queue hung", "nic"),
        None,
    ),
    (
        r"CPU\d+: (?:Core|Package) temperature(?:/speed)? (?:is )?above threshold",
        _plain(Kind.FAIL, "throttled", _TOO_HOT),
        "throttling",
    ),
    (
        r"BUG: (?:soft|hard) lockup - CPU#\d+ stuck for \d+s|Watchdog detected hard LOCKUP on cpu \d+",
        _plain(Kind.FAIL, "cpu-lockup", "a CPU hung"),
        "kernel_stalls",
    ),
    (
        r"rcu: INFO: rcu_\w+ (?:self-)?detected (?:expedited )?stalls?",
        _plain(Kind.FAIL, "cpu-stall", "a CPU stalled"),
        "kernel_stalls",
    ),
    (
        r"INFO: task \S{1,40}:\d+ blocked for more than \d+ seconds",
        _plain(Kind.FAIL, "task-hung", "a task hung in the kernel"),
        "kernel_stalls",
    ),
    (
        r"APEI Generic Hardware Error Source|Machine check events logged|\[Hardware Error\]: event severity: \w+",
        _plain(Kind.FAIL, UNNAMED, "the firmware or a CPU reported a hardware error"),
        "machine_checks",
    ),
)

PATTERNS = tuple(Pattern(re.compile(regex), judge, limit) for regex, judge, limit in _TABLE)
