"""The configuration of the servers, rendered into a folder."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from alchemy.host import files
from alchemy.rack.service import boot_script
from alchemy.rack.serving import ipxe
from alchemy.rack.serving.setup import Setup

ROOT = Path(__file__).resolve().parents[3]

DNSMASQ, NGINX = "dnsmasq.conf", "nginx.conf"
# the script that every node begins with: nginx gives it out where the service does not answer
FALLBACK = "www/boot.ipxe"

_TEMPLATES = Path(__file__).resolve().parent / "templates"
_COMMAND = "./run boot.serve"
# what `print_to` adds for servers that one has
_FOR_OTHERS = ("dhcpd.conf", "kea-dhcp4.conf")
_UNITS = ("alchemy-dnsmasq.service", "alchemy-nginx.service", "alchemy-service.service")


@dataclass(frozen=True)
class Client:
    """A kind of firmware: the number of its architecture in DHCP option 93, and the binary that it fetches by TFTP or
    HTTP. `tag` is our name for the kind."""

    tag: str
    number: int
    file: str
    http: bool = False


# IANA's registry of processor architecture types. RFC 4578 swapped 7 and 9, and firmware uses either for x86-64.
_CLIENTS = (
    Client("bios", 0, ipxe.BIOS),
    Client("x64", 7, ipxe.X64),
    Client("x64", 9, ipxe.X64),
    Client("arm64", 11, ipxe.ARM64),
    Client("http-x64", 16, ipxe.X64, http=True),
    Client("http-arm64", 19, ipxe.ARM64, http=True),
)


def program(name: str) -> str:
    """Returns the path of a server, which may be in a folder that only root's PATH has. A missing one is its name."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    return shutil.which(name, path=path) or name


def dnsmasq_argv(folder: Path) -> list[str]:
    """Returns the command line of dnsmasq in the foreground, with its log on standard error."""
    return [
        program("dnsmasq"),
        "--keep-in-foreground",
        f"--conf-file={folder / DNSMASQ}",
        "--log-facility=-",
        "--pid-file=",
    ]


def nginx_argv(folder: Path) -> list[str]:
    """Returns the command line of nginx; its configuration keeps it in the foreground."""
    return [program("nginx"), "-p", str(folder), "-e", "stderr", "-c", str(folder / NGINX)]


def service_argv(setup: Setup, config: Path | None) -> list[str]:
    """Returns the command line of the service. It needs `service_environment`."""
    given = ["--config", str(config)] if config is not None else []
    return [
        sys.executable, "-s", "-P", "-m", "alchemy.rack.serving.service_process",
        "--state", str(setup.folder), "--url", setup.url, "--group", setup.user, *given,
    ]  # fmt: skip


def service_environment() -> dict[str, str]:
    """Returns the variables with which Python finds this repository from any folder, and libpq its passwords."""
    passwords = {name: os.environ[name] for name in ("PGPASSFILE",) if name in os.environ}
    return {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **passwords}


def text(name: str, setup: Setup, **more: object) -> str:
    """Returns a configuration file; `name` is that of its template without `.j2`."""
    interface = setup.interface
    binaries = {binary.name for binary in setup.binaries}
    return files.render(
        _TEMPLATES / f"{name}.j2",
        command=_COMMAND,
        interface=interface.name,
        address=interface.ip,
        network=interface.network,
        range=setup.range,
        port=setup.port,
        url=setup.url,
        listen=setup.listen,
        folder=setup.folder,
        socket=setup.socket,
        user=setup.user,
        images=setup.images,
        certificate=setup.certificate,
        clients=[client for client in _CLIENTS if client.file in binaries],
        **more,
    )


def write(setup: Setup) -> None:
    """Fills the state folder with what dnsmasq and nginx need. What is there of an earlier run is replaced."""
    folder = setup.folder
    for name in ("", "run", "log", "tmp", "www", "tftp", "tftp/x64", "tftp/arm64"):
        (folder / name).mkdir(mode=0o755, parents=True, exist_ok=True)
    for name in (DNSMASQ, NGINX):
        files.write(folder / name, text(name, setup))
    files.write(folder / FALLBACK, boot_script.first())
    for binary in setup.binaries:
        # TFTP servers follow no links that lead elsewhere
        target = folder / "tftp" / binary.name
        files.copy_whole(binary.path, target, temporary=target.with_name(f".{target.name}.tmp"))
        target.chmod(0o644)


def print_to(setup: Setup, config: Path | None) -> list[Path]:
    """Fills the folder with the configuration for servers that the user runs, and returns the files to look at."""
    write(setup)
    folder = setup.folder
    for name in _FOR_OTHERS:
        files.write(folder / name, text(name, setup))
    for name in _UNITS:
        unit = text(
            name,
            setup,
            environment=[_unit_word(f"{key}={value}") for key, value in service_environment().items()],
            dnsmasq=_unit_words(dnsmasq_argv(folder)),
            nginx=_unit_words(nginx_argv(folder)),
            service=_unit_words(service_argv(setup, config.absolute() if config else None)),
        )
        files.write(folder / name, unit)
    return [folder / name for name in (DNSMASQ, NGINX, *_FOR_OTHERS, *_UNITS)]


def _unit_words(argv: list[str]) -> str:
    """Returns a command line as systemd takes it."""
    return " ".join(map(_unit_word, argv))


def _unit_word(word: str) -> str:
    """Returns a word in quotes, without specifiers and variables (systemd.service(5))."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
