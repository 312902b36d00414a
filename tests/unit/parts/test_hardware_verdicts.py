"""Which driver a function gets, and what is said about it."""

from __future__ import annotations

import pytest

from alchemy.errors import UserError
from alchemy.parts.hardware import kernel, verdicts
from alchemy.parts.hardware.dumps import Dump
from alchemy.parts.hardware.functions import Function, of_modalias
from alchemy.parts.hardware.kernel import Kernel
from alchemy.parts.hardware.verdicts import Image

ALIASES = """\
# kernel 6.12.118-alchemy-1.2
# driver igb IGB
# driver nvme BLK_DEV_NVME
# firmware bnx2 bnx2/bnx2-mips-09-6.2.1b.fw
# firmware bnx2 bnx2/bnx2-rv2p-09-6.0.17.fw
alias pci:v00008086d00001533sv*sd*bc*sc*i* igb
alias pci:v000014E4d00001639sv*sd*bc*sc*i* bnx2
alias pci:v*d*sv*sd*bc01sc08i02* nvme
alias pci:v0000144Dd0000A80Asv*sd*bc*sc*i* nvme
alias pci:v*d*sv*sd*bc01sc06i01* ahci
alias pci:v*d*sv*sd*bc01sc01i* ata_generic
alias pci:v00008086d*sv*sd*bc01sc01i* ata_generic
alias pci:v00001106d00000571sv*sd*bc*sc*i* ata_generic
alias pci:v00009005d0000028Fsv0000103Csd00000600bc*sc*i* smartpqi
alias pci:v00001000d0000005Dsv*sd*bc*sc*i* megaraid_sas
alias pci:v00001000d0000005Dsv*sd*bc*sc*i* another
alias pci:v00001000d00000097sv*sd*bc*sc*i* mpt3sas
alias usb:v*p*d*dc*dsc*dp*ic02isc0Cip07in* cdc_eem
alias usb:v0BDAp8152d*dc02dsc*dp*ic*isc*ip*in* r8152
alias acpi*:IPI0001:* ipmi_si
"""

KERNEL = kernel.parse(ALIASES, "modules.alias")


def alias(vendor: str, device: str, of_class: str, subsystem: str = "sv*sd*") -> str:
    return f"pci:v0000{vendor}d0000{device}{subsystem}bc{of_class[:2]}sc{of_class[2:4]}i{of_class[4:]}"


def function(modalias: str, driver: str | None = None) -> Function:
    found = of_modalias(modalias, address="0000:01:00.0", name="a name", driver=driver)
    assert found is not None
    return found


DRIVEN = {
    "by its ids": (alias("8086", "1533", "020000"), "igb"),
    "by its class": (alias("8086", "A182", "010601"), "ahci"),
    "by its class, without the interface": (alias("8086", "A182", "0106*"), "ahci"),
    "by its class, with another interface": (alias("8086", "A182", "010600"), None),
    "by its ids and its class": (alias("144D", "A80A", "010802"), "nvme"),
    "by its subsystem": (alias("9005", "028F", "010700", "sv0000103Csd00000600"), "smartpqi"),
    "by a subsystem that the dump does not give": (alias("9005", "028F", "010700"), "smartpqi"),
    "not with another subsystem": (alias("9005", "028F", "010700", "sv0000103Csd00000601"), None),
    "by a driver for single devices": (alias("1106", "0571", "01018A"), "ata_generic"),
    "not by a driver that has to be asked for": (alias("1002", "439C", "01018A"), None),
    "not by that of Intel's either": (alias("8086", "3A20", "01018A"), None),
    "not at all": (alias("8086", "57AE", "020000"), None),
    "on USB": ("usb:v03F0p2927d0000dc00dsc00dp00ic02isc0Cip07in00", "cdc_eem"),
    "not on USB": ("usb:v03F0p2927d0000dc00dsc00dp00ic02isc0Dip00in00", None),
}


@pytest.mark.parametrize("case", DRIVEN)
def test_a_function_is_driven(case: str) -> None:
    modalias, driver = DRIVEN[case]
    assert KERNEL.driver(function(modalias)) == driver


@pytest.mark.parametrize(
    ("bound", "driver"),
    [("another", "another"), ("megaraid_sas", "megaraid_sas"), ("vfio-pci", "megaraid_sas"), (None, "megaraid_sas")],
)
def test_of_two_drivers_it_is_the_one_bound_in_the_dump(bound: str | None, driver: str) -> None:
    assert KERNEL.driver(function(alias("1000", "005D", "010400"), bound)) == driver


@pytest.mark.parametrize(("bound", "driver"), [("igb", "igb"), ("mpt2sas", "mpt3sas"), ("iwlwifi", None), (None, None)])
def test_a_function_without_ids_is_driven_by_the_driver_that_the_dump_names(
    bound: str | None, driver: str | None
) -> None:
    assert KERNEL.driver(Function("0000:01:00.0", (None,) * 7, "a name", bound, "NIC")) == driver


def test_a_class_is_enough_for_a_function_without_ids() -> None:
    assert KERNEL.driver(Function("", (None, None, None, None, 0x01, 0x06, 0x01))) == "ahci"


ROLES = {
    "020000": "NIC", "020700": "NIC", "020800": "NIC", "0C0600": "NIC",
    "010802": "storage", "010601": "storage", "010400": "storage", "0C0400": "storage",
    "0C0701": "BMC", "030000": "other", "060000": "other",
}  # fmt: skip


@pytest.mark.parametrize("of_class", ROLES)
def test_the_class_decides_what_a_function_is(of_class: str) -> None:
    assert function(alias("8086", "0001", of_class)).role == ROLES[of_class]


def test_an_ilo_is_a_bmc_and_a_virtual_function_is_no_nic() -> None:
    assert function(alias("103C", "3307", "088000")).role == "BMC"
    virtual = of_modalias(alias("8086", "154C", "020000"), name="Ethernet Virtual Function 700 Series")
    assert virtual is not None
    assert virtual.role == "other"
    assert function(alias("8086", "1520", "020000")).role == "other"


MORE = kernel.parse("# driver qla2xxx SCSI_QLA_FC\nalias pci:v00001077d00002281sv*sd*bc*sc*i* qla2xxx\n", "f")
LATER = kernel.parse("alias pci:v00008086d000057AEsv*sd*bc*sc*i* ixgbe\n", "l")
IMAGE = Image(KERNEL, ["bnx2/bnx2-rv2p-09-6.0.17.fw"], [("kernel_fragments: [fc]", MORE), ("Linux 6.18", LATER)])

LINES = {
    alias("8086", "1533", "020000"): "8086:1533  NIC      igb (CONFIG_IGB)",
    alias("14E4", "1639", "020000"): "14e4:1639  NIC      bnx2, firmware missing: bnx2/bnx2-rv2p-09-6.0.17.fw",
    alias("1077", "2281", "0C0400"):
        "1077:2281  storage  not driven: qla2xxx (CONFIG_SCSI_QLA_FC) is in kernel_fragments: [fc]",
    alias("8086", "57AE", "020000"): "8086:57ae  NIC      not driven: ixgbe is in Linux 6.18",
    alias("17DB", "0501", "020000"): "17db:0501  NIC      not driven: no known driver; see kernels/README.md",
    alias("8086", "2020", "060000"): "8086:2020  other    not driven",
}  # fmt: skip


@pytest.mark.parametrize("modalias", LINES)
def test_a_line_says_what_drives_a_function_or_would(modalias: str) -> None:
    line = verdicts.judge(function(modalias), IMAGE).text
    assert line.startswith(f"0000:01:00.0  {LINES[modalias]} ")
    assert line.endswith("  a name")


PORT = alias("15B3", "101B", "020700")
PORT_ALIAS = "alias pci:v000015B3d0000101Bsv*sd*bc*sc*i* mlx5_core\n"
IB = kernel.parse(f"# driver mlx5_ib MLX5_INFINIBAND\n{PORT_ALIAS}", "ib")


@pytest.mark.parametrize(
    ("aliases", "elsewhere", "said"),
    [
        (PORT_ALIAS, [("kernel_fragments: [ib]", IB)], "mlx5_ib is in kernel_fragments: [ib]"),
        (PORT_ALIAS, [], "mlx5_ib is not in the image"),
        (f"# driver mlx5_ib MLX5_INFINIBAND\n{PORT_ALIAS}", [("kernel_fragments: [ib]", IB)], ""),
    ],
)
def test_an_infiniband_port_that_is_only_bound_says_what_it_lacks(
    aliases: str, elsewhere: list[tuple[str, Kernel]], said: str
) -> None:
    image = Image(kernel.parse(aliases, "modules.alias"), elsewhere=elsewhere)
    verdict = verdicts.judge(function(PORT), image)
    assert (verdict.driver, verdict.no_interface, verdict.fails) == ("mlx5_core", said, False)
    assert (f"mlx5_core, no interface: {said}" in verdict.text) == bool(said)
    assert not verdicts.judge(function(alias("15B3", "101B", "020000")), image).no_interface


def test_a_function_without_ids_and_driver_is_not_said_to_be_driven() -> None:
    verdict = verdicts.judge(Function("", (None,) * 7, kind="NIC"), IMAGE)
    assert verdict.fails
    assert (
        "not driven: the dump has no ids, and names no driver of the image (lshw -numeric prints ids)" in verdict.text
    )


def test_a_report_begins_with_what_matters_and_ends_with_a_summary() -> None:
    found = [function(name) for name in (alias("8086", "2020", "060000"), *LINES)]
    report = verdicts.report(Dump("server", "modalias", tuple(found)), IMAGE)
    lines = report.text.splitlines()
    assert lines[0] == "server (modalias)"
    assert [verdict.function.role for verdict in report.verdicts] == ["NIC"] * 4 + ["storage"] + ["other"] * 2
    assert lines[-1] == "  2 of 4 NICs driven, 0 of 1 storage controllers driven, 0 of 2 other functions driven"
    assert [verdict.function.identity for verdict in report.failing] == ["8086:57ae", "17db:0501", "1077:2281"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "modules.alias: names no PCI device"),
        ("alias usb:v*p*d*dc*dsc*dp*ic02isc0Cip07in* cdc_eem\n", "modules.alias: names no PCI device"),
        ("alias pci:v*d*sv*sd*bc01sc08i02* nvme\nbroken\n", "modules.alias:2: not a line of a modules.alias"),
    ],
)
def test_what_is_no_list_of_aliases_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserError) as failed:
        kernel.parse(text, "modules.alias")
    assert failed.value.message == message


def test_a_kernel_of_some_drivers_drives_nothing_else() -> None:
    some = KERNEL.only({"nvme"})
    assert some.driver(function(alias("144D", "A80A", "010802"))) == "nvme"
    assert some.driver(function(alias("8086", "1533", "020000"))) is None
    assert isinstance(some, Kernel)
