"""What a build asks of its user, all of it before anything compiles: sets that can be built, files to fetch by hand,
licences to accept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from alchemy.chroot import Chroot
from alchemy.context import Context
from alchemy.errors import UserError

_SCRIPT = "chroot/by-hand.py"

# lines of emerge's that are about something else
_NOISE = re.compile(r"!!! CONFIG_PROTECT is empty|\[(ebuild|binary) |emerge: searching for similar names")

# where the user has a say in what emerge speaks of
_ADVICE = (
    (r"Change USE|USE changes|REQUIRED_USE|USE flag constraints", "etc/portage/package.use"),
    (r"keyword", "etc/portage/package.accept_keywords"),
    (r"package\.mask", "etc/portage/package.unmask"),
)


@dataclass(frozen=True)
class Demand:
    """What one package asks for: `files` to fetch from `page`, files of `unknown` digest, those that are `absent` and
    can't be fetched offline, and `licences`."""

    package: str
    page: str
    files: tuple[str, ...]
    unknown: tuple[str, ...]
    absent: tuple[str, ...]
    licences: tuple[str, ...]

    def lines(self) -> Iterable[str]:
        for file in self.files:
            yield f"{self.package}: {file} has to be fetched by hand from {self.page}"
        for file in self.unknown:
            yield f"{self.package}: its Manifest has no digest of {file}"
        for file in self.absent:
            yield f"{self.package}: {file} is not in the cache, and this build is offline"
        if self.licences:
            yield f"{self.package}: not accepted: {', '.join(self.licences)}"


def check(
    context: Context, inside: Chroot, atoms: Iterable[str], log: Path, *, sets: Mapping[str, Sequence[str]]
) -> None:
    """Raises UserError that lists everything a build of `atoms` asks for, with what to do about each kind.

    `sets` are the files that a user can edit, with the atoms that they name.
    """
    script = (context.root / _SCRIPT).read_bytes()
    printed = context.runner.capture(
        inside.argv(["python3", "-", *atoms]), stdin=script, log=log, what="looking for what is to be done by hand"
    )
    answer = json.loads(printed)
    if answer["refusal"]:
        raise _refused(answer["refusal"], sets)
    demands = [
        Demand(
            entry["package"], entry["page"], tuple(entry["files"]), tuple(entry["unknown"]),
            tuple(entry["absent"]) if context.config.offline else (), tuple(entry["licences"]),
        )
        for entry in answer["demands"]
    ]  # fmt: skip
    lines = [line for demand in demands for line in demand.lines()]
    if lines:
        raise UserError(
            "\n".join(["some packages ask for something only you can do", *(f"  {line}" for line in lines)]),
            hint="; ".join(_hints(context, demands)),
        )


def _refused(said: str, sets: Mapping[str, Sequence[str]]) -> UserError:
    """What emerge says of sets it cannot build, with the lines of the sets that it is about, and what can be edited."""
    said = re.sub(r"\x1b\[[0-9;]*m", "", said)
    named = [f"{file}: {atom}" for file, atoms in sets.items() for atom in atoms if atom in re.split(r"[\s\"']+", said)]
    explanation = [line.rstrip() for line in said.splitlines() if line.strip() and not _NOISE.match(line)]
    advice = [file for pattern, file in _ADVICE if re.search(pattern, said)]
    return UserError(
        "\n".join(["Portage cannot build these package sets", *(f"  {line}" for line in [*named, *explanation])]),
        hint=f"edit {' or '.join([*(advice or dict.fromkeys(sets))])}",
    )


def _hints(context: Context, demands: list[Demand]) -> Iterable[str]:
    if any(demand.files for demand in demands):
        yield f"put the files into {context.root / 'distfiles'}, under these names"
    if any(demand.unknown for demand in demands):
        yield "a digest is made in invoke util.shell: ebuild /var/db/repos/REPOSITORY/CATEGORY/NAME/*.ebuild manifest"
    if any(demand.absent for demand in demands):
        yield "build once without --offline to fetch what is missing"
    licences = sorted({licence for demand in demands for licence in demand.licences})
    if licences:
        yield f"accept_licenses: [{', '.join(licences)}] in config.yml, when you have read them"
