"""The main repository by rsync, from a server on the loopback that sends more than a tree."""

from __future__ import annotations

import dataclasses
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from alchemy.config.remotes import Sync
from alchemy.context import Context
from alchemy.errors import VerificationError
from alchemy.fetch import pins
from alchemy.stage import Stage
from alchemy.stages import plan, tree
from tests.integration import layout

_CONF = """\
port = {port}
address = 127.0.0.1
use chroot = no
[tree]
path = {folder}
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tree with what no tree has: links, a pipe, a setuid file, a large file."""
    made = layout.tree(tmp_path / "tree", "gentoo").folder
    (made / "metadata/timestamp.chk").write_text("Tue, 24 Nov 2026 17:00:00 +0000\n")
    (made / "profiles/link").symlink_to("/etc/shadow")
    (made / "outside").symlink_to("/etc")
    os.mkfifo(made / "pipe")
    (made / "setuid").write_text("#!/bin/sh\n")
    (made / "setuid").chmod(0o6777)
    (made / "large").touch()
    os.truncate(made / "large", 80 << 20)
    return made


@pytest.fixture
def url(folder: Path, tmp_path: Path) -> Iterator[str]:
    port = _free_port()
    conf = tmp_path / "rsyncd.conf"
    conf.write_text(_CONF.format(port=port, folder=folder))
    with subprocess.Popen(["rsync", "--daemon", "--no-detach", f"--config={conf}"]) as daemon:
        for _ in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        yield f"rsync://127.0.0.1:{port}/tree"
        daemon.terminate()


def tree_stage(context: Context, url: str, tmp_path: Path, *, verify: bool) -> Stage:
    """The stage that yields the tree at `url`, in a cache of its own, with the embedded stage3."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/stage3").symlink_to(context.cache / "stage3")
    context = dataclasses.replace(context, work=tmp_path / "work", cache=tmp_path / "cache")
    base = plan.create(context, plan.recall(context))["stage3"]
    plan.realize(context, [base])
    config = context.config.model_copy(update={"sync": Sync(method="rsync", url=url, verify=verify)})
    context = dataclasses.replace(context, config=config)
    asked = tree.source(context)
    assert asked is not None
    made = tree.stage(context, pins.look(context, [asked], {}), {"stage3": base})
    assert made is not None
    return made


def test_of_a_tree_by_rsync_files_and_folders_are_taken_and_nothing_else(
    build_context: Context, url: str, folder: Path, tmp_path: Path
) -> None:
    stage = tree_stage(build_context, url, tmp_path, verify=False)
    stage.make()
    copy = stage.output / "1"
    paths = list(copy.rglob("*"))
    assert all(not path.is_symlink() and (path.is_file() or path.is_dir()) for path in paths)
    assert {oct(path.stat().st_mode & 0o7777) for path in paths} == {"0o644", "0o755"}
    assert not (copy / "large").exists()
    assert (copy / "profiles/repo_name").read_text() == "gentoo\n"
    assert len(list(copy.rglob("*.ebuild"))) == len(list(folder.rglob("*.ebuild"))) > 50


@pytest.mark.exhaustive
def test_a_tree_by_rsync_is_refused_where_the_stage3_cannot_verify_it(
    build_context: Context, url: str, tmp_path: Path
) -> None:
    stage = tree_stage(build_context, url, tmp_path, verify=True)
    with pytest.raises(VerificationError, match="verification of its Manifests failed"):
        stage.make()
    assert list((tmp_path / "cache/trees").iterdir()) == []
