from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest

from alchemy.commands import sizes
from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.host import files
from tests.unit.fakes import planned, put


def build(context: Context, weights: dict[str, int], *, kernel: int = 900, used: int = 2) -> Context:
    """A build whose ramfs has 1000 bytes: 600 of packages, 250 of firmware, 50 of identity, 40 of microcode."""
    outputs = {
        "stage3": {},
        "tools": {},
        "linux": {},
        "system": {"packages.json": "[]", "about.json": "{}", "made for": str(context.config)},
        "kernel": {"bzImage": "k" * kernel, "config": "", "release": "6.12", "modules.alias": ""},
        "system-squashfs": {"packages.squashfs": "p" * 600, "weights.json": json.dumps(weights)},
        "identity-squashfs": {"identity.squashfs": "i" * 50},
        "ramfs": {
            "ramfs": "r" * 1000,
            "firmware.json": json.dumps(
                {
                    "files": [],
                    "missing": [],
                    "size": 250,
                    "microcode": 40,
                    "sizes": {"bnx2/a.fw": 100, "bnx2/b.fw": 50, "phanfw.bin": 99, "intel/ice/ddp/ice.pkg": 1},
                }
            ),
            "unpacked": "9",
        },
    }
    stages = planned(context)
    for name, contents_of in outputs.items():

        def fill(folder: Path, files: dict[str, str] = contents_of) -> None:
            for file, text in files.items():
                (folder / file).write_text(text, encoding="utf-8")

        put(stages[name], fill)
    stages["bundle"].make()
    os.utime(stages["bundle"].output, (used, used))
    return context


def configured(context: Context, **changes: object) -> Context:
    return dataclasses.replace(context, config=Config().model_copy(update=changes))


def test_the_ramfs_is_divided_among_its_parts_and_the_packages(context: Context) -> None:
    described = sizes.describe(build(context, {"sys-apps/kmod": 10, "app-shells/bash": 30, "virtual/libc": 0}))
    assert described["outputs"] == [
        {"name": "alchemy.ramfs", "bytes": 1000, "change": None},
        {"name": "alchemy.img", "bytes": 900, "change": None},
    ]
    parts = {part["name"]: part["bytes"] for part in described["parts"]}
    assert sorted(parts.values()) == [40, 50, 60, 250, 600]
    assert parts["firmware"] == 250
    assert parts["CPU microcode"] == 40
    firmware = {entry["name"]: entry["bytes"] for entry in described["firmware"]}
    assert firmware == {"bnx2/*": 150, "phanfw.bin": 99, "intel/ice/ddp/*": 1}
    assert described["packages"] == [
        {"name": "app-shells/bash", "bytes": 450, "change": None},
        {"name": "sys-apps/kmod", "bytes": 150, "change": None},
    ]


def test_changes_are_relative_to_the_build_used_last(context: Context) -> None:
    build(configured(context, compression="zstd"), {"sys-apps/kmod": 1, "app-misc/jq": 1}, kernel=800, used=1)
    build(configured(context, accept_licenses=("@EULA",)), {"sys-apps/kmod": 2}, used=0)
    described = sizes.describe(build(context, {"sys-apps/kmod": 10, "app-shells/bash": 30}))
    assert {entry["name"]: entry["change"] for entry in described["packages"]} == {
        "app-shells/bash": 450,
        "sys-apps/kmod": -150,
    }
    assert described["gone"] == ["app-misc/jq"]
    printed = sizes.text(described).splitlines()
    assert [line.split() for line in printed if "/" in line and not {",", "*"} & set(line)] == [
        ["0.5", "KB", "+0.5", "KB", "app-shells/bash"],
        ["0.1", "KB", "-0.1", "KB", "sys-apps/kmod"],
        ["gone", "app-misc/jq"],
    ]


@pytest.mark.parametrize("name", ["ramfs", "system-squashfs", "identity-squashfs"])
def test_there_is_no_comparison_when_the_cache_lost_parts_of_the_last_build(context: Context, name: str) -> None:
    other = build(configured(context, compression="zstd"), {"sys-apps/kmod": 1})
    files.remove(planned(other)[name].output)
    described = sizes.describe(build(context, {"sys-apps/kmod": 10}))
    assert [entry["change"] for entry in described["packages"]] == [None]
    assert described["gone"] == []


def test_a_version_without_a_build_has_no_sizes(context: Context) -> None:
    with pytest.raises(UserError, match=r"version 1\.2: no build of it matches"):
        sizes.describe(context)
