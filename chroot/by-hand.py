"""Prints what the build of the given atoms and sets needs, as JSON; the arguments are those of emerge.

Runs in the build chroot, without network, with Portage's own Python modules. `said` is what emerge printed, `refusal`
the same when it cannot tell what to build, or why it could not build it. There are, of the packages that would be built
or installed:

- `demands`, what a person has to do, for each package: `files` that only a person may fetch and that are not there,
  `unknown` files, of which the Manifest has no digest, and `licences` that are not accepted;
- `sources`, the files that packages are built from: name, size in bytes and digests by the Manifest, and the `places`
  to download each from, in order, as pairs: `uri` and the URL of the file, or `mirror` and the base of one;
- `binaries`, the packages to take from binary package hosts: the URI of the host's index, and the path below it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import portage
from portage.const import CUSTOM_MIRRORS_FILE
from portage.dep import use_reduce
from portage.util import grabdict

# the version of bash that ebuilds of an EAPI need (PMS 6); older EAPIs need what every stage3 has
BASH = {"9": (5, 3)}


def pretend(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """What emerge would do if every licence were accepted."""
    return subprocess.run(
        ["emerge", "--pretend", "--quiet", "--oneshot", "--usepkg", *arguments],
        env={**os.environ, "ACCEPT_LICENSE": "*"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip


class Places:
    """Where to look for a file: mirrors, upstream, then mirror:// places. Portage's fetch() has the last two the other
    way round, and shuffles what several packages share."""

    def __init__(self, settings: portage.config) -> None:
        self._own = grabdict(str(Path(settings["PORTAGE_CONFIGROOT"], CUSTOM_MIRRORS_FILE)), recursive=1)
        self._known = settings.thirdpartymirrors()

    def of(self, uris: Iterable[str], restrict: list[str], mirrors: str) -> list[tuple[str, str]]:
        """The places of a file with these URIs in SRC_URI, by a package's RESTRICT and GENTOO_MIRRORS."""
        uris = list(uris)
        bases = list(self._own.get("local", []))
        restricted = {"fetch", "mirror", "nomirror"} & set(restrict)
        if not restricted or any(uri.startswith("mirror+") for uri in uris):
            bases += mirrors.split()
        indirect, primary = [], []
        for uri in uris:
            lifted = uri.startswith(("fetch+", "mirror+"))
            plain = uri.partition("+")[2] if lifted else uri
            if plain.startswith("mirror://"):
                name, _, path = plain.removeprefix("mirror://").partition("/")
                found = [*self._own.get(name, []), *self._known.get(name, [])]
                indirect += [("uri", f"{base.rstrip('/')}/{path}") for base in found]
            elif "fetch" not in restrict or lifted:
                primary.append(("uri", plain))
        # a folder belongs to the chroot, which has no file of the user
        general = [("mirror", base) for base in bases if not base.startswith("/")]
        if "primaryuri" in restrict:
            return [*primary, *indirect, *general]
        return [*general, *primary, *indirect]


def findings(
    cpv: str, built: bool, database: portage.dbapi.porttree.portdbapi, settings: portage.config, places: Places
) -> tuple[dict[str, object], list[dict[str, object]]]:
    """What a package asks of a person, and the files it is made of, if it will be `built` from source."""
    settings.setcpv(cpv, mydb=database)
    use = settings["PORTAGE_USE"].split()
    restrict, homepage = database.aux_get(cpv, ["RESTRICT", "HOMEPAGE"])
    restrict = use_reduce(restrict, uselist=use, flat=True)
    missing, unknown, sources = [], [], []
    if built or "fetch" in restrict:
        folders = [settings["DISTDIR"], *settings.get("PORTAGE_RO_DISTDIRS", "").split()]
        manifest = portage.Manifest(str(Path(database.findname(cpv)).parent), settings["DISTDIR"], thin=True)
        digests = manifest.getTypeDigests("DIST")
        for file, uris in database.getFetchMap(cpv, useflags=use).items():
            found = places.of(uris, restrict, settings.get("GENTOO_MIRRORS", ""))
            if "fetch" in restrict and not found and not any(Path(folder, file).exists() for folder in folders):
                missing.append(file)
            elif file not in digests:
                unknown.append(file)
            else:
                known = dict(digests[file])
                size = known.pop("size")
                sources.append({"package": cpv, "file": file, "size": size, "digests": known, "places": found})
    reasons = portage.getmaskingstatus(cpv, settings=settings, portdb=database)
    licences = [reason.removesuffix(" license(s)") for reason in reasons if reason.endswith(" license(s)")]
    return {
        "package": cpv, "page": homepage.split()[0] if homepage else "",
        "files": missing, "unknown": unknown, "licences": " ".join(licences).split(),
    }, sources  # fmt: skip


def too_new(cpv: str, database: portage.dbapi.porttree.portdbapi, bash: tuple[int, ...]) -> str:
    """What Portage would say of the bash when it begins to build a package; empty for one that it can build.

    It says so earlier only of ebuilds whose metadata no tree has cached.
    """
    (eapi,) = database.aux_get(cpv, ["EAPI"])
    needed = BASH.get(eapi, (0,))
    if bash >= needed:
        return ""
    needs, has = (".".join(map(str, version)) for version in (needed, bash))
    return f"{cpv}: EAPI {eapi} requires >=bash-{needs} but only {has} was found\n"


def remote(names: set[str]) -> list[dict[str, str]]:
    """Those of the packages, named as emerge prints them, that are to be taken from binary package hosts."""
    tree = portage.db[portage.root]["bintree"]
    tree.populate(getbinpkgs=True, pretend=True)
    found = []
    for entry in (tree._remotepkgs or {}).values():
        cpv = entry["CPV"]
        if (cpv if cpv.build_id is None else f"{cpv}-{cpv.build_id}") in names:
            found.append({"index": entry["PKGINDEX_URI"], "path": entry.get("PATH", "")})
    return found


def main() -> None:
    database = portage.db[portage.root]["porttree"].dbapi
    settings = portage.config(clone=portage.settings)
    done = pretend(sys.argv[1:])
    refusal = done.stdout if done.returncode else ""
    answer = {"said": done.stdout, "refusal": refusal, "demands": [], "sources": [], "binaries": []}
    if not done.returncode:
        found = re.findall(r"^\[(ebuild|binary)[^]]*\] ([^\s:]+)", done.stdout, re.MULTILINE)
        places = Places(settings)
        version = subprocess.run(["bash", "-c", "echo ${BASH_VERSINFO[*]:0:2}"], stdout=subprocess.PIPE, check=True)
        bash = tuple(map(int, version.stdout.split()))
        for kind, cpv in found:
            if database.cpv_exists(cpv):
                answer["refusal"] += too_new(cpv, database, bash) if kind == "ebuild" else ""
                demand, sources = findings(cpv, kind == "ebuild", database, settings, places)
                answer["demands"].append(demand)
                answer["sources"] += sources
        if "--getbinpkg" in sys.argv:
            answer["binaries"] = remote({cpv for kind, cpv in found if kind == "binary"})
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
