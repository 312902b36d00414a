from __future__ import annotations

from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.host.chroot import Chroot
from alchemy.portage import kernel_config
from alchemy.stages import kernel
from tests.unit.fakes import configure


@pytest.fixture
def configured(context: Context) -> Context:
    """The context with a kernel configuration and a fragment that changes it."""
    folder = context.root / "kernels/x86_64"
    (folder / "fragments").mkdir(parents=True, exist_ok=True)
    (folder / "6.12").write_text('CONFIG_GOLD=y # why\n# CONFIG_LEAD is not set\nCONFIG_NAME="a b"\n', encoding="utf-8")
    (folder / "fragments/ib").write_text("# a comment\nCONFIG_LEAD=y\n# CONFIG_GOLD is not set\n", encoding="utf-8")
    return configure(kernel_conf="6.12", kernel_fragments=("ib",))(context)


def shown(context: Context) -> Chroot:
    return kernel_config.show(context, Chroot(context.work / "chroot"))


def test_ebuilds_see_what_is_configured_and_the_series(configured: Context) -> None:
    inside = shown(configured)
    tree = inside.ro_binds[inside.env["KERNEL_DIR"]]
    assert (tree / ".config").read_text(encoding="utf-8").splitlines() == [
        "# CONFIG_GOLD is not set", "CONFIG_LEAD=y", 'CONFIG_NAME="a b"'
    ]  # fmt: skip
    assert {"VERSION = 6", "PATCHLEVEL = 12"} < set((tree / "Makefile").read_text(encoding="utf-8").splitlines())


def test_it_is_the_configuration_that_the_kernel_is_made_of(configured: Context) -> None:
    assert kernel_config.paths(configured) == kernel.configs(configured)


def test_a_configuration_without_a_series_is_not_shown(configured: Context) -> None:
    inside = shown(configure(kernel_conf="own")(configured))
    assert "KERNEL_DIR" not in inside.env


@pytest.mark.parametrize("there", [True, False])
def test_the_host_s_configuration_is_hidden_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    hosts = tmp_path / "config.gz"
    if there:
        hosts.touch()
    monkeypatch.setattr(kernel_config, "_HOSTS", str(hosts))
    assert kernel_config.hidden() == ({str(hosts): Path("/dev/null")} if there else {})
