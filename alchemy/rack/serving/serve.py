"""Serves a rack until it is interrupted: dnsmasq, nginx and the service, started, watched and stopped together."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from alchemy import run
from alchemy.errors import UserError
from alchemy.rack import config as configuration
from alchemy.rack.records import backup
from alchemy.rack.records.database import default_url
from alchemy.rack.serving import (
    dnsmasq_version,
    interfaces,
    leftovers,
    open_files,
    ports,
    probe,
    render,
    setup,
    state,
)
from alchemy.rack.serving.setup import Setup
from alchemy.rack.serving.supervisor import Program, Supervisor
from alchemy.run import Runner
from alchemy.ui.events import Log

_CONFIG = "rack.yml"
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Options:
    """The command line. `range` is `FIRST,LAST`; without it boot.serve answers beside the network's own DHCP server,
    which `proxy` only says aloud."""

    interface: str | None = None
    proxy: bool = False
    range: str | None = None
    config: Path | None = None
    state: Path = state.DEFAULT
    port: int = 80


def back_up(root: Path, options: Options, target: Path) -> None:
    """Copies the records into a file, also while they are served. Raises UserError."""
    config = configuration.read(_config_file(root, options))
    backup.write(config.database or default_url(options.state), target)


def prepare(root: Path, options: Options) -> tuple[Setup, Path | None]:
    """Returns the setup to serve, and the rack.yml that it follows: that of the repository when none is given.

    Raises UserError for a mistake in either. It changes nothing.
    """
    if options.proxy and options.range is not None:
        raise UserError("--proxy, --range: only one of them (expected --proxy beside another DHCP server)")
    path = _config_file(root, options)
    config = configuration.read(path)
    certificate = (config.certificate, config.key) if config.certificate and config.key else None
    made = setup.create(
        interfaces.choose(options.interface or config.interface),
        options.state,
        config.images,
        range_words=options.range,
        port=options.port,
        certificate=certificate,
    )
    return made, path


def _config_file(root: Path, options: Options) -> Path | None:
    own = root / _CONFIG
    return options.config or (own if own.exists() else None)


def print_to(folder: Path, root: Path, options: Options, log: Log) -> None:
    """Writes the configuration for servers that the user runs. Raises UserError."""
    served, config = prepare(root, replace(options, state=folder))
    for path in render.print_to(served, config):
        log.info(f"{path}")


def serve(served: Setup, config: Path | None, log: Log) -> None:
    """Serves until Ctrl-C or SIGTERM, and then stops all that it started.

    Raises UserError when something keeps it from starting, and BuildError when a server dies and cannot be kept up.
    """
    if os.geteuid() != 0:
        raise UserError("boot.serve: the ports of DHCP and TFTP need root", hint="sudo ./run boot.serve")
    runner = Runner()
    with state.locked(served.folder), _on_stop_signals(signal.default_int_handler):
        programs = _programs(served, config)
        supervisor = Supervisor(runner, programs, log)
        try:
            for left in leftovers.end(path for program in programs for path in program.logs):
                log.info(f"{left}: stopped; an earlier boot.serve had left it")
            _check(served, runner, log)
            render.write(served)
            supervisor.start()
            _announce(served, config, log)
            supervisor.watch()
        except KeyboardInterrupt:
            log.info("stopping")
        finally:
            # a second Ctrl-C must not leave a server behind
            with _on_stop_signals(signal.SIG_IGN):
                supervisor.stop()


def _check(served: Setup, runner: Runner, log: Log) -> None:
    """Raises UserError when a program is missing or broken, a port is held, or another server is in the way."""
    dnsmasq = render.program("dnsmasq")
    for program in (dnsmasq, render.program("nginx")):
        run.require(program)
    if served.range is None:
        dnsmasq_version.check(runner.capture([dnsmasq, "--version"]))
    ports.check(served.ports)
    _look_around(served, log)


def _look_around(served: Setup, log: Log) -> None:
    """Says which other servers the network has. Raises UserError when two would give out addresses."""
    name = served.interface.name
    if served.interface.ip.is_loopback:
        return
    try:
        with log.step(f"looking for other DHCP servers on {name}"):
            found = probe.others(served.interface)
    except OSError as error:
        log.warn(f"{name}: cannot look for other DHCP servers: {error.strerror}")
        return
    for server in found:
        if server.is_ours:
            log.warn(f"{name}: another boot.serve answers at {server.address}: nodes boot from whichever is first")
        elif server.boots:
            log.warn(f"{name}: {server.address} tells nodes to boot {server.file!r}, too: one of the two has to stop")
    giving = [str(server.address) for server in found if server.gives_addresses]
    if served.range is not None and giving:
        raise UserError(
            f"--range: {', '.join(giving)} gives out addresses on {name} (expected no other DHCP server)",
            hint="./run boot.serve --proxy",
        )
    if served.range is None and not giving:
        log.warn(f"{name}: no DHCP server answers: beside --proxy, nodes need one that gives them addresses")


def _programs(served: Setup, config: Path | None) -> tuple[Program, ...]:
    folder, logs = served.folder, served.folder / "log"
    service = Program(
        "service",
        render.service_argv(served, config),
        (logs / "service.log",),
        lambda: _accepts(served.socket),
        render.service_environment(),
    )
    nginx = Program(
        "nginx",
        render.nginx_argv(folder),
        (logs / "nginx.log", logs / "access.log"),
        lambda: ports.listens(served.port, served.interface.ip),
    )
    dnsmasq = Program(
        "dnsmasq",
        render.dnsmasq_argv(folder),
        (logs / "dnsmasq.log",),
        lambda: ports.is_bound("udp", ports.DHCP) and bool(open_files.writers(logs / "dnsmasq.log")),
    )
    # a machine that is told to boot from here has to find something
    return service, nginx, dnsmasq


def _announce(served: Setup, config: Path | None, log: Log) -> None:
    interface, folder = served.interface, served.folder
    how = f"addresses {served.range[0]} to {served.range[1]}" if served.range else "beside the network's DHCP server"
    log.info(f"serving {interface.name} ({interface.address}), {how}")
    for name, path in served.images.items():
        log.info(f"image {name}: {path}")
    for binary in served.binaries:
        log.info(f"firmware gets {binary.name}: {binary.path}")
    log.info(f"configuration: {config or 'the defaults (no rack.yml)'}; state: {folder}")
    log.info(f"logs: {folder}/log/service.log, nginx.log, access.log, dnsmasq.log")
    log.info(f"page: {served.url}/")
    settings = configuration.read(config)
    if not settings.operators and settings.trusted_proxy is None:
        log.warn("operators: none in rack.yml, so nobody can log in to the page (rack.yml.example says how)")
    log.info("Ctrl-C stops it")


def _accepts(path: Path) -> bool:
    """Returns whether a server listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe_socket:
        probe_socket.settimeout(1)
        return probe_socket.connect_ex(str(path)) == 0


@contextmanager
def _on_stop_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> Iterator[None]:
    """Handles Ctrl-C, SIGTERM and the end of the terminal the same way, for a while."""
    before = {number: signal.signal(number, handler) for number in _STOP_SIGNALS}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
