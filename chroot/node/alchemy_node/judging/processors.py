"""Rules on sockets and CPUs."""

from __future__ import annotations

from alchemy_node import parts
from alchemy_node.judging.finding import Finding, Verdict, usual
from alchemy_node.parts import Part

_ALIKE = (
    ("model", "the CPU is {}, the others are {}"),
    ("cores", "the CPU has {} cores, the others {}"),
    ("max_mhz", "the CPU reaches {} MHz, the others {}"),
)


def sockets_alike(alchemy: Part) -> list[Finding]:
    """Every socket holds the same CPU."""
    rule = "sockets-alike"
    cpus = alchemy["cpus"]
    if not cpus:
        return [Finding(rule, Verdict.UNKNOWN, "", "no CPU is listed")]
    empty = [parts.cpu(cpu) for cpu in cpus if not cpu["populated"]]
    are = "the socket is" if len(empty) == 1 else "these sockets are"
    found = [Finding(rule, Verdict.WARN, ", ".join(empty), f"{are} empty, others are populated")] if empty else []
    populated = [cpu for cpu in cpus if cpu["populated"]]
    for key, form in _ALIKE:
        expected = usual(cpu[key] for cpu in populated if key in cpu)
        found += [
            Finding(rule, Verdict.FAIL, parts.cpu(cpu), form.format(cpu[key], expected))
            for cpu in populated
            if cpu.get(key, expected) != expected
        ]
    return found


def running(alchemy: Part) -> list[Finding]:
    """Firmware and kernel run every core of every CPU."""
    rule = "cores-running"
    found = []
    for cpu in alchemy["cpus"]:
        if not cpu["populated"]:
            continue
        part = parts.cpu(cpu)
        cores, enabled = cpu.get("cores"), cpu.get("cores_enabled", cpu.get("cores"))
        if cpu.get("status", "enabled").startswith("disabled"):
            found.append(Finding(rule, Verdict.FAIL, part, f"the CPU is {cpu['status']}"))
        elif "package" in cpu and enabled and cpu.get("kernel_cores", enabled) < enabled:
            text = f"the kernel runs on {cpu['kernel_cores']} of its {enabled} cores"
            found.append(Finding(rule, Verdict.FAIL, part, text))
        elif cores and enabled < cores:
            text = f"the firmware enables {enabled} of its {cores} cores: see the BIOS setup"
            found.append(Finding(rule, Verdict.WARN, part, text))
    return found


def one_microcode(alchemy: Part) -> list[Finding]:
    """All CPUs run the same microcode."""
    rule = "one-microcode"
    populated = [cpu for cpu in alchemy["cpus"] if cpu["populated"]]
    known = [cpu for cpu in populated if "microcode" in cpu]
    if not known:
        return [Finding(rule, Verdict.UNKNOWN, "", "the kernel does not say which microcode the CPUs run")]
    expected = usual(cpu["microcode"] for cpu in known if "," not in cpu["microcode"])
    return [
        Finding(
            rule,
            Verdict.FAIL,
            parts.cpu(cpu),
            f"its threads run different microcode ({cpu['microcode']})"
            if "," in cpu["microcode"]
            else f"it runs microcode {cpu['microcode']}, the others {expected}",
        )
        for cpu in known
        if cpu["microcode"] != expected or "," in cpu["microcode"]
    ]
