from __future__ import annotations

from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.portage import kernel_config
from tests.unit.fakes import configure


@pytest.fixture
def configured(context: Context) -> Context:
    """The context with a kernel configuration and a fragment that changes it."""
    folder = context.root / "kernels/x86_64"
    (folder / "fragments").mkdir(parents=True, exist_ok=True)
    (folder / "6.12").write_text('CONFIG_GOLD=y # why\n# CONFIG_LEAD is not set\nCONFIG_NAME="a b"\n', encoding="utf-8")
    (folder / "fragments/ib").write_text("# a comment\nCONFIG_LEAD=y\n# CONFIG_GOLD is not set\n", encoding="utf-8")
    return configure(kernel_conf="6.12", kernel_fragments=("ib",))(context)


def test_ebuilds_see_what_is_configured_and_the_series(configured: Context) -> None:
    inside = kernel_config.requested(configured)
    tree = inside.ro_binds[inside.env["KERNEL_DIR"]]
    assert (tree / ".config").read_text(encoding="utf-8").splitlines() == [
        "# CONFIG_GOLD is not set", "CONFIG_LEAD=y", 'CONFIG_NAME="a b"'
    ]  # fmt: skip
    assert {"VERSION = 6", "PATCHLEVEL = 12"} < set((tree / "Makefile").read_text(encoding="utf-8").splitlines())


def test_the_fragment_of_modules_comes_before_those_of_the_user(configured: Context) -> None:
    modular = configure(kernel_conf="6.12", kernel_fragments=("ib",), kernel_modules=True)(configured)
    assert [path.name for path in kernel_config.paths(modular)] == ["6.12", "modules", "ib"]


def test_ebuilds_of_modules_see_the_build_tree_of_the_kernel(tmp_path: Path) -> None:
    inside = kernel_config.built(tmp_path)
    assert inside.ro_binds[inside.env["KERNEL_DIR"]] == tmp_path


def test_a_configuration_without_a_series_is_not_shown(configured: Context) -> None:
    assert kernel_config.requested(configure(kernel_conf="own")(configured)) == kernel_config.NONE


@pytest.mark.parametrize("there", [True, False])
def test_the_host_s_configuration_is_hidden_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    hosts = tmp_path / "config.gz"
    if there:
        hosts.touch()
    monkeypatch.setattr(kernel_config, "_HOSTS", str(hosts))
    assert kernel_config.hidden() == ({str(hosts): Path("/dev/null")} if there else {})
