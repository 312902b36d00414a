"""The integration tier: real mounts, chroots and Portage, as root."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemy import context as contexts
from alchemy.context import Context
from alchemy.host.chroot import Chroot
from alchemy.stages import outputs, plan
from tests import repository
from tests.boot.conftest import VERSION
from tests.lib import clones


@pytest.fixture(scope="session")
def build_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    """The context of a copy of the repository, with the shared cache and a work directory of its own."""
    if os.geteuid() != 0:
        repository.skip_or_fail("the integration tier needs root")
    for tool in ("bwrap", "mmdebstrap", "zstd"):
        if shutil.which(tool) is None:
            repository.skip_or_fail(f"the integration tier needs {tool}")
    root = repository.copy(tmp_path_factory.mktemp("clone") / "alchemy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALCHEMY_CACHE_DIR", str(repository.cache()))
        patch.setenv("ALCHEMY_WORK_DIR", str(tmp_path_factory.mktemp("work")))
        patch.delenv("ALCHEMY_CONFIG", raising=False)
        context = contexts.create(root, "test")
    base = plan.create(context, plan.recall(context))["stage3"]
    if not base.fresh:
        with repository.locked():
            plan.realize(context, [base])
    yield context
    context.runner.stop()


@pytest.fixture(scope="session")
def tools(build_context: Context) -> Chroot:
    """The read-only chroot of the embedded stage3."""
    planned = plan.create(build_context, plan.recall(build_context))
    plan.realize(build_context, [planned["tools"]])
    return outputs.tools(planned["tools"].output)


@pytest.fixture(scope="session")
def kernel(build_context: Context, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tarball of a kernel that boots: that of the boot tests, which takes a quarter of an hour to compile."""
    context = dataclasses.replace(build_context, version=VERSION)
    made = plan.create(context, plan.recall(context))["kernel"]
    with repository.locked():
        plan.realize(context, [made])
    return clones.bootable_kernel(made.output, tmp_path_factory.mktemp("kernel") / "linux")
