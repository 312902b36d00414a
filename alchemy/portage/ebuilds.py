"""The ebuilds of overlays/, read on the host: their variables, source files, and the places of these.

Bash reads them, as it does for Portage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.portage import settings

_VARIABLES = ("SRC_URI", "RESTRICT", "LICENSE", "SLOT", "HOMEPAGE")
_DEBIAN = "mirror://debian/"

# The arguments are the names of variables, and ebuilds. It prints a line for each ebuild, with tabs in it: its path and
# the values; `!` and the path where bash cannot read it.
_SCRIPT = r"""
names=$1
shift
set -f

# what an ebuild may call outside of its functions (PMS, section 12.3)
die() { exit 1; }
EXPORT_FUNCTIONS() { :; }
inherit() {
	local eclass folder
	for eclass; do
		for folder in "$repository" "${repository%/*}"/embedded; do
			if [[ -f "$folder/eclass/$eclass.eclass" ]]; then
				ECLASS=$eclass
				source "$folder/eclass/$eclass.eclass"
				break
			fi
		done
	done
}

read_ebuild() (
	EAPI=8 WORKDIR=/w S=/w FILESDIR=/f T=/t ECLASS='' RESTRICT='' REPLACING_VERSIONS=''
	PF=${1##*/}
	PF=${PF%.ebuild}
	folder=${1%/*}
	PN=${folder##*/}
	PVR=${PF#"$PN"-}
	P=${PF%-r[0-9]*}
	PV=${P#"$PN"-}
	folder=${folder%/*}
	CATEGORY=${folder##*/}
	repository=${folder%/*}
	source "$1" || exit 1
	line=$1
	for name in $names; do
		# splits and joins: all white space becomes one blank
		words=(${!name-})
		line+=$'\t'"${words[*]}"
	done
	printf '%s\n' "$line"
)

for ebuild; do
	read_ebuild "$ebuild" </dev/null 2>/dev/null || printf '!%s\n' "$ebuild"
done
"""


@dataclass(frozen=True)
class Ebuild:
    """An ebuild with its variables, white space in them as one blank."""

    path: Path
    category: str
    name: str
    version: str
    variables: Mapping[str, str]

    @property
    def atom(self) -> str:
        return f"{self.category}/{self.name}"

    @property
    def slot(self) -> str:
        return self.variables["SLOT"].split("/")[0]

    @property
    def by_hand(self) -> bool:
        """Whether only a person may fetch its files."""
        return "fetch" in self.variables["RESTRICT"].split()

    def uris(self) -> dict[str, list[str]]:
        """Returns the URIs of each source file, of all USE flags, in their order (PMS, section 7.3.2)."""
        found: dict[str, list[str]] = {}
        words = [word for word in self.variables["SRC_URI"].split() if word not in ("(", ")") and word[-1] != "?"]
        while words:
            uri = words.pop(0)
            renamed = words[:1] == ["->"]
            name = words[1] if renamed else uri.rpartition("/")[2]
            del words[: 2 if renamed else 0]
            plain = uri.removeprefix("fetch+").removeprefix("mirror+")
            found.setdefault(name, []).append(plain)
        return {name: _upstream_first(uris) for name, uris in found.items()}


def _upstream_first(uris: Iterable[str]) -> list[str]:
    return sorted(uris, key=lambda uri: uri.startswith("mirror://"))


def debian_path(uri: str) -> str | None:
    """Returns the path of a file below Debian's mirror, from a URI in SRC_URI; None for any other URI."""
    return uri.removeprefix(_DEBIAN) if uri.startswith(_DEBIAN) else None


def read(context: Context, paths: Iterable[Path]) -> list[Ebuild]:
    """Reads ebuilds. Raises UserError that names those that bash cannot read or that have an invalid name."""
    paths = list(paths)
    if not paths:
        return []
    listed = context.runner.capture(
        ["bash", "-c", _SCRIPT, "bash", " ".join(_VARIABLES), *paths], what="reading the ebuilds"
    )
    found, broken = [], []
    for line in listed.splitlines():
        path, *values = line.split("\t")
        try:
            found.append(_ebuild(Path(path), values))
        except ValueError:
            broken.append(path.removeprefix("!"))
    if broken or len(found) != len(paths):
        names = broken or ["their output is malformed"]
        raise UserError(
            "\n".join(["some ebuilds cannot be read", *(f"  {name}" for name in names)]),
            hint="pkgcheck scan, in overlays/, says why",
        )
    return found


def _ebuild(path: Path, values: Sequence[str]) -> Ebuild:
    if len(values) != len(_VARIABLES):
        raise ValueError(f"{path}: malformed")
    name, version = settings.split_version(path.stem)
    return Ebuild(path, path.parts[-3], name, version, dict(zip(_VARIABLES, values, strict=True)))


def every(context: Context) -> list[Ebuild]:
    """Reads all ebuilds of overlays/."""
    return read(context, sorted((context.root / "overlays").glob("*/*/*/*.ebuild")))


def of(context: Context, atom: str) -> list[Ebuild]:
    """Reads the ebuilds of a package: `CATEGORY/NAME`, with `:SLOT` only those of the slot.

    Raises UserError when there is none.
    """
    name, _, slot = atom.partition(":")
    folders = "" if name.count("/") != 1 or any(c in name for c in "*?[]\\") or ".." in name else name
    paths = sorted((context.root / "overlays").glob(f"*/{folders}/*.ebuild")) if folders else []
    found = [ebuild for ebuild in read(context, paths) if slot in ("", ebuild.slot)]
    if not found:
        raise UserError(f"{atom}: no such ebuild in overlays/ (expected CATEGORY/NAME or CATEGORY/NAME:SLOT)")
    return found
