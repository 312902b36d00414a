"""The configuration that boot.serve writes, judged by the programs that read it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests import repository
from tests.rack import serving
from tests.rack.lan import BRIDGE, Lan

_MODES = {"beside another DHCP server": "--proxy", "with a range": "--range=192.0.2.70,192.0.2.90"}


@pytest.fixture(scope="module", params=_MODES)
def printed(request: pytest.FixtureRequest, lan: Lan, rack_yml: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `boot.serve --print` has filled."""
    folder = tmp_path_factory.mktemp("print")
    serving.own_binaries(folder)
    command = repository.command(
        "boot.serve", f"--interface={BRIDGE}", _MODES[request.param], f"--config={rack_yml}", f"--print={folder}"
    )
    subprocess.run(
        ["ip", "netns", "exec", lan.rack, *command], cwd=repository.ROOT, env=serving.environment(), check=True
    )
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ["dnsmasq", "--test", "-C", "dnsmasq.conf"],
        ["nginx", "-t", "-q", "-e", "stderr", "-p", ".", "-c", "nginx.conf"],
        ["dhcpd", "-t", "-cf", "dhcpd.conf"],
        ["kea-dhcp4", "-t", "kea-dhcp4.conf"],
    ],
    ids=lambda words: words[0],
)
def test_each_server_takes_what_is_written_for_it(lan: Lan, printed: Path, words: list[str]) -> None:
    if shutil.which(words[0]) is None:
        repository.skip_or_fail(f"the test needs {words[0]}")
    path = str(printed / words[-1])
    done = subprocess.run(
        ["ip", "netns", "exec", lan.rack, *words[:-1], path], cwd=printed, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_units_name_what_was_written(printed: Path) -> None:
    for name, file in (("dnsmasq", "dnsmasq.conf"), ("nginx", "nginx.conf"), ("service", "state")):
        unit = (printed / f"alchemy-{name}.service").read_text(encoding="utf-8")
        assert f"{printed}/{file}" in unit or f'"--{file}" "{printed}"' in unit
