"""The commands of docs/intake.md, run on a recorded machine."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest

from alchemy_node.intake import options, preflight
from alchemy_node.inventory import document
from alchemy_node.processes import Output, run
from tests import recorded, repository

TEXT = (repository.ROOT / "docs/intake.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```sh\n(jq .*?)```", TEXT, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where inventory.json is, and what NetBox answered to the interfaces."""
    if shutil.which("jq") is None:
        repository.skip_or_fail("jq is not installed")
    found = document.collect(recorded.named("dell-r7625-2023", tmp_path / "machine"))
    (tmp_path / "inventory.json").write_text(json.dumps(found), encoding="utf-8")
    made = [{"id": number, "name": nic["name"]} for number, nic in enumerate(found["alchemy"]["nics"], 100)]
    (tmp_path / "interfaces.json").write_text(json.dumps(made), encoding="utf-8")
    return tmp_path


def _run(folder: Path, command: str) -> Output:
    return run(["sh", "-c", f"cd {folder}; NAME=node7; {command}"])


@pytest.mark.usefixtures("real_processes")
def test_the_payloads_for_netbox(folder: Path) -> None:
    device, interfaces, macs, items = [json.loads(_run(folder, command).stdout) for command in COMMANDS[:4]]
    assert device["serial"] == "TEST000001"
    assert interfaces[0] == {
        "device": {"name": "node7"},
        "name": "eth0",
        "type": "other",
        "enabled": True,
        "speed": 25_000_000,
    }
    assert macs[1] == {
        "mac_address": "02:00:00:00:0c:31",
        "assigned_object_type": "dcim.interface",
        "assigned_object_id": 101,
    }
    assert items[0] == {
        "device": {"name": "node7"},
        "name": "DIMM A1",
        "part_id": "HMCG94AEBRA109N",
        "serial": "7E570001",
        "discovered": True,
    }
    assert items[-1]["name"].startswith("disk ")
    cables = _run(folder, COMMANDS[4]).stdout.splitlines()
    assert cables[0].split("\t") == ["eth0", "sw1.example", "Ethernet21"]


def test_the_file_of_the_image(tmp_path: Path) -> None:
    block = re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert block is not None
    text = re.sub(r"^# ", "", block[1], flags=re.MULTILINE)
    assert set(tomllib.loads(text)) <= set(options.KEYS)
    password = tmp_path / "password"
    password.write_text("x\n", encoding="utf-8")
    file = tmp_path / "intake.toml"
    file.write_text(text.replace("/etc/alchemy/collins.password", str(password)), encoding="utf-8")
    assert options.read(["--config", str(file)]).collins == "http://collins.example:9000"


@pytest.mark.parametrize("name", preflight.ALLOWANCES)
def test_each_allowance_is_explained(name: str) -> None:
    assert f"--collins-allows {name}" in TEXT
