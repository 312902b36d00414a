"""The ramfs inside the kernel: one file that boots by itself; and how much RAM an image needs."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.host import files
from alchemy.stages import plan
from tests import repository
from tests.boot import guest
from tests.boot.conftest import VERSION, build


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """The default image with its ramfs inside; only that is built again."""
    return build(tmp_path_factory.mktemp("embedded") / "alchemy", "embed_ramfs: true\n")


def ram_mb(context: Context) -> int:
    """What the manifest says that a node needs."""
    need = json.loads((context.bin / "manifest.json").read_text(encoding="utf-8"))["ram_mb"]
    assert isinstance(need, int)
    return need


@pytest.mark.parametrize("fixture", [pytest.param("default_image", marks=pytest.mark.exhaustive), "embedded"])
def test_an_image_boots_in_the_ram_that_its_manifest_says(
    request: pytest.FixtureRequest, fixture: str, key: Path, console_log: Path, tmp_path: Path
) -> None:
    context: Context = request.getfixturevalue(fixture)
    shutil.copy(key.with_suffix(".pub"), tmp_path / "keys")
    with (
        guest.serve_folder(tmp_path) as url,
        guest.boot(
            context, console_log, key, f"ssh_keys_url={url}/keys", memory=ram_mb(context), pxe=True, processors=2
        ) as node,
    ):
        node.expect(guest.HAND_OVER)
        node.wait_for_ssh()
        assert "Out of memory" not in node.ssh("sudo dmesg")


def test_one_file_is_all_there_is_to_boot(embedded: Context) -> None:
    assert not (embedded.bin / "alchemy.ramfs").exists()
    assert "initrd" not in (embedded.bin / "boot.ipxe").read_text(encoding="utf-8")


@pytest.mark.exhaustive
def test_only_what_knows_of_the_ramfs_is_compiled_for_it(embedded: Context) -> None:
    # whatever is in the cache, and whichever kernel was compiled last: this one, and then the other of its objects
    planned = plan.create(embedded, plan.recall(embedded))
    for name in ("bundle", "embedded", "kernel"):
        files.remove(planned[name].output)
    for task in ("build.kernel", "build.all"):
        repository.invoke(embedded.root, task, f"--version={VERSION}")
    log = embedded.logfile("embedded").read_text(encoding="utf-8", errors="replace")
    compiled = re.findall(r"^  (?:CC|AS) +(\S+)$", log, re.MULTILINE)
    # what is made of the linked kernel is made again: its own list of symbols, and what unpacks it
    ours = {name for name in compiled if not name.startswith((".tmp_vmlinux", "arch/x86/boot/"))}
    assert ours == {"usr/initramfs_data.o", "kernel/configs.o"}
