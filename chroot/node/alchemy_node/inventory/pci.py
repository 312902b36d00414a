"""PCI: every function, its link and the port above it, its errors; GPUs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from alchemy_node.inventory.facts import Found, Json, Unknown, number, present, reason
from alchemy_node.machine import Machine

DEVICES = "/sys/bus/pci/devices"
_NAMES = ("lspci", "-Dvmmnn")
_SECONDS = 5.0
_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")

# Display controllers and processing accelerators.
_GPU_CLASSES = ("03", "12")
# The graphics of BMCs (ASPEED, Matrox, Hisilicon) and of hypervisors (QEMU, Red Hat, VMware, Cirrus, VirtualBox).
_NO_GPU = {"1a03", "102b", "19e5", "1234", "1b36", "1af4", "15ad", "1013", "80ee"}


def collect(machine: Machine, slots: Sequence[Json]) -> Found[list[Json]]:
    """All functions in the order of their addresses; `slots` are DMI's."""
    addresses = [name for path in machine.glob(f"{DEVICES}/*") if _ADDRESS.fullmatch(name := path.rpartition("/")[2])]
    if not addresses:
        return Found([], (Unknown("pci", DEVICES, "absent or empty"),))
    output = machine.run(_NAMES, _SECONDS)
    names = _names(output.stdout)
    unknown = () if names else (Unknown("pci names", " ".join(_NAMES), reason(output)),)
    places = _places(machine, slots)
    return Found([_function(machine, address, names.get(address, {}), places) for address in addresses], unknown)


def gpus(machine: Machine, functions: Iterable[Json]) -> list[Json]:
    """The GPUs and accelerators among the functions."""
    return [
        present(
            address=function["address"],
            vendor=function.get("vendor_name", function["vendor"]),
            model=function.get("device_name", function["device"]),
            slot=function.get("slot"),
            driver=function.get("driver"),
            largest_bar=_largest_bar(machine.read(f"{DEVICES}/{function['address']}/resource")),
        )
        for function in functions
        if function["class"].startswith(_GPU_CLASSES) and function["vendor"] not in _NO_GPU
    ]


def address_of(path: str | None) -> str | None:
    """The PCI function that a device of sysfs belongs to, by its path: the last address in it."""
    found = _ADDRESS.findall(path or "")
    return found[-1] if found else None


def _function(machine: Machine, address: str, names: Json, places: Json) -> Json:
    folder = f"{DEVICES}/{address}"

    def read(name: str) -> str | None:
        return machine.read(f"{folder}/{name}", 4096)

    def identity(name: str, digits: int) -> str | None:
        value = number(read(name), 16)
        return None if value is None else f"{value:0{digits}x}"[-digits:]

    driver = machine.link(f"{folder}/driver")
    chain = _ADDRESS.findall(machine.link(folder) or "") or [address]
    return present(
        address=address,
        **{"class": identity("class", 6) or "000000"},
        vendor=identity("vendor", 4) or "ffff",
        device=identity("device", 4) or "ffff",
        subsystem_vendor=identity("subsystem_vendor", 4),
        subsystem_device=identity("subsystem_device", 4),
        revision=identity("revision", 2),
        class_name=names.get("Class"),
        vendor_name=names.get("Vendor"),
        device_name=names.get("Device"),
        driver=driver.rpartition("/")[2] if driver else None,
        slot=_slot(chain, places),
        numa_node=number(read("numa_node")),
        link=_link(machine, chain) or None,
        aer=_errors(read) or None,
    )


def _link(machine: Machine, chain: Sequence[str]) -> Json:
    """The link of the last function of a chain, with the maxima of the port above it."""
    address = chain[-1]

    def speed(function: str, name: str) -> float | None:
        found = re.match(
            r"([0-9]{1,4}(?:\.[0-9])?) GT/s", machine.read(f"{DEVICES}/{function}/{name}_link_speed") or ""
        )
        return float(found[1]) if found else None

    def width(function: str, name: str) -> int | None:
        lanes = number(machine.read(f"{DEVICES}/{function}/{name}_link_width"))
        # the kernel reads 0 for a link that is down, 63 or 255 for no PCI Express
        return lanes if lanes in (1, 2, 4, 8, 12, 16, 32) else None

    link = present(
        speed=speed(address, "current"),
        width=width(address, "current"),
        max_speed=speed(address, "max"),
        max_width=width(address, "max"),
    )
    if len(chain) < 2 or "max_width" not in link:
        return link
    port = chain[-2]
    return link | present(port=port, port_max_speed=speed(port, "max"), port_max_width=width(port, "max"))


def _errors(read: Callable[[str], str | None]) -> Json:
    """The counters of Advanced Error Reporting: each file ends in a line with the total."""
    totals = {}
    for name, label in (("correctable", "COR"), ("nonfatal", "NONFATAL"), ("fatal", "FATAL")):
        found = re.search(rf"^TOTAL_ERR_{label} ([0-9]{{1,18}})$", read(f"aer_dev_{name}") or "", re.MULTILINE)
        totals[name] = int(found[1]) if found else None
    return present(**totals)


def _places(machine: Machine, slots: Sequence[Json]) -> Json:
    """The names of slots by PCI address: DMI's are of functions, the kernel's of devices."""
    places: Json = {}
    for path in machine.glob("/sys/bus/pci/slots/*/address"):
        places[(machine.read(path) or "").strip()] = path.split("/")[-2]
    for slot in slots:
        address = slot.get("address")
        # Firmware writes this one, the host bridge, where it does not know.
        if address and address != "0000:00:00.0" and slot.get("in_use") is not False and "name" in slot:
            places[address] = slot["name"]
    return places


def _slot(chain: Sequence[str], places: Json) -> str | None:
    """The slot that a function or a bridge above it is in; DMI may name any function of a device."""
    for address in reversed(chain):
        device = address.rpartition(".")[0]
        for name in (address, f"{device}.0" if address == chain[-1] else None, device):
            if name in places:
                return str(places[name])
    return None


def _names(text: str) -> dict[str, Json]:
    """The names that `lspci -Dvmmnn` has: blocks of `Tag:\\tName [id]`; a name that it does not know is the tag."""
    names: dict[str, Json] = {}
    for block in text.split("\n\n"):
        pairs = dict(line.split(":\t", 1) for line in block.splitlines() if ":\t" in line)
        fields = {tag: re.sub(r" ?\[[0-9a-f]{4}\]$", "", name.strip()) for tag, name in pairs.items()}
        if "Slot" in fields:
            names[fields["Slot"]] = {tag: name for tag, name in fields.items() if name != tag}
    return names


def _largest_bar(text: str | None) -> int | None:
    """Of lines `START END FLAGS`, the first six are BARs."""
    sizes = []
    for line in (text or "").splitlines()[:6]:
        ends = [number(word, 16) for word in line.split()[:2]]
        if len(ends) == 2 and ends[0] is not None and ends[1]:
            sizes.append(ends[1] - ends[0] + 1)
    return max(sizes, default=0) or None
