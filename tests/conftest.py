"""What all tiers share."""

from __future__ import annotations

import gc
import signal
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from alchemy.run import Runner
from tests.lib import keys, ramdisk
from tests.lib.keys import Key

_RAMDISK = pytest.StashKey[Path]()

# the longest files of `test.all`, from three minutes to half a minute
_LONGEST = (
    "test_gentoo.py", "test_network.py", "test_node.py", "test_portage.py", "test_main_job.py", "test_parameters.py",
    "test_intake.py", "test_hostile.py", "test_faults.py", "test_configured.py", "test_trust.py", "test_by_hand.py",
    "test_consoles.py", "test_killed.py", "test_kills.py", "test_broken.py", "test_firmware.py", "test_history.py",
)  # fmt: skip

# how long an example takes says how busy the machine is
settings.register_profile("alchemy", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("alchemy")


def pytest_configure(config: pytest.Config) -> None:
    """Has the tests of the tiers that build and boot write to RAM, where there is enough of it."""
    is_worker = hasattr(config, "workerinput")
    if is_worker or config.option.basetemp or config.option.collectonly:
        return
    if all("tests/unit" in argument for argument in config.args) or not ramdisk.is_possible():
        return
    config.stash[_RAMDISK] = folder = ramdisk.mount()
    config.option.basetemp = str(folder / "pytest")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Turns Python's garbage collector off while tests are collected: none of them is freed before the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Frees the RAM. What a failed test wrote stays there until the next run."""
    is_done = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    if is_done and _RAMDISK in session.config.stash:
        ramdisk.unmount(session.config.stash[_RAMDISK])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Has the files of the tiers take turns: workers take them in this order, and one builds while another boots.

    The linters come first, and of each tier its longest files. The last ones are short, so that no worker is left alone
    with a long one.
    """
    turns: defaultdict[str, dict[Path, int]] = defaultdict(dict)
    places = {}
    for item in sorted(items, key=_length):
        tier = item.path.relative_to(Path(__file__).parent).parts[0]
        turn = turns[tier].setdefault(item.path, len(turns[tier]))
        places[item] = (item.path.name != "test_linters.py", turn, tier)
    items.sort(key=places.__getitem__)


def _length(item: pytest.Item) -> int:
    """Returns the place of a test's file among the longest; those that are not among them share the last place."""
    name = item.path.name
    return _LONGEST.index(name) if name in _LONGEST else len(_LONGEST)


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard() -> None:
    """A shell that starts the tests in the background has them ignore Ctrl-C, and so would all that they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _signal_handlers_are_restored(_ctrl_c_is_heard: None) -> Iterator[None]:
    """A handler that a test leaves behind swallows the Ctrl-C of another test of the worker."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    assert [signal.getsignal(number) for number in numbers] == before


@pytest.fixture(scope="session")
def runner() -> Iterator[Runner]:
    runner = Runner()
    yield runner
    runner.stop()


@pytest.fixture(scope="session")
def secrets() -> Iterator[Mapping[str, Key]]:
    """OpenPGP keys by their names, as tests.lib.keys.throw_away makes them. Ask for real_processes too."""
    with keys.throw_away() as made:
        yield made


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory, runner: Runner) -> Path:
    """An SSH key; the public one has `.pub` behind its name."""
    path = tmp_path_factory.mktemp("key") / "id"
    runner.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "boot-test", "-f", path])
    return path
