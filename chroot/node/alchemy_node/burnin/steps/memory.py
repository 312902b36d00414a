"""Fill memory with patterns and read them back: stressapptest on each NUMA node, then memtester.

Sources of the formats: the output of stressapptest 1.0.6, and memtester(8) for its exit status.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from mmap import PAGESIZE

from alchemy_node.burnin.activity import Activity, Kind, Measurement, Outcome, Program, join, one, trouble
from alchemy_node.burnin.parts import Part, Parts, candidates
from alchemy_node.burnin.step import Planned, Setting
from alchemy_node.burnin.steps.cpu import GRACE, once
from alchemy_node.burnin.topology import Node, cpu_list, nodes
from alchemy_node.processes import Output

MIB = 1 << 20

# worker.cc of stressapptest: the virtual address of a word, the physical one of its first wrong byte, and a name
_ADDRESSES = re.compile(r"miscompare on CPU .{1,64} at 0x([0-9a-f]{1,16})\(0x([0-9a-f]{1,16}):")
_MOST_ADDRESSES = 1000
_MOST_PLACES = 4

# what a program takes beside the memory that it tests
_OVERHEAD = 64 * MIB
_A_THREAD = 16 * MIB
_LEAST = 8 * MIB

_MEMTESTER_SHARE = 0.2
# memtester tests some 10 MiB a second; a slow machine still has to end its only loop
_MEMTESTER_RATE = 1 * MIB

# memtester(8): bit 1 of the exit status is a bad address line, bit 2 another test; bit 0 is an error of its own.
# 126 and 127 are of a program that could not be loaded.
_BAD_MEMORY = frozenset({2, 4, 6})


def plan(setting: Setting) -> Planned:
    """Plans a test of all memory that may be taken, for each NUMA node by itself where programs can be held there."""
    places: list[Node | None] = [*nodes(setting.machine)] if setting.placed else []
    threads = max(1, len(cpu_list(setting.machine.read("/sys/devices/system/cpu/online"))))
    total = sum(node.memory for node in places if node)
    activities: list[Callable[[], Activity[Outcome]]] = []
    whole = 0
    for node in places or [None]:
        share = setting.memory if node is None else setting.memory * node.memory // total
        count = threads if node is None else max(1, len(cpu_list(node.cpus)))
        size = share - _OVERHEAD - count * _A_THREAD
        if size < _LEAST:
            count = 1
            size = share - _OVERHEAD - _A_THREAD
        if size < _LEAST:
            return Planned(skip=f"too little memory is free ({share // MIB} MiB)")
        whole += size
        activities.append(partial(test, node, size, count, blame(setting, node), setting.seconds, setting.parts))
    return Planned(tuple(activities), f"{whole // MIB} MiB of memory: writes patterns and reads them back")


def blame(setting: Setting, node: Node | None) -> Part:
    """Returns the DIMM to blame where there is only one; else a phrase that says which to try."""
    dimms = setting.parts.all("dimm")
    if len(dimms) == 1:
        return dimms[0]
    where = "a DIMM" if node is None else f"a DIMM of NUMA node {node.number}"
    return Part(f"{where} ({candidates(dimms)})" if 0 < len(dimms) <= 4 else where)


def test(node: Node | None, size: int, threads: int, part: Part, seconds: float, parts: Parts) -> Activity[Outcome]:
    """Tests `size` bytes for `seconds`; `part` is to blame for errors that `parts` do not locate."""
    name = "memory" if node is None else f"memory of NUMA node {node.number}"
    slow = max(1.0, seconds * _MEMTESTER_SHARE)
    output = yield stressapptest(size, threads, seconds - slow, node)
    first = judge_stressapptest(name, part, output, parts)
    output = yield memtester(min(size, max(MIB, int(slow * _MEMTESTER_RATE))), slow, node)
    return once([first, judge_memtester(name, part, output)])


def stressapptest(size: int, threads: int, seconds: float, node: Node | None = None, force: bool = False) -> Program:
    """Returns the program; `force` has it inject errors, which it has to find.

    It puts an error into one of 50,000 pages that it copies, 1 MiB each: in small ones a slow machine gets there, too.
    """
    whole = max(1, round(seconds))
    argv = ("stressapptest", "-s", str(whole), "-M", str(size // MIB), "-m", str(threads), "-W", "-v", "8")
    return Program(
        (*argv, "-p", "4096", "--force_errors") if force else argv,
        whole * 1.2 + GRACE,
        memory=size + _OVERHEAD + threads * _A_THREAD,
        cpus=node.cpus if node and node.cpus else None,
        nodes=str(node.number) if node else None,
    )


def memtester(size: int, seconds: float, node: Node | None = None) -> Program:
    """Returns the program: one loop over `size` bytes."""
    return Program(
        ("memtester", f"{size // MIB}M", "1"),
        seconds + GRACE,
        memory=size + _OVERHEAD,
        nodes=str(node.number) if node else None,
    )


def judge_stressapptest(name: str, part: Part, output: Output, parts: Parts | None = None) -> Outcome:
    """Returns what a run proves. What it saw of broken memory counts however it ended."""
    text = output.stdout + output.stderr
    # 1.0.7 and later put the time before each line
    seen = re.findall(r"^(?:[0-9/]{1,10}-\S{1,20} )?(?:Hardware Error|Report Error): (.{1,200})", text, re.MULTILINE)
    counted = re.search(r"with ([0-9]{1,9}) hardware incidents", text)
    if seen or "Status: FAIL - test discovered HW problems" in text or (counted and int(counted[1])):
        said = f' ("{seen[-1].strip()}")' if seen else ""
        places = _places(text, parts or Parts())
        if not places:
            return one(Kind.FAIL, "memory-miscompare", f"replace {part}: {name} lost what was written{said}", part)
        return join(
            one(Kind.FAIL, "memory-miscompare", f"replace {where}: {name} lost what was written at {at}", where)
            for where, at in places.items()
        )
    if output.status != 0 or "Status: PASS" not in text or counted is None:
        return trouble(f"stressapptest on {name}", output, part)
    outcome = one(Kind.PASS, "memory-patterns", f"{name} kept every pattern", part)
    copied = re.search(r"Memory Copy: [0-9.]+M at ([0-9.]{1,15})MB/s", text)
    if copied is not None:
        outcome += Outcome((), (Measurement("memory copy", float(copied[1]), "MB/s", Part(name), group="node"),))
    return outcome


def _places(text: str, parts: Parts) -> dict[Part, str]:
    """Returns the DIMMs of the physical addresses that stressapptest prints, and the addresses; none for too many.

    Errors on more DIMMs than a few are not the DIMMs'. memtester prints no physical address.
    """
    found: dict[Part, list[int]] = {}
    for virtual, physical in _ADDRESSES.findall(text)[:_MOST_ADDRESSES]:
        address = int(physical, 16)
        # of the first wrong byte of eight; a kernel that hides the page frames gives something else
        if address < PAGESIZE or (address - int(virtual, 16)) % PAGESIZE >= 8:
            continue
        where = parts.located(address)
        if where is not None:
            found.setdefault(where, []).append(address)
    if len(found) > _MOST_PLACES:
        return {}
    return {where: _addresses(sorted(set(found[where]))) for where in found}


def _addresses(addresses: list[int]) -> str:
    more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
    return f"physical address {addresses[0]:#x}{more}"


def judge_memtester(name: str, part: Part, output: Output) -> Outcome:
    """Returns what a run proves. A loop that time cut off proves nothing against the memory, and nothing for it."""
    text = output.stdout + output.stderr
    failures = re.findall(r"FAILURE: (.{1,200})", text)
    if failures or output.status in _BAD_MEMORY:
        said = f' ("{failures[0].strip()}")' if failures else ""
        return one(Kind.FAIL, "memory-pattern", f"replace {part}: {name} fails a pattern of memtester{said}", part)
    if output.problem is not None and output.problem.startswith("timed out"):
        return one(Kind.NOTE, "memtester-unfinished", f"memtester on {name} did not end in time", part)
    if output.status != 0 or "\nDone." not in text:
        return trouble(f"memtester on {name}", output, part)
    return one(Kind.PASS, "memory-patterns", f"{name} passed the patterns of memtester", part)
