"""What the tests of the rack service share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from alchemy.rack.records.database import FILE, Records, default_url
from tests.unit.rack import rigs, scenes
from tests.unit.rack.rigs import Rig


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of empty records: each test takes a copy, as making the tables takes longer than most tests."""
    folder = tmp_path_factory.mktemp("empty")
    Records.open(default_url(folder)).close()
    return folder / FILE


@pytest.fixture
def records(empty: Path, tmp_path: Path) -> Iterator[Records]:
    """Empty records in a file of SQLite."""
    shutil.copy(empty, tmp_path)
    opened = Records.open(default_url(tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def rig(records: Records, tmp_path: Path) -> Rig:
    """A rack service with the defaults of rack.yml."""
    return rigs.make(records, tmp_path)


@pytest.fixture
def filled(records: Records, tmp_path: Path) -> Mapping[str, str]:
    """The ids of nodes of each kind, in `records`."""
    return scenes.fill(records, tmp_path)


@pytest.fixture
def operator(records: Records) -> TestClient:
    """A client that is logged in by HTTP Basic, and may change what there is."""
    client = scenes.client(records)
    client.auth = ("alice", "gold")
    return client


@pytest.fixture(scope="session")
def shared_rack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Records, Mapping[str, str]]]:
    """Records with nodes of each kind, and their ids, for tests that only read."""
    folder = tmp_path_factory.mktemp("rack")
    opened = Records.open(default_url(folder))
    yield opened, scenes.fill(opened, folder)
    opened.close()


@pytest.fixture
def ids(shared_rack: tuple[Records, Mapping[str, str]]) -> Mapping[str, str]:
    """The ids of the nodes that `reader` sees, by what they are."""
    return shared_rack[1]


@pytest.fixture
def reader(shared_rack: tuple[Records, Mapping[str, str]]) -> TestClient:
    """A client of shared records, for tests that only read."""
    client = scenes.client(shared_rack[0])
    client.auth = ("alice", "gold")
    return client
