"""Prints what the build of the given atoms and sets asks of a person, as JSON.

Runs in the build chroot, with Portage's own Python modules. `refusal` is what emerge says when it cannot tell what to
build. Else `demands` has, for each package that would be built or installed: `files` it has that only a person may
fetch and that are not there, `unknown` for those that are there, but of which its Manifest has no digest, `absent` for
those that are yet to be fetched, and `licences` that are not accepted.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import portage
from portage.dep import use_reduce


def pretend(atoms: list[str]) -> subprocess.CompletedProcess[str]:
    """What emerge would do if every licence were accepted."""
    return subprocess.run(
        ["emerge", "--pretend", "--quiet", "--oneshot", "--usepkg", *atoms], env={**os.environ, "ACCEPT_LICENSE": "*"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip


def findings(
    cpv: str, built: bool, database: portage.dbapi.porttree.portdbapi, settings: portage.config
) -> dict[str, object]:
    """What a package asks for, which will be `built` from source or is a binary package."""
    settings.setcpv(cpv, mydb=database)
    use = settings["PORTAGE_USE"].split()
    restrict, homepage = database.aux_get(cpv, ["RESTRICT", "HOMEPAGE"])
    missing, unknown, absent = [], [], []
    folders = [settings["DISTDIR"], *settings.get("PORTAGE_RO_DISTDIRS", "").split()]
    if "fetch" in use_reduce(restrict, uselist=use, flat=True):
        manifest = portage.Manifest(str(Path(database.findname(cpv)).parent), settings["DISTDIR"], thin=True)
        for file in database.getFetchMap(cpv, useflags=use):
            if not any(Path(folder, file).exists() for folder in folders):
                missing.append(file)
            elif file not in manifest.getTypeDigests("DIST"):
                unknown.append(file)
    elif built:
        files = database.getFetchMap(cpv, useflags=use)
        absent = [file for file in files if not any(Path(folder, file).exists() for folder in folders)]
    reasons = portage.getmaskingstatus(cpv, settings=settings, portdb=database)
    licences = [reason.removesuffix(" license(s)") for reason in reasons if reason.endswith(" license(s)")]
    return {
        "package": cpv, "page": homepage.split()[0] if homepage else "",
        "files": missing, "unknown": unknown, "absent": absent, "licences": " ".join(licences).split(),
    }  # fmt: skip


def main() -> None:
    database = portage.db[portage.root]["porttree"].dbapi
    settings = portage.config(clone=portage.settings)
    done = pretend(sys.argv[1:])
    found = re.findall(r"^\[(ebuild|binary)[^]]*\] ([^\s:]+)", done.stdout, re.MULTILINE)
    known = [(cpv, kind == "ebuild") for kind, cpv in found if database.cpv_exists(cpv)]
    demands = [] if done.returncode else [findings(cpv, built, database, settings) for cpv, built in known]
    print(json.dumps({"refusal": done.stdout if done.returncode else "", "demands": demands}))


if __name__ == "__main__":
    main()
