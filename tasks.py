"""The commands of Alchemy Linux: `invoke TASK…`. What they do is in alchemy/."""

from __future__ import annotations

import errno
import functools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.context import Context as InvokeContext
from invoke.exceptions import Exit, ParseError
from invoke.main import program
from invoke.tasks import task

from alchemy import bench, build, config, context, depends, documentation, qemu
from alchemy.errors import AlchemyError, UserError

ROOT = Path(__file__).resolve().parent
# what the user can mend: a full disk, a folder that may not be written; any other is a bug of ours
HOST_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS}
VERSION_HELP = "the version of the image (default: wip)"


def command(body: Callable[..., None]) -> Callable[..., None]:
    """Makes an error of ours a message and an exit status, as Invoke would show a traceback."""

    @functools.wraps(body)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        try:
            body(*args, **kwargs)
        except AlchemyError as error:
            raise Exit(f"error: {error}", error.status) from error
        except OSError as error:
            if error.errno not in HOST_ERRORS:
                raise
            raise Exit(f"error: {error.filename or 'the disk'}: {error.strerror}", UserError.status) from error
        except KeyboardInterrupt:
            raise Exit("stopped: what was complete is kept, the next run goes on from there", 130) from None

    return wrapper


@task(help={"version": VERSION_HELP})
@command
def build_all(_: InvokeContext, version: str = "wip") -> None:
    """Build everything: bin/alchemy.img and bin/alchemy.ramfs."""
    run = context.create(ROOT, version)
    build.build(run, "image")
    print(build.sizes(run))


@task(help={"version": VERSION_HELP, "json": "as JSON"})
@command
def build_info(_: InvokeContext, version: str = "wip", json: bool = False) -> None:
    """Show the effective configuration, and for every stage whether it will be built, and why."""
    described = build.info(context.create(ROOT, version))
    print(as_json(described) if json else build.info_text(described))


@task
@command
def build_check_depends(_: InvokeContext) -> None:
    """Check the host for the programs a build needs, and name the packages of those that are missing."""
    lacking = depends.missing(depends.BUILD + depends.BOOT + depends.TEST)
    if lacking:
        raise UserError(f"programs are missing on this host\n{depends.report(lacking)}")
    print("all programs are there")


@task
@command
def build_stage3(_: InvokeContext) -> None:
    """Make or fetch the stage3 tarball."""
    build.build(context.create(ROOT), "stage3")


@task
@command
def build_system(_: InvokeContext) -> None:
    """Build the packages and install them into the image tree."""
    build.build(context.create(ROOT), "system")


@task(help={"version": VERSION_HELP})
@command
def build_kernel(_: InvokeContext, version: str = "wip") -> None:
    """Build the kernel."""
    build.build(context.create(ROOT, version), "kernel")


@task(help={"version": VERSION_HELP})
@command
def build_ramfs(_: InvokeContext, version: str = "wip") -> None:
    """Build the ramdisk, and the system in it."""
    build.build(context.create(ROOT, version), "ramfs")


@task
@command
def config_check(_: InvokeContext) -> None:
    """Validate config.yml."""
    context.create(ROOT)
    print("the configuration is valid")


@task
@command
def config_schema(_: InvokeContext) -> None:
    """Print the JSON schema of config.yml."""
    print(config.schema())


@task
@command
def util_shell(_: InvokeContext) -> None:
    """Open a shell in the build chroot."""
    sys.exit(build.shell(context.create(ROOT)))


@task(help={"all": "the cache too"})
@command
def util_clean(_: InvokeContext, all: bool = False) -> None:  # noqa: A002 (the option's name)
    """Remove the work directory."""
    for folder in build.clean(context.create(ROOT), everything=all):
        print(f"removed {folder}")


@task(help={"cmdline": "more kernel parameters", "memory": "MB of RAM (default: 1024)"})
@command
def boot_qemu(_: InvokeContext, cmdline: str = "", memory: int = 1024) -> None:
    """Boot bin/ in QEMU over PXE, with the serial console on this terminal."""
    sys.exit(qemu.boot(context.create(ROOT), cmdline, memory))


@task
@command
def test_unit(_: InvokeContext) -> None:
    """Run the fast tests and the linters: no root, no network."""
    pytest("tests/unit")


@task
@command
def test_all(_: InvokeContext) -> None:
    """Run all tests: unit, integration (root) and boot (builds the image, boots it in QEMU over PXE)."""
    pytest("tests/unit", "tests/integration", "tests/boot")


@task(name="build", help={"version": VERSION_HELP})
@command
def bench_build(_: InvokeContext, version: str = "bench") -> None:
    """Measure a cold build: seconds of each stage, and sizes, as JSON."""
    print(as_json(bench.cold_build(context.create(ROOT, version))))


@task(name="boot", help={"memory": "MB of RAM (default: 256)"})
@command
def bench_boot(_: InvokeContext, memory: int = 256) -> None:
    """Measure a boot over PXE: seconds from power-on to the hand-over and to SSH, as JSON."""
    print(as_json(bench.boot(context.create(ROOT), memory)))


@task(name="help", default=True)
@command
def show_help(_: InvokeContext) -> None:
    """Say what this is, and which commands matter."""
    print(documentation.overview(ROOT))


def refuse_bad_command_lines() -> None:
    """Invoke ends with status 1 for a command line that it cannot parse; ours is 2."""
    parse = program.parse_tasks

    def parse_tasks() -> None:
        try:
            parse()
        except (ParseError, ValueError) as error:  # ValueError: a number that is none
            raise Exit(f"error: {error}", UserError.status) from error

    program.parse_tasks = parse_tasks  # type: ignore[method-assign]


refuse_bad_command_lines()


def as_json(value: object) -> str:
    return json.dumps(value, indent=2)


def pytest(*folders: str) -> None:
    """Runs pytest in place of this process, so that its status is ours."""
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *folders])  # noqa: S606


def collection(name: str, **tasks: Any) -> Collection:
    made = Collection(name)
    for task_name, body in tasks.items():
        made.add_task(body, name=task_name.replace("_", "-"))
    return made


ns = Collection(
    collection(
        "build", all=build_all, info=build_info, check_depends=build_check_depends, stage3=build_stage3,
        system=build_system, kernel=build_kernel, ramfs=build_ramfs,
    ),
    collection("config", check=config_check, schema=config_schema),
    collection("util", shell=util_shell, clean=util_clean),
    collection("boot", qemu=boot_qemu),
    collection("test", unit=test_unit, all=test_all),
    collection("bench", build=bench_build, boot=bench_boot),
)  # fmt: skip
ns.add_task(show_help)
