"""Where the lines of a run go beside this machine, and where a run without an end comes from.

The answer to POST /v1/boots has in `burnin` the key `run`, where the node has a run without an end at the rack service.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alchemy_node import cmdline, rack, web
from alchemy_node.burnin import resume
from alchemy_node.burnin.journal import Folder, Rack, Target, is_run
from alchemy_node.burnin.record import Record
from alchemy_node.machine import Machine
from alchemy_node.manager import ManagerError

# in the folder of a run: the run's id at the rack service
_KEPT = "rack-run"


@dataclass(frozen=True)
class OpenRun:
    """The record of a run without an end. `reset`: an earlier boot began it."""

    path: Path
    reset: bool


def find(machine: Machine, folder: Path) -> OpenRun | None:
    """Returns the run to go on with: one of this boot, else one that the rack service has.

    Raises web.WebError and OSError when the rack service has one that cannot be fetched: to begin another would hide
    the reset.
    """
    found = resume.open_record(folder)
    if found is not None:
        return OpenRun(found, reset=False)
    try:
        session = _session(machine)
    except (ManagerError, web.WebError):
        return None
    run = None if session is None else session.burnin.get("run")
    if session is None or run is None:
        return None
    place = resume.fetch(session.url, session.token, str(run), folder)
    if place is None:
        return None
    (place.parent / _KEPT).write_text(str(run), encoding="ascii")
    return OpenRun(place, reset=True)


def choose(machine: Machine, record: Record, folder: Path, url: str = "") -> Target | None:
    """Returns where the lines of the record in `folder` go: to `url` by PUT, else to the rack service of this boot.

    Trouble with it is a line of the record.
    """
    if url:
        return Folder(f"{url.rstrip('/')}/{folder.name}")
    try:
        session = _session(machine)
        return None if session is None else _run(session, folder)
    except (ManagerError, web.WebError, OSError) as error:
        record.note("WARNING", f"the lines stay on this machine: {error}")
        return None


def _run(session: rack.Session, folder: Path) -> Rack:
    """Returns the run at the rack service that was begun for this record, or begins it."""
    kept = folder / _KEPT
    run = kept.read_text(encoding="ascii", errors="replace") if kept.is_file() else ""
    if is_run(run):
        return Rack(session.url, session.token, run)
    begun = Rack.begin(session.url, session.token, session.node)
    kept.write_text(begun.run, encoding="ascii")
    return begun


def _session(machine: Machine) -> rack.Session | None:
    url = cmdline.values(machine).get("rack_url")
    store = machine.root / str(rack.SESSION).lstrip("/")
    return rack.open_session(url, rack.identity(machine, ""), store) if url else None
