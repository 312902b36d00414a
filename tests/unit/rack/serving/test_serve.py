from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from alchemy.errors import UserError
from alchemy.rack.serving import interfaces, serve, state
from alchemy.rack.serving.serve import Options
from alchemy.ui import views
from alchemy.ui.events import Log
from tests.unit.rack.serving import setups


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a rack.yml and what that names, on a host with the interface eth7."""
    monkeypatch.setattr(interfaces, "choose", lambda name: setups.INTERFACE)
    setups.image(tmp_path / "gold")
    setups.own_binaries(tmp_path / "state")
    (tmp_path / "rack.yml").write_text("interface: eth7\nimages: {gold: gold}\n", encoding="utf-8")
    return tmp_path


def test_proxy_and_range_exclude_each_other(repository: Path) -> None:
    with pytest.raises(UserError, match="--proxy, --range: only one of them"):
        serve.prepare(repository, Options(proxy=True, range="192.0.2.50,192.0.2.60", state=repository / "state"))


def test_the_repositorys_rack_yml_is_read_when_none_is_given(repository: Path) -> None:
    served, config = serve.prepare(repository, Options(state=repository / "state"))
    assert config == repository / "rack.yml"
    assert served.images == {"gold": repository / "gold"}
    assert served.range is None


def test_a_given_rack_yml_replaces_it(repository: Path) -> None:
    other = repository / "other.yml"
    other.write_text("images: {lead: gold}\n", encoding="utf-8")
    served, config = serve.prepare(repository, Options(config=other, state=repository / "state"))
    assert config == other
    assert list(served.images) == ["lead"]


@pytest.mark.parametrize(("option", "asked"), [(None, "eth7"), ("eth9", "eth9")])
def test_the_option_replaces_the_interface_of_rack_yml(
    repository: Path, monkeypatch: pytest.MonkeyPatch, option: str | None, asked: str
) -> None:
    seen: list[str | None] = []

    def choose(name: str | None) -> interfaces.Interface:
        seen.append(name)
        return setups.INTERFACE

    monkeypatch.setattr(interfaces, "choose", choose)
    serve.prepare(repository, Options(interface=option, state=repository / "state"))
    assert seen == [asked]


def test_preparing_writes_nothing(repository: Path) -> None:
    before = sorted(repository.rglob("*"))
    serve.prepare(repository, Options(state=repository / "state"))
    assert sorted(repository.rglob("*")) == before


def test_without_root_nothing_is_served(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    served, config = serve.prepare(repository, Options(state=repository / "state"))
    with pytest.raises(UserError, match="the ports of DHCP and TFTP need root"):
        serve.serve(served, config, Log(views.Lines(io.StringIO())))


def test_a_state_folder_is_used_once_and_free_again(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    held = pytest.raises(UserError, match=f"in use by the boot.serve of process {os.getpid()}\n")
    with state.locked(folder), held, state.locked(folder):
        pass
    with state.locked(folder):
        pass


def test_a_state_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(UserError, match="others may write to it"), state.locked(folder):
        pass


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o755)
    (folder / ".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="not a lock of ours"), state.locked(folder):
        pass
    assert not (tmp_path / "elsewhere").exists()
