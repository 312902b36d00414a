"""Sample what the kernel counts: memory errors, machine checks, throttling, PCIe, network, sensors.

All of it is read from files, so that a sample takes milliseconds and waits for no device.
"""

from __future__ import annotations

import re
from itertools import takewhile
from posixpath import basename, dirname

from alchemy_node.burnin.sample import MOST, Key, Sample
from alchemy_node.machine import Machine

_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_MACHINE_CHECK_TAINT = 1 << 4

# Documentation/ABI/testing/sysfs-class-net-statistics: counters of frames that arrived broken
_NETWORK_ERRORS = (
    "rx_crc_errors",
    "rx_frame_errors",
    "rx_length_errors",
    "rx_errors",
    "tx_errors",
    "tx_carrier_errors",
    "collisions",
)
_NETWORK_DROPS = ("rx_dropped", "tx_dropped", "rx_missed_errors", "rx_fifo_errors")

# the columns of /proc/interrupts that tell of broken hardware, and what this module calls them
_INTERRUPTS = {"MCE": "machine_checks", "THR": "thresholds", "DFR": "deferred", "TRM": "thermal_interrupts"}

# Documentation/ABI/testing/sysfs-bus-pci-devices-aer_stats: of a device; of all below a root port
_AER = {"correctable": "cor", "nonfatal": "nonfatal", "fatal": "fatal"}

# files of hwmon: milli-degrees, RPM, milliwatts or microwatts
_SENSORS = (
    ("temp*_input", "temperature", 1000, "C"),
    ("fan*_input", "fan", 1, "rpm"),
    ("power*_input", "power", 1e6, "W"),
)


def sample(machine: Machine) -> Sample:
    """Returns a sample of everything that can be read from files."""
    whole = Sample()
    for source in (_memory, _processors, _pcie, _network, _sensors):
        whole |= source(machine)
    return whole


def number(text: str | None) -> int | None:
    """Parses the decimal number that a file of sysfs holds; None for all else."""
    text = (text or "").strip()
    return int(text) if re.fullmatch(r"-?[0-9]{1,20}", text) else None


def interfaces(machine: Machine) -> list[str]:
    """Returns the network interfaces that are hardware."""
    return [basename(dirname(device)) for device in machine.glob("/sys/class/net/*/device")[:MOST]]


def _memory(machine: Machine) -> Sample:
    """EDAC: Documentation/admin-guide/ras.rst."""
    counters: dict[Key, int] = {}
    controllers = machine.glob("/sys/devices/system/edac/mc/mc[0-9]*")[:MOST]
    for controller in controllers:
        for dimm in machine.glob(f"{controller}/dimm[0-9]*") or machine.glob(f"{controller}/rank[0-9]*"):
            label = (machine.read(f"{dimm}/dimm_label") or "").strip()
            name = label or f"{basename(controller)}/{basename(dimm)}"
            for file, counter in (("dimm_ce_count", "corrected"), ("dimm_ue_count", "uncorrected")):
                _count(counters, Key("dimm", name, counter), number(machine.read(f"{dimm}/{file}")))
        for file, counter in (("ce_noinfo_count", "corrected"), ("ue_noinfo_count", "uncorrected")):
            _count(counters, Key("dimm", "", counter), number(machine.read(f"{controller}/{file}")))
    return Sample(counters, missing={} if controllers else {"edac": "no EDAC driver is bound"})


def _count(counters: dict[Key, int], key: Key, value: int | None) -> None:
    """Adds a value: several DIMMs may have the same label."""
    if value is not None and value >= 0:
        counters[key] = counters.get(key, 0) + value


def _processors(machine: Machine) -> Sample:
    counters: dict[Key, int] = {}
    readings: dict[Key, float] = {}
    for line in (machine.read("/proc/interrupts", 4 << 20) or "").splitlines():
        name, _, rest = line.strip().partition(":")
        if name in _INTERRUPTS:
            counts = [int(word) for word in rest.split() if word.isdecimal() and len(word) < 20]
            counters[Key("board", "", _INTERRUPTS[name])] = sum(counts)
    taint = number(machine.read("/proc/sys/kernel/tainted"))
    if taint is not None:
        counters[Key("board", "", "machine_check_taint")] = int(bool(taint & _MACHINE_CHECK_TAINT))
    clocks: dict[str, list[float]] = {}
    for cpu in machine.glob("/sys/devices/system/cpu/cpu[0-9]*")[:MOST]:
        package = str(number(machine.read(f"{cpu}/topology/physical_package_id")) or 0)
        key = Key("cpu", package, "throttled")
        for file in ("core", "package"):
            value = number(machine.read(f"{cpu}/thermal_throttle/{file}_throttle_count"))
            if value is not None:
                # each CPU of a package repeats the package's count
                counters[key] = max(counters.get(key, 0), value)
        clock = number(machine.read(f"{cpu}/cpufreq/scaling_cur_freq"))
        if clock is not None:
            clocks.setdefault(package, []).append(clock / 1000)
    for package, values in clocks.items():
        readings[Key("cpu", package, "clock MHz")] = round(sum(values) / len(values))
    return Sample(counters, readings=readings)


def _pcie(machine: Machine) -> Sample:
    counters: dict[Key, int] = {}
    states: dict[Key, str] = {}
    for device in machine.glob("/sys/bus/pci/devices/*")[:MOST]:
        address = basename(device)
        if _ADDRESS.fullmatch(address) is None:
            continue
        for severity, short in _AER.items():
            own = _total(machine.read(f"{device}/aer_dev_{severity}"))
            if own is not None:
                counters[Key("pci", address, severity)] = own
            below = number(machine.read(f"{device}/aer_rootport_total_err_{short}"))
            if below is not None:
                counters[Key("pci", address, f"below_{severity}")] = below
        states |= _link(machine, device, address)
    return Sample(counters, states, missing={} if counters else {"aer": "no device counts PCIe errors (AER)"})


def _total(text: str | None) -> int | None:
    """Returns the last line's number of a file of AER: TOTAL_ERR_COR 3."""
    found = re.search(r"^TOTAL_ERR_\w+ ([0-9]{1,19})$", text or "", re.MULTILINE)
    return int(found[1]) if found else None


def _link(machine: Machine, device: str, address: str) -> dict[Key, str]:
    """Returns a link's speed and width, each as `current of expected`: the lesser maximum of its two ends."""
    end = machine.link(device) or ""
    port = dirname(end)
    states: dict[Key, str] = {}
    if not _has_link_above(end):
        return states
    for name in ("speed", "width"):
        now = _amount(machine.read(f"{device}/current_link_{name}"))
        most = [_amount(machine.read(f"{place}/max_link_{name}")) for place in (device, port)]
        if now and all(most):
            states[Key("pci", address, f"link_{name}")] = f"{now:g} of {min(m for m in most if m):g}"
    if states:
        states[Key("pci", address, "class")] = (machine.read(f"{device}/class") or "").strip()[:8]
    return states


def _has_link_above(path: str) -> bool:
    """Tells whether the link of a function is the one to the port above it.

    Along a path the two ends of each link alternate: root port, card; or root port, upper port of a switch, lower port
    of the switch, card. The link of a lower port is the one to the card, whose width is the card's.
    """
    chain = list(takewhile(_ADDRESS.fullmatch, reversed(path.split("/"))))
    return len(chain) % 2 == 0 and len(chain) > 0


def _amount(text: str | None) -> float | None:
    """Parses `16.0 GT/s PCIe` or `8`; None for `Unknown`, and for the 0 and 255 of a function without a link."""
    found = re.match(r"([0-9]{1,3}(?:\.[0-9])?)(?: GT/s.*)?$", (text or "").strip())
    value = float(found[1]) if found else 0
    return value if 0 < value < 255 else None


def _network(machine: Machine) -> Sample:
    counters: dict[Key, int] = {}
    states: dict[Key, str] = {}
    for name in interfaces(machine):
        folder = f"/sys/class/net/{name}"
        statistics = {
            file: number(machine.read(f"{folder}/statistics/{file}")) for file in _NETWORK_ERRORS + _NETWORK_DROPS
        }
        for counter, files in (("errors", _NETWORK_ERRORS), ("drops", _NETWORK_DROPS)):
            counters[Key("nic", name, counter)] = sum(statistics[file] or 0 for file in files)
        flaps = number(machine.read(f"{folder}/carrier_down_count"))
        if flaps is not None:
            counters[Key("nic", name, "flaps")] = flaps
        states[Key("nic", name, "link")] = "up" if number(machine.read(f"{folder}/carrier")) else "down"
        speed = number(machine.read(f"{folder}/speed"))
        if speed is not None and speed > 0:
            states[Key("nic", name, "speed")] = str(speed)
    return Sample(counters, states)


def _sensors(machine: Machine) -> Sample:
    readings: dict[Key, float] = {}
    for chip in machine.glob("/sys/class/hwmon/hwmon*")[:MOST]:
        name = (machine.read(f"{chip}/name") or "").strip() or basename(chip)
        device = basename(machine.link(f"{chip}/device") or "")
        for pattern, word, divisor, unit in _SENSORS:
            for file in machine.glob(f"{chip}/{pattern}"):
                value = number(machine.read(file))
                label = (machine.read(file.removesuffix("_input") + "_label") or "").strip()
                if value is not None:
                    sensor = f"{word} {label or basename(file).removesuffix('_input')} {unit}"
                    readings[Key("sensor", f"{name} {device}".strip(), sensor)] = value / divisor
    return Sample(readings=readings)
