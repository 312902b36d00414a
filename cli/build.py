"""The tasks `build.*`."""

from __future__ import annotations

import shutil
import sys

from invoke.context import Context
from invoke.tasks import task

from alchemy import context
from alchemy.commands import build, pin
from alchemy.commands import sizes as image_sizes
from alchemy.errors import UserError, visible
from alchemy.host import depends, logs
from alchemy.testbed import verify
from cli.command import DEBUG_HELP, JSON_HELP, OFFLINE_HELP, ROOT, VERSION_HELP, as_json, checked, command, say


@task(
    name="all",
    help={
        "version": VERSION_HELP,
        "offline": OFFLINE_HELP,
        "json": "print progress as JSON, one object per line",
        "debug_shell": DEBUG_HELP,
    },
)
@command
def build_all(
    _: Context, version: str = "wip", offline: bool = False, json: bool = False, debug_shell: bool = False
) -> None:
    """Build everything: bin/alchemy.img and bin/alchemy.ramfs."""
    run = checked(version, offline=offline, events=json, debug_shell=debug_shell)
    build.build(run, "bundle")
    outputs = build.outputs(run)
    say(as_json({"event": "built", "outputs": outputs}, indent=None) if json else build.sizes(outputs))


@task(
    help={
        "version": VERSION_HELP,
        "offline": OFFLINE_HELP,
        "json": JSON_HELP,
        "sizes": "show instead what each package adds to the ramfs",
    }
)
@command
def info(_: Context, version: str = "wip", offline: bool = False, json: bool = False, sizes: bool = False) -> None:
    """Show the effective configuration, and for each stage whether it is fresh or why it will be built."""
    describe, as_text = (image_sizes.describe, image_sizes.text) if sizes else (build.info, build.info_text)
    described = describe(checked(version, offline=offline))
    say(as_json(described) if json else as_text(described))


@task
@command
def check_depends(_: Context) -> None:
    """Check the host for the programs that this configuration needs, and name the packages of the missing ones."""
    lacking = depends.missing(depends.of_build(context.create(ROOT).config))
    if lacking:
        raise UserError(f"programs are missing on this host\n{depends.report(lacking)}")
    print("all programs are installed")


@task(help={"offline": OFFLINE_HELP, "debug_shell": DEBUG_HELP})
@command
def stage3(_: Context, offline: bool = False, debug_shell: bool = False) -> None:
    """Make or fetch the stage3 tarball."""
    build.build(checked(offline=offline, debug_shell=debug_shell), "stage3")


@task(help={"offline": OFFLINE_HELP, "debug_shell": DEBUG_HELP})
@command
def system(_: Context, offline: bool = False, debug_shell: bool = False) -> None:
    """Build the packages and install them into the root tree."""
    build.build(checked(offline=offline, debug_shell=debug_shell), "system")


@task(help={"version": VERSION_HELP, "offline": OFFLINE_HELP, "debug_shell": DEBUG_HELP})
@command
def kernel(_: Context, version: str = "wip", offline: bool = False, debug_shell: bool = False) -> None:
    """Build the kernel."""
    build.build(checked(version, offline=offline, debug_shell=debug_shell), "kernel")


@task(help={"version": VERSION_HELP, "offline": OFFLINE_HELP, "debug_shell": DEBUG_HELP})
@command
def ramfs(_: Context, version: str = "wip", offline: bool = False, debug_shell: bool = False) -> None:
    """Build the ramfs and the system in it."""
    build.build(checked(version, offline=offline, debug_shell=debug_shell), "ramfs")


@task(help={"update": "resolve everything again and overwrite the lock file"})
@command
def lock(_: Context, update: bool = False) -> None:
    """Pin stage3, tree, overlays and kernel in alchemy.lock; later builds use exactly these."""
    say(pin.lock(checked(), update=update))


@task(help={"stage": "stage, as build.info names it (default: the last that failed); `build.log STAGE` works too"})
@command
def log(_: Context, stage: str = "") -> None:
    """Print the log of a stage, or of the last failure."""
    with logs.find(checked(), stage).open("rb") as file:
        if sys.stdout.isatty():
            for line in file:
                sys.stdout.write(visible(line.decode(errors="replace")))
        else:
            shutil.copyfileobj(file, sys.stdout.buffer)


@task(
    name="verify",
    help={
        "all": "also compile the packages and the kernel again, without binary packages and ccache",
        "version": VERSION_HELP,
    },
)
@command
def build_verify(_: Context, all: bool = False, version: str = "wip") -> None:  # noqa: A002 (the option's name)
    """Build again and compare the bytes."""
    names = verify.verify(checked(version), everything=all)
    print(f"reproducible: {', '.join(names)}")
