"""The kernel's series ask for the same, but for what Linux itself has changed between them."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from alchemy.config.model import Config
from alchemy.stages import kernel
from tests import repository

FOLDER = repository.ROOT / "kernels/x86_64"


def release(path: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in path.name.split("."))


SERIES = sorted((path for path in FOLDER.iterdir() if path.is_file() and path.suffix != ".alias"), key=release)
PAIRS = list(pairwise(SERIES))

# Symbols that only the older or the newer of two series names, each group with what became of it.
GONE = {
    # always on, or without a choice
    "GENERIC_CPU", "X86_5LEVEL", "SLUB_CPU_PARTIAL", "PROC_PID_CPUSET", "EDAC_LEGACY_SYSFS", "NFS_V4_1",
    "CRYPTO_CRC32C_INTEL", "CRYPTO_CRC32_PCLMUL", "CRYPTO_CRCT10DIF_PCLMUL",
    "CRYPTO_SHA1_SSSE3", "CRYPTO_SHA256_SSSE3", "CRYPTO_SHA512_SSSE3",
    # of another name
    "PREEMPT_VOLUNTARY", "AMD_HSMP", "CRYPTO_MANAGER_DISABLE_TESTS",
}  # fmt: skip
NEW = {
    # those other names
    "PREEMPT_LAZY", "AMD_HSMP_ACPI", "AMD_HSMP_PLAT", "CRYPTO_SELFTESTS",
    # always on before
    "ACPI_EC", "CPUFREQ_ARCH_CUR_FREQ", "HARDENED_USERCOPY_DEFAULT_ON", "NFS_V4_0", "NUMA_MIGRATION",
    "X86_BUS_LOCK_DETECT",
    # selected, or the default, before
    "NVMEM", "NVMEM_SYSFS", "PCIE_PTM", "X86_INTEL_TSX_MODE_OFF",
}  # fmt: skip
CHANGES = {("6.12", "7.3"): (GONE, NEW)}


def read(path: Path) -> dict[str, str]:
    return kernel.read_config([path])


@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.name)
def test_a_series_is_readable_and_says_which_it_is(path: Path) -> None:
    assert read(path)["64BIT"] == "y"
    title = path.read_text(encoding="utf-8").splitlines()[0]
    assert f" {path.name} series" in title


@pytest.mark.parametrize(("older", "newer"), PAIRS, ids=lambda path: path.name)
def test_a_line_that_two_series_share_has_the_same_value(older: Path, newer: Path) -> None:
    before, after = read(older), read(newer)
    assert {name: before[name] for name in before.keys() & after.keys()} == {
        name: after[name] for name in before.keys() & after.keys()
    }


@pytest.mark.parametrize(("older", "newer"), PAIRS, ids=lambda path: path.name)
def test_a_symbol_that_one_series_lacks_is_one_that_linux_has_changed(older: Path, newer: Path) -> None:
    gone, new = CHANGES[older.name, newer.name]
    before, after = read(older).keys(), read(newer).keys()
    assert before - after == gone
    assert after - before == new


def test_the_default_source_is_of_the_series_of_the_default_configuration() -> None:
    config = Config()
    assert config.linux_url == f"debian:linux-source-{config.kernel_conf}"


@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.name)
def test_the_documentation_names_each_series(path: Path) -> None:
    for name in ("kernels/README.md", "config.yml.example"):
        text = (repository.ROOT / name).read_text(encoding="utf-8")
        assert re.search(rf"\b{re.escape(path.name)}\b", text), name
