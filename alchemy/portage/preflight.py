"""What a build needs, as Portage says in the chroot before anything is fetched or compiled: what only its user can do,
source files, packages of binary package hosts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from alchemy.context import Context
from alchemy.errors import UserError, VerificationError
from alchemy.host.chroot import Chroot
from alchemy.portage import sources
from alchemy.portage.sources import Distfile

SCRIPT = "chroot/by-hand.py"

# how Portage says that an ebuild does not fit its Manifest (GLEP 74)
CORRUPT = re.compile(
    r"Digest verification failed|Missing digest for|Manifest not found|"
    r"file listed in the Manifest could not|file is not listed in the Manifest"
)

# lines of emerge's that are about something else
_NOISE = re.compile(r"!!! CONFIG_PROTECT is empty|\[(ebuild|binary) |emerge: searching for similar names")

# what the user can do about a message of emerge; \1 is a word of that message
_ADVICE = (
    (r"Change USE|USE changes|REQUIRED_USE|USE flag constraints", "edit etc/portage/package.use"),
    (r"keyword", "edit etc/portage/package.accept_keywords"),
    (r"package\.mask", "edit etc/portage/package.unmask"),
    (r"circular dependencies", "turn off the USE flag that closes the circle, in etc/portage/package.use"),
    (r"single package slot", "mask one of the versions in etc/portage/package.mask, or leave out what needs it"),
    (r"\[blocks |installed at the same time", "leave out one of the packages that block each other"),
    (r"masked by: EAPI", "name a stage3 with a newer Portage in stage3_url"),
    (
        r"EAPI (\S+) requires >=(bash-\d[\w.]*)",
        r"EAPI \1 needs \2 or newer in the stage3: name such a one in stage3_url, or mask this version in "
        "etc/portage/package.mask",
    ),
    (r"no ebuilds to satisfy.*\s*\(dependency required by \"[^@]", "add the repository that has it to overlays"),
)

# text that only gets into messages
_Text = Annotated[str, AfterValidator(lambda text: "".join(c if c.isprintable() else "?" for c in text))]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Demand(_Model):
    """What one package asks of a person: `files` to fetch from `page`, files of `unknown` digest, `licences`."""

    package: _Text
    page: _Text
    files: tuple[_Text, ...]
    unknown: tuple[_Text, ...]
    licences: tuple[_Text, ...]

    def lines(self) -> Iterable[str]:
        for file in self.files:
            yield f"{self.package}: {file} has to be fetched by hand from {self.page}"
        for file in self.unknown:
            yield f"{self.package}: its Manifest has no digest of {file}"
        if self.licences:
            yield f"{self.package}: not accepted: {', '.join(self.licences)}"


class Binary(_Model):
    """A package of a binary package host: the URI of the index that lists it, and its path below the index's folder."""

    index: _Text
    path: _Text


class Needs(_Model):
    """The answer of the script. `said` is what emerge printed, `refusal` the same of sets that it cannot build."""

    said: str = ""
    refusal: str = ""
    demands: tuple[Demand, ...] = ()
    sources: tuple[Distfile, ...] = ()
    binaries: tuple[Binary, ...] = ()


def check(
    context: Context, inside: Chroot, arguments: Iterable[str], log: Path, *, sets: Mapping[str, Sequence[str]]
) -> Needs:
    """What a build needs, by emerge's `arguments` beyond --oneshot and --usepkg.

    Raises UserError that lists everything it asks of its user, with what to do about each kind, and VerificationError
    when the chroot's answer is malformed, or an ebuild that emerge has looked at does not fit its Manifest. `sets` are
    the files that a user can edit, with the atoms that they name.
    """
    script = (context.root / SCRIPT).read_bytes()
    printed = context.runner.capture(
        inside.argv(["python3", "-", *arguments]), stdin=script, log=log, what="asking Portage what the build needs"
    )
    needs = _read(printed)
    corrupt = CORRUPT.search(needs.said)
    if corrupt is not None:
        raise _corrupt(needs.said, corrupt.start())
    if needs.refusal:
        raise _refused(needs.refusal, sets)
    if context.config.offline:
        sources.take(context, needs.sources)
    absent = sources.missing(context, needs.sources) if context.config.offline else []
    lines = [line for demand in needs.demands for line in demand.lines()]
    lines += [f"{file.package}: {file.file} is not in the cache, and this build is offline" for file in absent]
    if lines:
        raise UserError(
            "\n".join(["some packages ask for something only you can do", *(f"  {line}" for line in lines)]),
            hint="; ".join(_hints(context, needs.demands, offline=bool(absent))),
        )
    return needs


def _read(printed: str) -> Needs:
    """The answer of the script. It comes out of a chroot in which ebuilds of others were read."""
    try:
        return Needs.model_validate_json(printed)
    except ValidationError as error:
        found = [
            f"  {_place(printed, each['loc'])}: {each['msg'].removeprefix('Value error, ')} (got {each['input']!r:.80})"
            for each in error.errors()
        ]
        more = [f"  and {len(found) - 10} more"] if len(found) > 10 else []
        raise VerificationError(
            "\n".join(["Portage in the chroot: malformed answer", *found[:10], *more]),
            hint="an ebuild, its Manifest or the stage3 is broken: see SRC_URI of the package",
        ) from error


def _place(printed: str, location: Sequence[int | str]) -> str:
    """Where in the answer something is, with the name of the package that it is about."""
    path = ".".join(map(str, location)) or "answer"
    if len(location) < 2:
        return path
    entry = json.loads(printed)[location[0]][location[1]]
    package = entry.get("package") if isinstance(entry, dict) else None
    return f"{package!r:.80}: {path}" if isinstance(package, str) else path


def _corrupt(said: str, begin: int) -> VerificationError:
    """What emerge says of an ebuild that does not fit its Manifest. It would take another version."""
    first = said.rfind("\n", 0, begin) + 1
    lines = [f"  {line.rstrip()}" for line in re.sub(r"\x1b\[[0-9;]*m", "", said[first:]).splitlines()[:5]]
    return VerificationError(
        "\n".join(["Portage refuses an ebuild that does not fit its Manifest", *lines]),
        hint="for an ebuild of overlays/: ./run ebuild.manifest CATEGORY/NAME",
    )


def _refused(said: str, sets: Mapping[str, Sequence[str]]) -> UserError:
    """What emerge says of sets it cannot build, with the lines of the sets that it is about, and what can be edited."""
    said = re.sub(r"\x1b\[[0-9;]*m", "", said)
    named = [f"{file}: {atom}" for file, atoms in sets.items() for atom in atoms if atom in re.split(r"[\s\"']+", said)]
    explanation = [line.rstrip() for line in said.splitlines() if line.strip() and not _NOISE.match(line)]
    advice = [found.expand(remedy) for pattern, remedy in _ADVICE if (found := re.search(pattern, said))]
    return UserError(
        "\n".join(["Portage cannot build these package sets", *(f"  {line}" for line in [*named, *explanation])]),
        hint="; or ".join(advice) or f"edit {' or '.join(sets)}",
    )


def _hints(context: Context, demands: Iterable[Demand], *, offline: bool) -> Iterable[str]:
    demands = list(demands)
    if any(demand.files for demand in demands):
        yield f"put the files into {context.root / 'distfiles'}, under these names"
    if any(demand.unknown for demand in demands):
        yield "once the file is in distfiles/, ./run ebuild.manifest CATEGORY/NAME adds its digest"
    if offline:
        yield "build once without --offline to fetch what is missing"
    licences = sorted({licence for demand in demands for licence in demand.licences})
    if licences:
        yield f"accept_licenses: [{', '.join(licences)}] in config.yml, when you have read them"
