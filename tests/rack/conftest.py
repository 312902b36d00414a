"""The rack tier: boot.serve in network namespaces, beside another DHCP server or with addresses of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import repository
from tests.rack import lan as lans
from tests.rack import serving
from tests.rack.lan import Lan

_PROGRAMS = ("ip", "dnsmasq", "nginx", "setpriv")


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    """The network of a rack, for the tests of a file."""
    for program in _PROGRAMS:
        if shutil.which(program) is None:
            repository.skip_or_fail(f"the rack tier needs {program}")
    if not Path("/usr/lib/ipxe/undionly.kpxe").exists() and not Path("/usr/share/ipxe/undionly.kpxe").exists():
        repository.skip_or_fail("the rack tier needs iPXE")
    with lans.lan() as network:
        yield network


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the tests of a file, with a short name: it holds a socket."""
    return tmp_path_factory.mktemp("rack")


@pytest.fixture(scope="module")
def rack_yml(folder: Path) -> Path:
    """A rack.yml with images for x86-64 and arm64, and an iPXE for arm64 in the state folder."""
    serving.own_binaries(folder / "state")
    return serving.images(folder / "images")
