"""The commands of Alchemy Linux: `invoke TASK…`. What they do is in alchemy/."""

from __future__ import annotations

import errno
import functools
import itertools
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.context import Context as InvokeContext
from invoke.exceptions import Exit, ParseError
from invoke.main import program
from invoke.tasks import task

from alchemy import (
    bench,
    breakdown,
    build,
    cache,
    config,
    context,
    depends,
    disk,
    documentation,
    freeze,
    log,
    logs,
    qemu,
    rebuild,
    verify,
)
from alchemy.errors import AlchemyError, BuildError, UserError

ROOT = Path(__file__).resolve().parent
# what the user can mend: a folder that may not be written; any other, but a full disk, is a bug of ours
HOST_ERRORS = {errno.EACCES, errno.EPERM, errno.EROFS}
VERSION_HELP = "the version of the image (default: wip)"
SIZES_HELP = "what each package adds to the ramdisk, instead"
OFFLINE_HELP = "never touch the network: what the cache lacks is an error that names it"


def command(body: Callable[..., None]) -> Callable[..., None]:
    """Makes an error of ours a message and an exit status, as Invoke would show a traceback."""

    @functools.wraps(body)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        # what a build makes has the same permissions whatever the user's are
        os.umask(0o022)
        try:
            body(*args, **kwargs)
        except AlchemyError as error:
            raise Exit(f"error: {error}", error.status) from error
        except OSError as error:
            if error.errno not in HOST_ERRORS | disk.FULL:
                raise
            status = UserError.status if error.errno in HOST_ERRORS else BuildError.status
            raise Exit(f"error: {error.filename or 'the disk'}: {error.strerror}", status) from error
        except KeyboardInterrupt:
            raise Exit("stopped: what was complete is kept, the next run goes on from there", 130) from None

    return wrapper


@task(help={"version": VERSION_HELP, "offline": OFFLINE_HELP, "json": "what happens, as JSON: an object a line"})
@command
def build_all(_: InvokeContext, version: str = "wip", offline: bool = False, json: bool = False) -> None:
    """Build everything: bin/alchemy.img and bin/alchemy.ramfs."""
    run = context.create(ROOT, version, offline=offline, events=json)
    build.build(run, "image")
    outputs = build.outputs(run)
    print(as_json({"event": "built", "outputs": outputs}, indent=None) if json else build.sizes(outputs))


@task(help={"version": VERSION_HELP, "offline": OFFLINE_HELP, "json": "as JSON", "sizes": SIZES_HELP})
@command
def build_info(
    _: InvokeContext, version: str = "wip", offline: bool = False, json: bool = False, sizes: bool = False
) -> None:
    """Show the effective configuration, and for every stage whether it will be built, and why."""
    describe, as_text = (breakdown.describe, breakdown.text) if sizes else (build.info, build.info_text)
    described = describe(context.create(ROOT, version, offline=offline))
    print(as_json(described) if json else as_text(described))


@task
@command
def build_check_depends(_: InvokeContext) -> None:
    """Check the host for the programs a build needs, and name the packages of those that are missing."""
    lacking = depends.missing(depends.BUILD + depends.BOOT + depends.TEST)
    if lacking:
        raise UserError(f"programs are missing on this host\n{depends.report(lacking)}")
    print("all programs are there")


@task(help={"offline": OFFLINE_HELP})
@command
def build_stage3(_: InvokeContext, offline: bool = False) -> None:
    """Make or fetch the stage3 tarball."""
    build.build(context.create(ROOT, offline=offline), "stage3")


@task(help={"offline": OFFLINE_HELP})
@command
def build_system(_: InvokeContext, offline: bool = False) -> None:
    """Build the packages and install them into the image tree."""
    build.build(context.create(ROOT, offline=offline), "system")


@task(help={"version": VERSION_HELP, "offline": OFFLINE_HELP})
@command
def build_kernel(_: InvokeContext, version: str = "wip", offline: bool = False) -> None:
    """Build the kernel."""
    build.build(context.create(ROOT, version, offline=offline), "kernel")


@task(help={"version": VERSION_HELP, "offline": OFFLINE_HELP})
@command
def build_ramfs(_: InvokeContext, version: str = "wip", offline: bool = False) -> None:
    """Build the ramdisk, and the system in it."""
    build.build(context.create(ROOT, version, offline=offline), "ramfs")


@task(help={"update": "move it to what is there today"})
@command
def build_lock(_: InvokeContext, update: bool = False) -> None:
    """Pin stage3, tree, overlays and kernel in alchemy.lock, so that each build is of exactly those."""
    print(freeze.freeze(context.create(ROOT), update=update))


@task(help={"stage": "a stage, as build.info names it (default: what failed last); may be given without --stage"})
@command
def build_log(_: InvokeContext, stage: str = "") -> None:
    """Print the log of a stage; with none, of the last failure."""
    with logs.find(context.create(ROOT), stage).open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)


@task(help={"all": "all that is not fetched, without what was compiled before", "version": VERSION_HELP})
@command
def build_verify(_: InvokeContext, all: bool = False, version: str = "wip") -> None:  # noqa: A002 (the option's name)
    """Build again, and compare the bytes."""
    names = verify.verify(context.create(ROOT, version), everything=all)
    print(f"built again, with the same bytes: {', '.join(names)}")


@task(help={"json": "as JSON"})
@command
def cache_info(_: InvokeContext, json: bool = False) -> None:
    """Show what the cache holds: sizes, and for how long it was not used."""
    described = cache.info(context.create(ROOT))
    print(as_json(described) if json else cache.info_text(described))


@task(help={"keep_days": "what was used within so many days stays"})
@command
def cache_prune(_: InvokeContext, keep_days: int = 30) -> None:
    """Remove from the cache what was not used for a while."""
    gone = cache.prune(context.create(ROOT), keep_days)
    for entry in gone:
        print(f"removed {entry.path}")
    print(f"{len(gone)} entries, {log.size(sum(entry.size for entry in gone))}")


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
def test_integration(_: InvokeContext) -> None:
    """Run the tests with real mounts, chroots and Portage: needs root, and builds small images."""
    pytest("tests/integration")


@task
@command
def test_boot(_: InvokeContext) -> None:
    """Build the image and boot it in QEMU over PXE, with every parameter and whatever is broken: needs root."""
    pytest("tests/boot")


@task
@command
def test_all(_: InvokeContext) -> None:
    """Run all three: unit, integration and boot."""
    pytest("tests/unit", "tests/integration", "tests/boot")


@task
@command
def test_packages(_: InvokeContext) -> None:
    """Build every free package set, boot the image over PXE, and see every tool at work: a line for each."""
    pytest("--verbose", "tests/packages")


@task(name="build", help={"version": VERSION_HELP})
@command
def bench_build(_: InvokeContext, version: str = "bench") -> None:
    """Measure a cold build: seconds of each stage, and sizes, as JSON."""
    print(as_json(bench.cold_build(context.create(ROOT, version))))


@task(name="rebuild")
@command
def bench_rebuild(_: InvokeContext) -> None:
    """Measure builds after a small change, and whether they are within their bounds, as JSON."""
    print(as_json(rebuild.measure(context.create(ROOT, "bench"))))


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


def name_stage(words: list[str]) -> list[str]:
    """`build.log STAGE` as `build.log --stage=STAGE`: with Invoke a positional argument cannot be left out."""
    named = list(words)
    for at, (task_name, stage) in enumerate(itertools.pairwise(words)):
        if task_name == "build.log" and "." not in stage and not stage.startswith("-"):
            named[at + 1] = f"--stage={stage}"
    return named


def refuse_bad_command_lines() -> None:
    """Invoke ends with status 1 for a command line that it cannot parse; ours is 2."""
    parse = program.parse_tasks

    def parse_tasks() -> None:
        program.core.unparsed = name_stage(program.core.unparsed)
        try:
            parse()
        except (ParseError, ValueError) as error:  # ValueError: a number that is none
            raise Exit(f"error: {error}", UserError.status) from error

    program.parse_tasks = parse_tasks  # type: ignore[method-assign]


refuse_bad_command_lines()


def as_json(value: object, *, indent: int | None = 2) -> str:
    return json.dumps(value, indent=indent)


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
        system=build_system, kernel=build_kernel, ramfs=build_ramfs, log=build_log, lock=build_lock,
        verify=build_verify,
    ),
    collection("cache", info=cache_info, prune=cache_prune),
    collection("config", check=config_check, schema=config_schema),
    collection("util", shell=util_shell, clean=util_clean),
    collection("boot", qemu=boot_qemu),
    collection(
        "test", unit=test_unit, integration=test_integration, boot=test_boot, all=test_all, packages=test_packages,
    ),
    collection("bench", build=bench_build, rebuild=bench_rebuild, boot=bench_boot),
)  # fmt: skip
ns.add_task(show_help)
