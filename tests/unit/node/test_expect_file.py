"""Invalid expectations files: every problem has a message, and all are told at once."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from alchemy_node import judging, web
from alchemy_node.expect import file, sections
from tests import repository

JUDGING = "chroot/node/alchemy_node/judging"

WHEN = '[[machine]]\nwhen = {product = "SSG-*"}\n'


def errors(content: str | bytes) -> list[str]:
    with pytest.raises(file.ExpectationsError) as error:
        file.parse("x.toml", content if isinstance(content, bytes) else content.encode())
    return str(error.value).splitlines()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "x.toml: machine: missing (expected one [[machine]] table or more)"),
        ("machine = 3", "x.toml: machine: missing (expected one [[machine]] table or more)"),
        ("machine = [3]", "x.toml: machine 1: expected a table, got 3"),
        (f"machnie = 1\n{WHEN}bmc.ipmi = '2.0'", "x.toml: machnie: unknown key (nearest: machine)"),
        (
            "[[machine]]\nbmc.ipmi = '2.0'",
            'x.toml: machine 1: when: missing (expected a table like { product = "PowerEdge R640" })',
        ),
        ("[[machine]]\nwhen = {}\nbmc.ipmi = '2.0'", "x.toml: machine 1: when: expected a table, got {}"),
        (
            "[[machine]]\nwhen = {modle = 'x'}\nbmc.ipmi = '2.0'",
            "x.toml: machine 1: when: modle: unknown key "
            "(expected manufacturer, product, version, sku, family, serial, board)",
        ),
        (WHEN, "x.toml: machine 1: nothing is expected of it (expected a table like [machine.dimms])"),
        (f"{WHEN}dims.count = 1", "x.toml: machine 1: dims: unknown key (nearest: dimms)"),
        (f"{WHEN}dimms.cout = 1", "x.toml: machine 1: dimms: cout: unknown key (nearest: count)"),
        (f"{WHEN}dimms.bays = ['1']", "x.toml: machine 1: dimms: bays: unknown key (expected count, slots, type, "),
        (f"{WHEN}nics.linkd = 1", "x.toml: machine 1: nics: linkd: unknown key (nearest: linked)"),
        (
            f"{WHEN}[[machine.disks]]\ncount = 1\n[[machine.disks]]\nfirmwear = '1'",
            "x.toml: machine 1: disks 2: firmwear: unknown key (nearest: firmware)",
        ),
        (f"{WHEN}disks = 4", "x.toml: machine 1: disks: expected a table, got 4"),
        (f"{WHEN}disks = [4]", "x.toml: machine 1: disks 1: expected a table, got 4"),
        (f"{WHEN}bmc = 'x'", "x.toml: machine 1: bmc: expected a table, got 'x'"),
        (
            f"{WHEN}dimms.count = -1",
            'x.toml: machine 1: dimms: count: expected a number, or a comparison like ">= 8" or "8..16", got -1',
        ),
        (
            f"{WHEN}dimms.count = true",
            'x.toml: machine 1: dimms: count: expected a number, or a comparison like ">= 8" or "8..16", got True',
        ),
        (
            f"{WHEN}dimms.count = '16..8'",
            'x.toml: machine 1: dimms: count: expected a number, or a comparison like ">= 8" or "8..16", got \'16..8\'',
        ),
        (
            f"{WHEN}dimms.count = nan",
            'x.toml: machine 1: dimms: count: expected a number, or a comparison like ">= 8" or "8..16", got nan',
        ),
        (
            f"{WHEN}dimms.size = '16 Gib'",
            'x.toml: machine 1: dimms: size: expected bytes, or a size like "16 GiB" or ">= 1.9 TB", got \'16 Gib\'',
        ),
        (f"{WHEN}dimms.ecc = 'yes'", "x.toml: machine 1: dimms: ecc: expected true or false, got 'yes'"),
        (f"{WHEN}bmc.ipmi = 2.0", "x.toml: machine 1: bmc: ipmi: expected a text or a list of texts, got 2.0"),
        (f"{WHEN}bmc.ipmi = []", "x.toml: machine 1: bmc: ipmi: expected a text or a list of texts, got []"),
        (f"{WHEN}bmc.ipmi = ''", "x.toml: machine 1: bmc: ipmi: expected a text or a list of texts, got ''"),
        (f"{WHEN}dimms.slots = 'A1'", "x.toml: machine 1: dimms: slots: expected a list of names, got 'A1'"),
        (f"{WHEN}dimms.slots = ['A1', 'A1']", "x.toml: machine 1: dimms: slots: duplicate 'A1'"),
        (
            f"{WHEN}dimms = {{slots = ['A1'], count = 2}}",
            "x.toml: machine 1: dimms: count: slots says how many (expected one of both)",
        ),
        (f"{WHEN}name = 4\nbmc.ipmi = '2'", "x.toml: machine 1: name: expected a text of one line, got 4"),
        (f'{WHEN}"\\u001b[2J" = 4\nbmc.ipmi = "2"', "x.toml: machine 1: '\\x1b[2J': unknown key"),
        ("a = 1\na = 2", "x.toml: not TOML: Cannot overwrite a value (at end of document)"),
        ("a = ", "x.toml: not TOML: Invalid value (at end of document)"),
        (b"\xff", "x.toml: not UTF-8 (byte 0)"),
        (b"#" * (web.SMALL + 1), "x.toml: too large (expected at most 1048576 bytes)"),
        ("a = " + "[" * 100_000, "x.toml: not TOML: maximum recursion depth exceeded"),
    ],
)
def test_one_problem_is_one_message(content: str | bytes, message: str) -> None:
    [line] = errors(content)
    assert line.startswith(message)
    assert line.isprintable()


def test_all_problems_are_told_at_once() -> None:
    content = f"{WHEN}dimms.cout = 1\ndisks = {{firmware = 1, size = 'big'}}\n[[machine]]\nbmc.ipmi = 2\n"
    assert [re.sub(r": (expected|missing|unknown).*", "", line) for line in errors(content)] == [
        "x.toml: machine 1: dimms: cout",
        "x.toml: machine 1: disks: size",
        "x.toml: machine 1: disks: firmware",
        "x.toml: machine 2: when",
        "x.toml: machine 2: bmc: ipmi",
    ]


def test_of_very_many_problems_the_first_are_told() -> None:
    lines = errors(WHEN + "bmc.ipmi = '2'\n" + "\n".join(f"zzz{number} = 1" for number in range(60)))
    assert len(lines) == 51
    assert lines[-1] == "x.toml: 10 more errors"


def test_a_file_is_read_and_a_url_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = f'{WHEN}bmc.ipmi = "2.0"\n'.encode()
    (tmp_path / "x.toml").write_bytes(content)
    [machine] = file.load(str(tmp_path / "x.toml"))
    assert machine.name == "SSG-*"
    asked = []

    def fetch(url: str, *, sha256: str) -> bytes:
        asked.append((url, sha256))
        return content

    monkeypatch.setattr(web, "fetch", fetch)
    assert [machine.name for machine in file.load("https://h/x.toml", "0" * 64)] == ["SSG-*"]
    assert asked == [("https://h/x.toml", "0" * 64)]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("missing.toml", "missing.toml: cannot be read: No such file or directory"),
        (".", ".: cannot be read: Is a directory"),
        ("a\0b", "a?b: cannot be read: not the name of a file"),
    ],
)
def test_a_file_that_cannot_be_read_has_a_message(source: str, message: str) -> None:
    with pytest.raises(file.ExpectationsError) as error:
        file.load(source)
    assert str(error.value) == message


def test_the_digest_of_a_file_is_compared_too(tmp_path: Path) -> None:
    content = f'{WHEN}bmc.ipmi = "2.0"\n'.encode()
    (tmp_path / "x.toml").write_bytes(content)
    assert file.load(str(tmp_path / "x.toml"), hashlib.sha256(content).hexdigest().upper())
    with pytest.raises(file.ExpectationsError, match=r"x\.toml: digest mismatch \(expected SHA-256 0{64}, got "):
        file.load(str(tmp_path / "x.toml"), "0" * 64)


def test_every_section_and_key_is_documented() -> None:
    lines = (repository.ROOT / "docs/expectations.md").read_text(encoding="utf-8").splitlines()
    for name, section in {**sections.SINGLE, **sections.MANY}.items():
        [row] = [line for line in lines if line.startswith("| `") and f"`{name}`" in line.split("|")[1]]
        known = {*section.selecting, *section.checked, *section.counted}
        known |= set() if section.single else {"count"}
        known |= {section.places.key} if section.places else set()
        assert set(re.findall(r"`(\w+)`", "|".join(row.split("|")[2:]))) == known
    [row] = [line for line in lines if line.startswith("`when` takes")]
    assert set(re.findall(r"`(\w+)`", row)) == {"when", *sections.WHEN}


def test_the_documented_file_is_one() -> None:
    text = (repository.ROOT / "docs/expectations.md").read_text(encoding="utf-8")
    [machine] = file.parse("x", re.findall(r"```toml\n(.*?)```", text, re.DOTALL)[0].encode())
    assert machine.name == "storage, 12 bays"


def test_every_rule_is_documented() -> None:
    text = (repository.ROOT / "docs/expectations.md").read_text(encoding="utf-8")
    sources = [path.read_text(encoding="utf-8") for path in (repository.ROOT / JUDGING).glob("*.py")]
    rules = {rule for source in sources for rule in re.findall(r'rule = "([a-z-]+)"', source)}
    assert {*re.findall(r"^\| ([a-z]+(?:-[a-z]+)*) \|", text, re.MULTILINE)} >= rules
    assert len(rules) == len(judging.RULES)
