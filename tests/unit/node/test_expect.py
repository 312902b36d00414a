from __future__ import annotations

from typing import Any

import pytest

from alchemy_node.expect import compare, file, learn, report
from alchemy_node.expect.compare import Comparison
from tests.unit.node.samples import GIB, broken, dimm, disk, good

WHEN = '[[machine]]\nwhen = {product = "SSG-*"}\n'


def compared(content: str, document: dict[str, Any]) -> Comparison:
    return compare.compare(document, file.parse("x.toml", content.encode()))


def differences(content: str, document: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    found = compared(content, document).differences
    return [(each.part, each.what, each.expected, each.found) for each in found]


@pytest.fixture
def learned() -> str:
    return learn.learn(good())


def test_the_machine_passes_against_what_was_learned_from_it(learned: str) -> None:
    comparison = compared(learned, good())
    assert (comparison.differences, comparison.status) == ((), 0)
    assert comparison.checks > 100
    assert "7E57" not in learned
    assert "TEST" not in learned


@pytest.mark.parametrize(
    ("path", "value", "difference"),
    [
        ("dimms.8", dimm("P2-DIMMC1", 0), ("DIMM slot P2-DIMMC1", "DIMM", "16 GiB HMA82GR7CJR8N-WM", "empty")),
        (
            "dimms.8.running_mts",
            2400,
            ("DIMM P2-DIMMC1, serial 7E570586", "running_mts", "2933", "2400"),
        ),
        ("pci.1.link.width", 4, ("slot 6, PCI 0000:3d:00.0, SAS3008", "width", "8", "4")),
        (
            "disks.1.firmware",
            "V8GNW400",
            ("disk sdb, bay Slot01, serial TEST0001", "firmware", "V8GNW460", "V8GNW400"),
        ),
        (
            "disks.1.model",
            "ST8000NM000A",
            ("disk sdb, bay Slot01, serial TEST0001", "model", "HGST HUS728T8TALE6L4", "ST8000NM000A"),
        ),
        (
            "disks.1",
            None,
            ("bay Slot01", "disk", "HGST HUS728T8TALE6L4 8 TB (8001563222016 bytes)", "empty"),
        ),
        (
            "disks.4",
            disk("sde", 4),
            ("disk sde, bay Slot04, serial TEST0004", "disk", "none", "HGST HUS728T8TALE6L4"),
        ),
        ("nics.1.firmware", "14.20.1", ("port eth1, slot 1, PCI 0000:d8:00.1", "firmware", "14.27.1016", "14.20.1")),
        (
            "nics.1.link",
            False,
            (
                "machine",
                "15b3:1015 mlx5_core 25000 ports linked",
                "2",
                "1 (not port eth1, slot 1, PCI 0000:d8:00.1)",
            ),
        ),
        ("firmware.version", "3.1", ("BIOS", "version", "3.4", "3.1")),
        ("cpus.1.microcode", "0x1", ("socket CPU2", "microcode", "0x5003103", "0x1")),
        ("memory.installed", 176 * GIB, ("memory", "installed", "192 GiB", "176 GiB")),
    ],
)
def test_a_machine_that_is_not_like_the_learned_one_fails_and_the_part_is_named(
    learned: str, path: str, value: Any, difference: tuple[str, str, str, str]
) -> None:
    document = good()
    if path == "disks.4":
        document["alchemy"]["disks"].append(value)
    else:
        document = broken(path, value)
    assert differences(learned, document) == [difference]
    assert compared(learned, document).status == 1


@pytest.mark.parametrize(
    ("path", "difference"),
    [
        ("bmc.firmware", ("BMC", "firmware", "1.71", "unknown")),
        ("bmc", ("BMC", "BMC", "known", "unknown")),
        ("dimms.8.running_mts", ("DIMM P2-DIMMC1, serial 7E570586", "running_mts", "2933", "unknown")),
    ],
)
def test_what_a_machine_does_not_say_is_not_proven(
    learned: str, path: str, difference: tuple[str, str, str, str]
) -> None:
    assert differences(learned, broken(path, None)) == [difference]
    assert compared(learned, broken(path, None)).status == 3


def test_a_failure_outweighs_what_is_unknown(learned: str) -> None:
    document = broken("bmc.firmware", None)
    document["alchemy"]["firmware"]["version"] = "3.1"
    assert compared(learned, document).status == 1


def test_disks_are_matched_in_any_order_and_without_bays(learned: str) -> None:
    document = good()
    document["alchemy"]["disks"].reverse()
    assert compared(learned, document).status == 0
    for each in document["alchemy"]["disks"]:
        del each["bay"]
    assert compared(learned, document).status == 0
    document["alchemy"]["disks"].pop()
    assert [each[1:] for each in differences(learned, document)] == [
        ("HGST HUS728T8TALE6L4 8 TB (8001563222016 bytes) sata yes disks", "4", "3")
    ]


def test_no_machine_of_the_file_matches() -> None:
    content = '[[machine]]\nwhen = {product = "PowerEdge R640"}\nfirmware = {version = "1"}\n'
    comparison = compared(content, good())
    assert (comparison.name, comparison.status) == (None, 3)
    text = report.report(comparison, file.parse("x", content.encode()), good()["alchemy"]["system"])
    assert text == (
        "UNKNOWN: no [[machine]] of the file matches Supermicro SSG-6029P-E1CR12L (it has: PowerEdge R640)\n"
    )


def test_the_first_machine_that_matches_counts() -> None:
    content = f'{WHEN}name = "storage"\nfirmware.version = "3.4"\n{WHEN}firmware.version = "9"\n'
    assert (compared(content, good()).name, compared(content, good()).status) == ("storage", 0)


def test_the_report_is_a_table_with_failures_first() -> None:
    content = f'{WHEN}bmc.ipmi = "2.0"\nfirmware.version = "3.5"\n'
    comparison = compared(content, good())
    assert report.report(comparison, (), {}) == (
        "FAIL: SSG-*: 1 of 2 checks do not hold, 1 cannot be told\n"
        "\n"
        "OPEN  WHAT     EXPECTED  FOUND\n"
        "BIOS  version  3.5       3.4\n"
        "BMC   ipmi     2.0       unknown\n"
    )
    assert report.report(compared(f'{WHEN}firmware.version = "3.4"\n', good()), (), {}) == (
        "PASS: SSG-*: all 1 checks hold\n"
    )


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('dimms = {count = ">= 12"}', True),
        ('dimms = {count = "> 12"}', False),
        ('dimms = {count = "8..12"}', True),
        ("dimms = {count = 11}", False),
        ('dimms = {size = "16 GiB"}', True),
        ('dimms = {size = ">= 16 GiB"}', True),
        ('dimms = {size = "< 16 GiB"}', False),
        ("dimms = {size = 17179869184}", True),
        ('disks = {size = "8 TB"}', True),
        ('disks = {size = "7.2 TB"}', False),
        ("disks = {size = 8000000000000}", False),
        ('disks = {model = ["ST*", "HGST ?US*L4"]}', True),
        ('disks = {model = "hgst*"}', False),
        ("dimms = {ecc = true}", True),
        ("dimms = {ecc = false}", False),
        ('nics = {device = "15b3:*", linked = "<= 1"}', False),
        ('cpus = {model = "*Silver 4214*", threads = 24}', True),
        ('pci = {class = "0107*", speed = 8}', True),
    ],
)
def test_the_forms_of_a_condition(condition: str, holds: bool) -> None:
    assert (compared(f"{WHEN}{condition}\n", good()).status == 0) is holds


def test_a_pattern_costs_no_time() -> None:
    content = f'{WHEN}firmware.version = "{"*3" * 120}"\n'
    assert compared(content, broken("firmware.version", "3" * 119)).status == 1
    assert compared(content, broken("firmware.version", "3" * 120)).status == 0


@pytest.mark.parametrize("text", ['a"b\\c', "[x]*?", "Ünïcode", "a\x7fb", "#", "'''"])
def test_what_is_learned_can_be_read_whatever_the_machine_says(text: str) -> None:
    document = good()
    for each in document["alchemy"]["disks"]:
        each["model"] = text
    document["alchemy"]["system"]["product"] = text
    assert compared(learn.learn(document), document).status == 0


def test_a_machine_of_many_kinds_can_be_learned() -> None:
    document = good()
    alchemy = document["alchemy"]
    alchemy["dimms"][0]["part"] = "M393A2K43DB2-CVF"
    alchemy["dimms"][1] = dimm("P1-DIMMB1", 32 * GIB, running_mts=2666)
    alchemy["disks"][0]["firmware"] = "V8GNW470"
    del alchemy["disks"][1]["bay"]
    alchemy["nics"][1] |= {"link": False}
    del alchemy["nics"][1]["speed_mbps"]
    alchemy["bmc"], alchemy["cpus"][0]["max_mhz"] = {}, 4000
    learned = learn.learn(document)
    assert 'firmware = ["V8GNW470", "V8GNW460"]' in learned
    assert compared(learned, document).status == 0
    assert compared(learned, good()).status == 1


def test_of_a_machine_without_a_name_nothing_is_learned() -> None:
    with pytest.raises(learn.LearnError, match="no product name"):
        learn.learn(broken("system", {}))


def test_a_pattern_does_nothing_to_the_console() -> None:
    comparison = compared(f'{WHEN}firmware.version = "\\u001b[2J3"\ndimms.slots = ["A\\u0007"]\n', good())
    text = report.report(comparison, (), {})
    assert "?[2J3" in text
    assert "A?" in text
    assert text.replace("\n", "").isprintable()


def test_all_dimms_of_one_table_that_are_missing_are_named() -> None:
    document = good()
    document["alchemy"]["dimms"] = [
        dimm(each["locator"], 0 if each["locator"][1] == "2" else 16 * GIB) for each in document["alchemy"]["dimms"]
    ]
    content = f"{WHEN}[[machine.dimms]]\nslots = {[f'P1-DIMM{channel}1' for channel in 'ABCDEF']}\n"
    content += "[[machine.dimms]]\nslots = ['P2-DIMMA1', 'P2-DIMMB1']\n"
    assert differences(content, document) == [
        ("DIMM slot P2-DIMMA1", "DIMM", "one", "empty"),
        ("DIMM slot P2-DIMMB1", "DIMM", "one", "empty"),
    ]
