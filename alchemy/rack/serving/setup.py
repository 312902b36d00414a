"""What boot.serve is to serve, and where: checked as a whole before anything starts."""

from __future__ import annotations

import os
import pwd
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

from alchemy.errors import UserError
from alchemy.rack import images
from alchemy.rack.serving import ipxe, ports
from alchemy.rack.serving.interfaces import Interface
from alchemy.rack.serving.ipxe import Binary
from alchemy.rack.serving.ports import Port

Range = tuple[IPv4Address, IPv4Address]

HTTPS = 443

# what neither dnsmasq nor nginx takes for syntax
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9/._+@=~-]*")
# what nginx takes for syntax inside of quotes
_NGINX_SYNTAX = re.compile(r'["\\$\x00-\x1f\x7f]')

# sockaddr_un holds 108 bytes with the final null (unix(7))
_SOCKET_PATH_BYTES = 107
# accounts without rights that distributions run web servers and dnsmasq as
_ACCOUNTS = ("www-data", "nginx", "http", "nobody")


@dataclass(frozen=True)
class Setup:
    """A rack to serve.

    `range` holds the first and the last address to give out; None answers beside the network's own DHCP server.
    `certificate` is the file of the certificate and that of its key. `user` is the account of the servers' processes.
    """

    interface: Interface
    range: Range | None
    port: int
    folder: Path
    images: Mapping[str, Path]
    binaries: tuple[Binary, ...]
    user: str
    certificate: tuple[Path, Path] | None = None

    @property
    def url(self) -> str:
        """Returns the URL of everything, by address, as firmware may have no DNS; without a slash at the end."""
        return f"http://{self.interface.ip}" + (f":{self.port}" if self.port != 80 else "")

    @property
    def listen(self) -> tuple[IPv4Address, ...]:
        """Returns the addresses on which HTTP is served: that of the interface, and the loopback."""
        return tuple(dict.fromkeys((self.interface.ip, IPv4Address("127.0.0.1"))))

    @property
    def socket(self) -> Path:
        """Returns the socket on which the service listens for nginx."""
        return self.folder / "run" / "service.sock"

    @property
    def ports(self) -> tuple[Port, ...]:
        """Returns the ports that have to be free."""
        udp = [ports.DHCP, *([] if self.range else [ports.PROXY])]
        http = [self.port, *([HTTPS] if self.certificate else [])]
        return (
            *(Port("udp", number, self.interface.name) for number in udp),
            Port("udp", ports.TFTP, self.interface.ip),
            *(Port("tcp", number, address) for number in http for address in self.listen),
        )


def create(
    interface: Interface,
    folder: Path,
    served: Mapping[str, Path],
    *,
    range_words: str | None = None,
    port: int = 80,
    certificate: tuple[Path, Path] | None = None,
) -> Setup:
    """Returns the setup for a state folder, and the `served` images: folders like bin/ by name. `range_words` is
    `FIRST,LAST`.

    Raises UserError, which lists all that is wrong.
    """
    folder = folder.absolute()
    served = {name: path.absolute() for name, path in served.items()}
    problems = [*_path_problems(folder, [*served.values(), *(certificate or ())]), *_port_problems(port, certificate)]
    found = []
    for name, path in served.items():
        try:
            found.append(images.find(path))
        except ValueError as error:
            problems.append(f"images.{name}: {error}")
    addresses = None
    if range_words is not None:
        try:
            addresses = _range(range_words, interface)
        except ValueError as error:
            problems.append(f"--range: {error}")
    if problems:
        raise UserError("\n".join(problems), hint=None if len(found) == len(served) else "./run build.all")
    arm64 = any(images.architecture(image) == "arm64" for image in found)
    binaries = ipxe.find(folder / "ipxe", arm64=arm64)
    return Setup(interface, addresses, port, folder, served, binaries, account(folder, served.values()), certificate)


def account(folder: Path, images: Iterable[Path]) -> str:
    """Returns an account without rights that can reach the state folder and all images; root where there is none."""
    names = {entry.pw_name for entry in pwd.getpwall()}
    reachable = all(_is_open(path) for path in (folder, *images))
    return next((name for name in _ACCOUNTS if name in names and reachable and os.geteuid() == 0), "root")


def _is_open(path: Path) -> bool:
    """Returns whether any user may enter a folder, as far as it and its parents exist."""
    return all(part.stat().st_mode & stat.S_IXOTH for part in (path, *path.parents) if part.exists())


def _path_problems(folder: Path, quoted: Iterable[Path]) -> Iterable[str]:
    if not _PLAIN_PATH.fullmatch(str(folder)):
        yield f"--state: unsupported path (expected letters, digits and any of /._+@=~-, got {str(folder)!r})"
    elif (length := len(os.fsencode(folder / "run" / "service.sock"))) > _SOCKET_PATH_BYTES:
        most = _SOCKET_PATH_BYTES - length + len(str(folder))
        yield f"--state: path too long for a socket in it (expected at most {most} bytes, got {len(str(folder))})"
    for path in quoted:
        if _NGINX_SYNTAX.search(str(path)):
            yield f'{path}: unsupported path (expected none of ", \\, $ and control characters)'


def _port_problems(port: int, certificate: tuple[Path, Path] | None) -> Iterable[str]:
    if not 0 < port < 65536:
        yield f"--port: invalid port (expected 1 to 65535, got {port})"
    if certificate and port == HTTPS:
        yield f"--port: {HTTPS} is for HTTPS where a certificate is given (expected another)"


def _range(words: str, interface: Interface) -> Range:
    """Returns the first and the last address. Raises ValueError for others than those of the interface's network."""
    parts = words.split(",")
    if len(parts) != 2:
        raise ValueError(f"invalid range (expected FIRST,LAST, got {words!r})")
    try:
        first, last = (IPv4Address(part.strip()) for part in parts)
    except AddressValueError as error:
        raise ValueError(f"invalid address: {error}") from None
    network = interface.network
    for address in (first, last):
        if address not in network or address in (network.network_address, network.broadcast_address):
            raise ValueError(
                f"{address}: not an address for a node (expected one of {network}, that of {interface.name})"
            )
    if first > last:
        raise ValueError(f"invalid range (expected the lower address first, got {words!r})")
    if first <= interface.ip <= last:
        raise ValueError(f"contains {interface.ip}, the address of {interface.name} itself")
    return first, last
