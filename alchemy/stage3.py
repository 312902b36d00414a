"""The stage3: a tarball that seeds the chroot. It is fetched, or made here out of Debian and real Portage."""

from __future__ import annotations

from pathlib import Path

from alchemy import archive, chroot, download, fetch, gentoo, tarball
from alchemy.context import EPOCH, Context
from alchemy.stage import Stage

PORTAGE = "3.0.83"
PORTAGE_SHA256 = "deac3ae1e03aea1ff09a0e831fa8d06e89bfc49440394b66ed6223338d5f9c4e"

TARBALL = "stage3.tar.zst"

# the suite of Debian packages where stage3_url names none
DEFAULT_SUITE = "trixie"

_OPTIONS = (
    "--mode=root", "--variant=apt",
    *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "doc", "info", "locale")),
)  # fmt: skip


def suite(context: Context) -> str:
    """The Debian suite that `debian:` packages come from."""
    kind, _, name = context.config.stage3_url.partition(":")
    return name if kind == "debian" else DEFAULT_SUITE


def stage(context: Context) -> Stage:
    """The stage that yields the stage3 tarball."""
    if context.config.stage3_url.startswith("debian:"):
        return _debian_stage(context)
    config, pin = context.config, gentoo.pin(context)
    return Stage(
        name="stage3",
        store=context.cache / "stage3",
        inputs={
            "stage3_url": None if pin is None else pin["url"],
            "stage3_keys": " ".join(config.stage3_keys or ()),
            "stage3_sha256": config.stage3_sha256 or "",
        },
        build=lambda output: gentoo.fetch(context, pin or {}, output),
        external=True,
    )


def _debian_stage(context: Context) -> Stage:
    return Stage(
        name="stage3",
        store=context.cache / "stage3",
        inputs={
            "stage3_url": context.config.stage3_url,
            "portage": f"{PORTAGE} {PORTAGE_SHA256}",
            "packages": archive.digest(_package_list(context)),
            "options": " ".join(_OPTIONS),
            "script": archive.digest(_hook(context)),
        },
        build=lambda output: _build_debian(context, output),
        external=True,
    )


def _build_debian(context: Context, output: Path) -> None:
    download.require_online(context, f"a stage3 of Debian {suite(context)}")
    log = context.logfile("stage3")
    temporary = context.work / "mmdebstrap"
    archive.remove(temporary)
    temporary.mkdir(parents=True)
    portage = fetch.python_source(context, "portage", PORTAGE, PORTAGE_SHA256, temporary)
    command = ["mmdebstrap", *_OPTIONS, f"--include={','.join(_packages(context))}"]
    # mmdebstrap hands the root to a hook's shell as its first argument
    command += [f'--customize-hook={_hook(context)} "$1" {portage}']
    tarball = output / Path(TARBALL).stem
    command += [suite(context), str(tarball), *fetch.debian_sources(context, suite(context))]
    with context.log.step(f"stage3: Debian {suite(context)} with Portage {PORTAGE}"):
        context.runner.run(
            chroot.host(command),
            log=log,
            env={"TMPDIR": str(temporary), "SOURCE_DATE_EPOCH": str(EPOCH)},
            what=f"making a stage3 of Debian {suite(context)}",
        )
        # mmdebstrap would compress as hard as can be, which takes minutes
        context.runner.run(["zstd", "--quiet", "-T0", "-3", "--rm", tarball], log=log, what="compressing the stage3")
    archive.remove(temporary)


def unpack(context: Context, stage3: Stage, target: Path, log: Path) -> None:
    """Unpacks the stage3 into `target`, which must not exist."""
    path = next(stage3.output.glob("*.tar.*"))
    tarball.unpack(context, path, target, log, "the stage3")


def tools(stage: Stage) -> chroot.Chroot:
    """A read-only chroot in the output of the tools stage."""
    return chroot.Chroot(stage.output / "root")


def _hook(context: Context) -> Path:
    return context.root / "chroot" / "stage3-debian.sh"


def _package_list(context: Context) -> Path:
    return context.root / "chroot" / "stage3-debian.packages"


def _packages(context: Context) -> list[str]:
    return archive.lines(_package_list(context))
