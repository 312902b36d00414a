"""What all tiers share."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemy.run import Runner


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard() -> None:
    """A shell that starts the tests in the background has them ignore Ctrl-C, and so would all that they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def runner() -> Iterator[Runner]:
    runner = Runner()
    yield runner
    runner.stop()


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory, runner: Runner) -> Path:
    """An SSH key; the public one has `.pub` behind its name."""
    path = tmp_path_factory.mktemp("key") / "id"
    runner.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "boot-test", "-f", path])
    return path
