"""What the commands do: building, saying what would be built, looking into the chroot, cleaning up."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alchemy import buildroot, cache, depends, disk, image, lock, log, logs, mounts, plan, portage, repositories, system
from alchemy.context import Context
from alchemy.errors import UserError


def build(context: Context, *names: str) -> None:
    """Builds the named stages and what they need; `image` also fills bin/."""
    require_host(context)
    with disk.explained(context), lock.exclusive(context):
        logs.begin(context)
        cache.tidy(context)
        plan.look(context)
        planned = plan.create(context)
        plan.realize(context, [planned[name] for name in names])
        for stage in planned.stages.values():
            stage.use()
        if "image" in names:
            image.publish(context, planned["image"])


def outputs(context: Context) -> dict[str, int]:
    """The paths of what a node boots, with their bytes."""
    paths = [context.bin / name for name in image.booted(context)]
    return {str(path): path.stat().st_size for path in paths}


def sizes(outputs: Mapping[str, int]) -> str:
    """The outputs and their sizes for a person, a line each."""
    return "\n".join(f"{path}  {log.size(count)}" for path, count in outputs.items())


def info(context: Context) -> dict[str, Any]:
    """The effective configuration, and for every stage its key, whether it is fresh, and why it would be built."""
    stages = plan.create(context).stages.values()
    return {
        "version": context.version,
        "config": context.config.model_dump(mode="json"),
        "work_dir": str(context.work),
        "cache_dir": str(context.cache),
        "stages": [
            {"name": stage.name, "key": stage.key, "fresh": stage.fresh, "why": stage.why()} for stage in stages
        ],
    }


def info_text(described: dict[str, Any]) -> str:
    """What info says, for a person."""
    lines = [f"Alchemy Linux {described['version']}", "", "configuration:"]
    lines += [f"  {key}: {_yaml(value)}" for key, value in described["config"].items() if value is not None]
    lines += ["", "stages:"]
    for stage in described["stages"]:
        lines.append(
            f"  {stage['name']:8} {stage['key'] or '-':16}  {'fresh' if stage['fresh'] else 'build: ' + stage['why']}"
        )
    return "\n".join(lines)


def _yaml(value: Any) -> str:
    return "[" + ", ".join(map(str, value)) + "]" if isinstance(value, list) else str(value)


def shell(context: Context) -> int:
    """A shell in the build chroot, as the last build in it left it; made from the stage3 when there is none."""
    require_host(context)
    with lock.exclusive(context):
        there = system.folder(context).is_dir()
        if not there:
            plan.look(context)
        planned = plan.create(context)
        plan.realize(context, [planned["stage3"], *planned.trees])
        available = repositories.collect(context, planned.trees)
        root = system.folder(context)
        if not there:
            buildroot.prepare(context, planned["stage3"], root, available, {}, "shell")
        inside = buildroot.chroot(context, root, available)
        packages = portage.package_cache(context, inside, context.logfile("shell"))
        # writable, as `ebuild … manifest` writes into them
        writable = {f"{repositories.FOLDER}/{name}": path for name, path in available.local.items()}
        others = {name: path for name, path in inside.ro_binds.items() if name not in writable}
        inside = replace(
            inside,
            network=True,
            binds={**inside.binds, portage.BINPKGS: packages, **writable},
            ro_binds=others,
            env={"TERM": os.environ.get("TERM", "dumb"), "PS1": "(alchemy) \\w # "},
        )
        return context.runner.foreground(inside.argv(["bash", "--norc"], interactive=True, cwd="/root"))


def clean(context: Context, *, everything: bool) -> list[str]:
    """Removes the work directory, and the cache with `everything`; returns what it removed.

    Raises UserError while a build runs, and when something is mounted there, which it would otherwise empty.
    """
    folders = [folder for folder in (context.work, *([context.cache] if everything else [])) if folder.is_dir()]
    for folder in folders:
        if folder == context.root or folder in context.root.parents:
            raise UserError(f"{folder}: holds the repository itself", hint="see work_dir and cache_dir of config.yml")
        for point in mounts.below(folder):
            raise UserError(f"{point}: something is mounted there", hint=f"umount {point}")
    if not folders:
        return []
    with lock.exclusive(context):
        for folder in folders:
            lock.remove(folder)
    return [str(folder) for folder in folders]


def require_host(context: Context) -> None:
    """Raises UserError unless this host can build: root, and every program there."""
    if os.geteuid() != 0:
        raise UserError("a build needs root, for chroot and mounts", hint="sudo ./run build.all")
    lacking = depends.missing(depends.BUILD)
    if lacking:
        raise UserError(f"programs are missing on this host\n{depends.report(lacking)}")
