"""The boot tier: images are built by the command that a user types, and every test boots one of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from alchemy import context as contexts
from alchemy.context import Context
from tests import repository

VERSION = "1.2"
PASSWORD = "correct horse battery staple"
CONFIGURATION = f"""\
username: smith
password: {PASSWORD}
ssh_keys: ["{{key}}"]
command_keys: ["{{key}}"]
compression: zstd
firmware: ["bnx2/*", "intel/ice/ddp/*"]
image_name: gold.img
ramfs_name: gold.ramfs
"""

NEWER = """\
linux_url: debian:linux-source-7.3
kernel_conf: "7.3"
"""


def build(root: Path, configuration: str = "", files: Mapping[str, str] | None = None) -> Context:
    """Copies the repository to `root`, adds `files`, and builds it with this config.yml, as a user would."""
    if os.geteuid() != 0:
        repository.skip_or_fail("the boot tier needs root, to build the image")
    for tool in ("qemu-system-x86_64", "bwrap", "mmdebstrap", "ssh"):
        if shutil.which(tool) is None:
            repository.skip_or_fail(f"the boot tier needs {tool}")
    repository.copy(root)
    if configuration:
        (root / "config.yml").write_text(configuration, encoding="utf-8")
    for name, text in (files or {}).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    repository.invoke(root, "build.all", f"--version={VERSION}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", repository.environ())
        return contexts.create(root, VERSION)


@pytest.fixture(scope="session")
def default_image(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """The context of a clone whose bin/ holds the embedded default."""
    return build(tmp_path_factory.mktemp("clone") / "alchemy")


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """The same, compressed by zstd: without KVM a boot takes a tenth less than with the default, xz."""
    return build(tmp_path_factory.mktemp("zstd") / "alchemy", "compression: zstd\n")


@pytest.fixture(scope="session")
def configured(tmp_path_factory: pytest.TempPathFactory, key: Path) -> Context:
    """The context of a clone whose bin/ holds what CONFIGURATION asks for; only what differs is built again."""
    public = key.with_suffix(".pub").read_text(encoding="utf-8").strip()
    return build(tmp_path_factory.mktemp("configured") / "alchemy", CONFIGURATION.format(key=public))


@pytest.fixture(scope="session")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """The context of a clone whose bin/ holds the embedded default with the kernel of Debian's backports."""
    return build(tmp_path_factory.mktemp("newer") / "alchemy", NEWER)


@pytest.fixture
def console_log(request: pytest.FixtureRequest) -> Path:
    """Where the serial console of this test's machine is kept: work/log/boot/TEST.log."""
    return repository.logs("boot") / f"{request.node.name}.log"


@pytest.fixture
def web(tmp_path: Path, key: Path) -> Path:
    """A folder for a web server, with the public key in it as `keys`."""
    folder = tmp_path / "web"
    folder.mkdir()
    shutil.copy(key.with_suffix(".pub"), folder / "keys")
    return folder
