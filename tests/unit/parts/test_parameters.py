from __future__ import annotations

import re
from pathlib import Path

import pytest

from alchemy.commands.help import overview
from alchemy.parts import parameters
from alchemy.parts.parameters import Parameter
from tests import repository

TABLE = repository.ROOT / "chroot/early/parameters"

NET = Parameter("net", "flag", "-", "net", "bring up the network")
SSH = Parameter("ssh", "flag", "net", "ssh", "an SSH server")
REAL_INIT = Parameter("real_init", "value", "-", "real_init=/bin/sh", "the init")


def test_a_table_is_read_without_its_comments_and_blanks(tmp_path: Path) -> None:
    text = "# NAME | KIND\n\nnet       | flag  | -   | net               | bring up the network\n"
    text += "ssh|flag|net|ssh|an SSH server\n"
    (tmp_path / "table").write_text(f"{text}real_init|value|-|real_init=/bin/sh|the init\n", encoding="utf-8")
    assert parameters.read(tmp_path / "table") == [NET, SSH, REAL_INIT]


def test_the_readme_gets_a_table() -> None:
    assert parameters.markdown([NET, SSH, REAL_INIT]).splitlines() == [
        "| parameter | effect |",
        "| --- | --- |",
        "| `net` | bring up the network |",
        "| `ssh` | an SSH server; implies net |",
        "| `real_init=/bin/sh` | the init |",
    ]


def test_help_gets_a_list() -> None:
    assert parameters.text([NET, SSH, REAL_INIT]).splitlines() == [
        "  net         bring up the network",
        "  ssh         an SSH server; implies net",
        "  real_init=  the init",
    ]


@pytest.mark.parametrize("parameter", parameters.read(TABLE), ids=lambda parameter: parameter.name)
def test_every_parameter_is_declared_well(parameter: Parameter) -> None:
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", parameter.name)
    assert parameter.kind in ("flag", "value", "list")
    assert parameter.implies in ("net", "-")
    assert parameter.example.split("=")[0] == parameter.name
    assert ("=" in parameter.example) == (parameter.kind != "flag")
    assert parameter.meaning


def test_the_parameters_are_those_of_the_contract_and_one_of_our_own() -> None:
    contract = """
        net net_timeout shell ssh lldpd real_init ssh_keys_url command_url ip nameserver vlan bond hostname BOOTIF
        ssh_keys_sha256 command_sha256 command_key init_debug rack_url job burnin_profile burnin_profile_sha256
        burnin_disks expect_url expect_sha256 asset_tag
    """
    names = [parameter.name for parameter in parameters.read(TABLE)]
    assert sorted(names) == sorted({*contract.split(), "burnin_profile_key"})


def test_help_has_every_parameter() -> None:
    assert parameters.text(parameters.read(TABLE)) in overview(repository.ROOT)
