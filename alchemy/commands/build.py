"""The commands build.*, config.check and util.*: builds, describes a build, opens a shell in the chroot, cleans up."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import yaml

from alchemy.commands import cache
from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.host import depends, folders, full_disk, locking, logs, mounts
from alchemy.portage import binpkgs, buildroot, kernel_config, profile, repositories, settings
from alchemy.stages import bundle, kernel, plan, system
from alchemy.stages.outputs import TOOLS
from alchemy.ui import events


def build(context: Context, *names: str) -> None:
    """Builds the named stages and their needs; the bundle also replaces bin/."""
    require_host(context)
    check_files(context)
    with full_disk.explained(context), locking.exclusive(context):
        logs.begin(context)
        cache.tidy(context)
        planned = plan.create(context, plan.look(context))
        plan.realize(context, [planned[name] for name in names])
        for stage in planned.stages.values():
            stage.use()
        if bundle.NAME in names:
            bundle.publish(context, planned[bundle.NAME])


def check_files(context: Context) -> None:
    """Checks the package sets and kernel configurations that config.yml names. Raises UserError for an invalid line."""
    buildroot.read_sets(context, context.config.packages)
    kernel.read_config(kernel_config.paths(context))


def outputs(context: Context) -> dict[str, int]:
    """Returns the paths of the files that a node boots, with their sizes in bytes."""
    paths = [context.bin / name for name in bundle.booted(context)]
    return {str(path): path.stat().st_size for path in paths}


def sizes(outputs: Mapping[str, int]) -> str:
    """Formats `outputs` as text, one line per file."""
    return "\n".join(f"{path}  {events.size(count)}" for path, count in outputs.items())


def info(context: Context) -> dict[str, Any]:
    """Returns the effective configuration, the profile with its source, and for each stage its key, whether it is
    fresh, and why it is not."""
    planned = plan.create(context, plan.recall(context))
    stages = planned.stages.values()
    return {
        "version": context.version,
        "config": context.config.model_dump(mode="json"),
        "profile": _profile(context, planned),
        "work_dir": str(context.work),
        "cache_dir": str(context.cache),
        "stages": [
            {"name": stage.name, "key": stage.key, "fresh": stage.fresh, "why": stage.why()} for stage in stages
        ],
    }


def _profile(context: Context, planned: plan.Plan) -> dict[str, Any]:
    """Returns the profiles that packages are built with, and what names them; no profile of a stage3 that has not been
    unpacked yet."""
    if context.config.profile:
        return {"names": list(context.config.profile), "source": "profile in config.yml"}
    tools = planned["tools"]
    names = profile.current(tools.output / TOOLS) if tools.fresh else []
    return {"names": names, "source": f"the stage3, {context.config.stage3_url}"}


def info_text(described: dict[str, Any]) -> str:
    """Formats `info` as text."""
    lines = [f"Alchemy Linux {described['version']}", "", "configuration:"]
    lines += [f"  {key}: {_yaml(value)}" for key, value in described["config"].items() if value is not None]
    used = described["profile"]
    lines += ["", f"profile: {', '.join(used['names']) or 'not known before the first build'} ({used['source']})"]
    lines += ["", "stages:"]
    for stage in described["stages"]:
        lines.append(
            f"  {stage['name']:17} {stage['key'] or '-':32}  {'fresh' if stage['fresh'] else 'build: ' + stage['why']}"
        )
    return "\n".join(lines)


def _yaml(value: Any) -> str:
    """Formats a value on one line of YAML, as it could stand in config.yml."""
    dumped: str = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True)
    return dumped.removesuffix("...\n").strip()


def shell(context: Context, *, network: bool = False) -> int:
    """Opens a shell in the build chroot as the last build left it, or in a new chroot when there is none.

    With `network` the shell shares the network of the host, including its loopback. Returns the exit status of the
    shell. Raises UserError for `network` when the configuration is offline.
    """
    if network and context.config.offline:
        raise UserError("--network: not allowed with offline: true", hint="set offline: false in config.yml")
    require_host(context)
    with locking.exclusive(context):
        there = system.folder(context).is_dir()
        planned = plan.create(context, plan.recall(context) if there else plan.look(context))
        plan.realize(context, [planned["stage3"], *planned.trees.values()])
        available = repositories.collect(context, {name: stage.output for name, stage in planned.trees.items()})
        root = system.folder(context)
        if not there:
            buildroot.prepare(context, planned["stage3"].output, root, available, {}, "shell")
        inside = buildroot.chroot(context, root, available)
        packages = binpkgs.folder(context, system.NAME if there else "shell")
        packages.mkdir(parents=True, exist_ok=True)
        # writable: `ebuild … manifest` writes the Manifest into them
        writable = {f"{repositories.FOLDER}/{name}": path for name, path in available.local.items()}
        others = {name: path for name, path in inside.ro_binds.items() if name not in writable}
        inside = replace(
            inside,
            network=network,
            binds={**inside.binds, settings.BINPKGS: packages, **writable},
            ro_binds=others,
            env={"TERM": os.environ.get("TERM", "dumb"), "PS1": "(alchemy) \\w # "},
        )
        return context.runner.foreground(inside.argv(["bash", "--norc"], interactive=True, cwd="/root"))


def clean(context: Context, *, everything: bool) -> list[str]:
    """Removes the work directory, and with `everything` the cache; returns the paths of what it removed.

    Raises UserError while a build runs, for a folder without our marker, and for one with something mounted in it,
    which would be emptied.
    """
    wanted = [(kind, folder) for kind, folder in reversed(folders.of(context)) if everything or kind is folders.WORK]
    there = []
    for kind, folder in wanted:
        if folder == context.root or folder in context.root.parents:
            raise UserError(f"{folder}: contains the repository", hint="change work_dir and cache_dir in config.yml")
        for point in mounts.below(folder):
            raise UserError(f"{point}: is a mount point", hint=f"umount {point}")
        if folders.check(kind, folder, context.root, marked=True):
            there.append((kind, folder))
    if not there:
        return []
    with locking.exclusive(context):
        for kind, folder in there:
            locking.remove(kind, folder)
    return [str(folder) for _, folder in there]


def require_host(context: Context) -> None:
    """Raises UserError unless this host can build: as root, with every program that the configuration needs."""
    if os.geteuid() != 0:
        raise UserError("a build needs root, for chroot and mounts", hint="sudo ./run build.all")
    lacking = depends.missing(depends.of_build(context.config))
    if lacking:
        raise UserError(f"programs are missing on this host\n{depends.report(lacking)}")
