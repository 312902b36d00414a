"""The stage3 that is made here, out of Debian and real Portage: a tarball that seeds the chroot.

One that is fetched is of gentoo_release.py.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from alchemy.context import EPOCH, Context
from alchemy.fetch import debian, download
from alchemy.host import chroot, files
from alchemy.stage import Pins, Stage

NAME = "stage3"

PORTAGE = "3.0.83"
PORTAGE_SHA256 = "deac3ae1e03aea1ff09a0e831fa8d06e89bfc49440394b66ed6223338d5f9c4e"

TARBALL = "stage3.tar.zst"

_OPTIONS = (
    "--mode=root", "--variant=apt",
    *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "doc", "info", "locale")),
)  # fmt: skip


def stage(context: Context, _: Pins, __: Mapping[str, Stage]) -> Stage | None:
    """Declares the stage that makes a stage3 out of Debian; None where the configuration names one to fetch."""
    if not context.config.stage3_url.startswith("debian:"):
        return None
    return Stage(
        name=NAME,
        store=context.cache / "stage3",
        inputs={
            "stage3_url": context.config.stage3_url,
            "portage": f"{PORTAGE} {PORTAGE_SHA256}",
            "packages": files.digest(_package_list(context)),
            "options": " ".join(_OPTIONS),
            "script": files.digest(_hook(context)),
        },
        build=lambda output, _: _build(context, output),
        external=True,
    )


def _build(context: Context, output: Path) -> None:
    download.require_online(context, f"a stage3 of Debian {debian.suite(context)}")
    log = context.logfile(NAME)
    temporary = context.work / "mmdebstrap"
    files.remove(temporary)
    temporary.mkdir(parents=True)
    portage = debian.python_source(context, "portage", PORTAGE, PORTAGE_SHA256, temporary)
    command = ["mmdebstrap", *_OPTIONS, f"--include={','.join(_packages(context))}"]
    # mmdebstrap runs the hook in a shell, with the root as its first argument
    command += [f'--customize-hook={shlex.quote(str(_hook(context)))} "$1" {shlex.quote(str(portage))}']
    tarball = output / Path(TARBALL).stem
    command += [debian.suite(context), str(tarball), *debian.debian_sources(context, debian.suite(context))]
    with context.log.step(f"stage3: Debian {debian.suite(context)} with Portage {PORTAGE}"):
        context.runner.run(
            chroot.host(command),
            log=log,
            env={"TMPDIR": str(temporary), "SOURCE_DATE_EPOCH": str(EPOCH)},
            what=f"making a stage3 of Debian {debian.suite(context)}",
        )
        # mmdebstrap would compress at the highest level, which takes minutes
        context.runner.run(["zstd", "--quiet", "-T0", "-3", "--rm", tarball], log=log, what="compressing the stage3")
    files.remove(temporary)


def _hook(context: Context) -> Path:
    return context.root / "chroot" / "stage3-debian.sh"


def _package_list(context: Context) -> Path:
    return context.root / "chroot" / "stage3-debian.packages"


def _packages(context: Context) -> list[str]:
    return files.lines(_package_list(context))
