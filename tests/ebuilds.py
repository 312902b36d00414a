"""The ebuilds of the repository, and what their variables come to."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from tests import repository

EBUILDS = sorted((repository.ROOT / "overlays").glob("*/*/*/*.ebuild"))

VARIABLES = ("SRC_URI", "LICENSE", "SLOT", "DEPEND", "RDEPEND", "BDEPEND", "PDEPEND")

# a line for each ebuild: its path and the variables, with tabs between them
_SCRIPT = r"""
inherit() { :; }
for ebuild; do (
    PF=${ebuild##*/}; PF=${PF%.ebuild}; P=${PF%-r[0-9]*}; PN=${ebuild%/*}; PN=${PN##*/}; PV=${P#"$PN"-}
    PVR=${PF#"$PN"-} CATEGORY=x WORKDIR=/w S=/w FILESDIR=/f T=/t EAPI=8 ECLASS=
    set -eu
    . "$ebuild"
    line=$ebuild
    for name in VARIABLES; do line+=$'\t'$(echo ${!name-}); done
    echo "$line"
) || echo "FAILED $ebuild"; done
"""


@cache
def variables() -> dict[Path, dict[str, str]]:
    """The variables of each ebuild that can be read, white space in them as one blank.

    A unit test needs the fixture real_processes.
    """
    script = _SCRIPT.replace("VARIABLES", " ".join(VARIABLES))
    done = subprocess.run(
        ["bash", "-f", "-c", script, "bash", *map(str, EBUILDS)], stdout=subprocess.PIPE, text=True, check=True
    )
    found = {}
    for line in done.stdout.splitlines():
        path, *values = line.split("\t")
        if len(values) == len(VARIABLES):
            found[Path(path)] = dict(zip(VARIABLES, values, strict=True))
    return found
