"""alchemy-jobs: runs the jobs of this boot, one after the other; the service `jobs` starts it."""

from __future__ import annotations

import json
import select
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import sleep

from alchemy_node import cmdline, private_files, rack
from alchemy_node.burnin import limits
from alchemy_node.burnin.terminal import Terminal, consoles
from alchemy_node.intake import asset_tag, lldp_gate
from alchemy_node.jobs import plan
from alchemy_node.jobs.plan import Job, PlanError
from alchemy_node.machine import Machine
from alchemy_node.manager import ManagerError
from alchemy_node.processes import NotStartedError, Output, Supervised
from alchemy_node.rack import NoRunError, Session, UnavailableError
from alchemy_node.status import Status
from alchemy_node.text import printable

# The addresses of a network come within this time, or the first job says what it lacks.
_NETWORK_SECONDS = 120
# seconds between two attempts to reach a rack service that does not answer
_LONGEST_DELAY = 60.0
_WORDS = {0: "PASS", 1: "FAIL"}
_WORST = ("ERROR", "FAIL", "PASS")
# A burn-in that is killed is started again so often: it goes on with its run.
_MOST_RESTARTS = 3
# So many of a failed program's complaints go to the consoles; the log has all.
_MOST_LINES = 12


def run(argv: Sequence[str]) -> Output:
    """Runs a program to its end, however long it takes; it dies with this one."""
    try:
        program = Supervised(argv)
    except NotStartedError as error:
        return Output(problem=str(error))
    while program.pipes:
        for pipe in select.select(list(program.pipes), [], [])[0]:
            program.read(pipe)
    while not program.ended():
        sleep(0.1)
    return program.finish()


@dataclass(frozen=True)
class Surroundings:
    """What a test replaces: the machine, programs, and time."""

    machine: Machine = field(default_factory=Machine)
    run: Callable[[Sequence[str]], Output] = run
    pause: Callable[[float], None] = sleep

    def say(self, line: str) -> None:
        """Writes one line to the log of the service, and to every console."""
        # as the preliminary init says it
        uptime = (self.machine.read("/proc/uptime") or "").partition(" ")[0]
        shown = f"[{uptime:>8}] alchemy: {printable(line, 200)}"
        print(shown, flush=True)
        for name in consoles(self.machine):
            # a console that takes no bytes is left out
            if terminal := Terminal.open(self.machine.root / "dev" / name, dumb=True):
                terminal.write(f"{shown}\r\n")
                terminal.close()

    @property
    def log(self) -> Path:
        """The folder of the logs."""
        return self.machine.root / "var/log/alchemy"


def main(around: Surroundings | None = None) -> int:
    """Runs the jobs, and returns the worst status of them; 0 where there is none to run."""
    around = around or Surroundings()
    parameters = cmdline.values(around.machine)
    names, url = plan.asked(parameters), parameters.get("rack_url", "")
    if not names and not url:
        return Status.PASS
    _wait_for_network(around)
    session = None
    try:
        session = _ask_rack(url, parameters, around, patient=not names) if url else None
    except ManagerError as error:
        around.say(f"rack: {error}")
        if not names:
            return Status.PASS if isinstance(error, NoRunError) else Status.ERROR
    try:
        said, expect = (session.burnin, session.expect_url) if session else ({}, "")
        wanted = names or (session.jobs if session else ())
        jobs = plan.make(parameters, wanted, said, expect, cmdline.doubts(around.machine))
    except PlanError as error:
        around.say(f"jobs: error: {error}")
        _show_verdict({"jobs": "ERROR"}, around)
        return Status.ERROR
    _tell_rack(session, "system", f"jobs: {', '.join(job.name for job in jobs) or 'none'}", around)
    return _run(jobs, session, around)


def _run(jobs: Sequence[Job], session: Session | None, around: Surroundings) -> Status:
    """Runs all jobs: the next one runs whatever this one has found."""
    words: dict[str, str] = {}
    for job in jobs:
        _verdict(around, "RUNNING")
        around.say(f"{job.name}: started")
        _tell_rack(session, job.name, "started", around)
        words[job.name] = _one(job, session, around)
        around.say(
            f"{job.name}: {words[job.name]}, see {around.machine.root / 'var/log/alchemy' / (job.name + '.log')}"
        )
        _tell_rack(session, job.name, words[job.name], around)
    if words:
        _show_verdict(words, around)
    return {"PASS": Status.PASS, "FAIL": Status.FAIL, "ERROR": Status.ERROR}[_worst(words)]


def _one(job: Job, session: Session | None, around: Surroundings) -> str:
    """Runs a job, and returns PASS, FAIL or ERROR."""
    if job.name == "inventory" and (silent := lldp_gate.wait(around.machine, pause=around.pause)):
        around.say(f"inventory: no LLDP neighbour on {', '.join(silent)}")
    output = _burn_in(job, around) if job.name == "burnin" else around.run(job.argv)
    private_files.write(around.log / f"{job.name}.log", output.stdout + output.stderr)
    complaints = [line for line in output.stderr.splitlines() if line.strip()]
    if output.status is None:
        complaints.append(f"{job.argv[0]}: {output.problem}")
    for line in complaints[:_MOST_LINES]:
        around.say(f"{job.name}: {line}")
    word = _WORDS.get(output.status, "ERROR") if output.status is not None else "ERROR"
    if job.name == "inventory" and session is not None and not _send_inventory(session, around):
        return "ERROR"
    return word


def _burn_in(job: Job, around: Surroundings) -> Output:
    """Runs a burn-in; one that is killed is started again, which goes on with its run."""
    # it takes all memory that there is, and dies with this process
    limits.adjust(around.machine, limits.NEVER)
    output = around.run(job.argv)
    for _ in range(_MOST_RESTARTS):
        if not (output.problem or "").startswith("killed by signal"):
            break
        around.say(f"{job.name}: {output.problem}; it goes on")
        output = around.run(job.argv)
    return output


def _send_inventory(session: Session, around: Surroundings) -> bool:
    try:
        document = json.loads(around.run(["alchemy-inventory", "--json"]).stdout)
        rack.put_inventory(session, document, around.pause)
    except (ManagerError, ValueError, RecursionError) as error:
        around.say(f"inventory: error: {error}")
        return False
    return True


def _ask_rack(url: str, parameters: dict[str, str], around: Surroundings, *, patient: bool) -> Session:
    """Returns the session of this boot; if patient, retries until the rack service answers."""
    tag = asset_tag.find(around.machine, parameters.get("asset_tag", "")).value
    who = rack.identity(around.machine, tag)
    store = around.machine.root / str(rack.SESSION).lstrip("/")
    delay = 0.0
    while True:
        try:
            return rack.open_session(url, who, store, around.pause)
        except UnavailableError as error:
            if not patient:
                raise
            if not delay:
                around.say(f"rack: {error}; retrying until it answers")
        delay = min(2 * delay or 5.0, _LONGEST_DELAY)
        around.pause(delay)


def _tell_rack(session: Session | None, stage: str, message: str, around: Surroundings) -> None:
    if session is None:
        return
    try:
        rack.post_event(session, stage, message, around.pause)
    except ManagerError as error:
        around.say(f"rack: {error}")


def _wait_for_network(around: Surroundings) -> None:
    """Waits until an interface other than lo has a route, for a while."""
    for _ in range(_NETWORK_SECONDS):
        if _has_route(around.machine):
            return
        around.pause(1)
    around.say(f"jobs: no interface has an address after {_NETWORK_SECONDS} s")


def _has_route(machine: Machine) -> bool:
    # iface destination ...; behind a line of headings (proc_pid_net(5))
    if len((machine.read("/proc/net/route") or "").splitlines()) > 1:
        return True
    # destination ... iface; link-local and multicast ones are there with each link
    lines = [line.split() for line in (machine.read("/proc/net/ipv6_route") or "").splitlines()]
    return any(fields and fields[-1] != "lo" and not fields[0].startswith(("fe80", "ff")) for fields in lines)


def _show_verdict(words: dict[str, str], around: Surroundings) -> None:
    """Leaves the verdict above each login (issue(5)), on the consoles and for scripts."""
    line = ", ".join(f"{name} {word}" for name, word in words.items())
    around.say(f"jobs: {line}")
    _verdict(around, _worst(words))
    with (around.machine.root / "etc/issue").open("a", encoding="utf-8") as issue:
        issue.write(f"{line}: see /var/log/alchemy\n\n")


def _verdict(around: Surroundings, word: str) -> None:
    path = around.machine.root / "run/alchemy/verdict"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{word}\n", encoding="ascii")


def _worst(words: dict[str, str]) -> str:
    return next((word for word in _WORST if word in words.values()), "PASS")
