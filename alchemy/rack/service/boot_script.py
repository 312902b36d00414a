"""Writes the iPXE scripts: the first one, the same for all nodes, and each node's own. iPXE of 2019 runs them.

iPXE expands each line (`${setting}`), then splits it at white space; it knows no quotes and no escapes (its
core/exec.c). What it would take for syntax is therefore refused in a kernel's command line, and replaced in a comment.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from alchemy.rack.config import Profile
from alchemy.rack.images import Image

# query parameters and the iPXE settings that fill them; :uristring encodes hostile SMBIOS strings. UUID and MAC are
# bytes, which it would put into the URI as they are. iPXE takes text before a colon for a scheme: a MAC has hyphens.
_QUERY = "&".join(
    f"{name}=${{{setting}}}"
    for name, setting in (
        ("uuid", "uuid"),
        ("serial", "serial:uristring"),
        ("asset", "asset:uristring"),
        ("mac", "netX/mac:hexhyp"),
        ("arch", "buildarch:uristring"),
        ("platform", "platform:uristring"),
        ("vendor", "manufacturer:uristring"),
        ("model", "product:uristring"),
    )
)
# After a failure UEFI tries the next boot entry; after a success it may stop in its boot menu.
_LOCAL = "iseq ${platform} efi && exit 1 || sanboot --no-describe --drive 0x80"
_LOCAL_EFI_DISK = "iseq ${platform} efi && sanboot --no-describe --drive 0 ||"
_UNSAFE = re.compile(r"[^A-Za-z0-9 .,:;/()<>='_+-]")
_OPERATORS = frozenset({"||", "&&", ";"})
# as in bin/boot.ipxe
_CONSOLES = ("console=tty0", "console=ttyS0,115200n8")
_ATTEMPTS = 5


class UnbootableError(ValueError):
    """A profile that cannot be booted; the message says why."""


def first() -> str:
    """Returns boot.ipxe: asks for the node's own script, and boots the local disk when nobody answers."""
    # spelled out, because iPXE keeps variables across scripts: a counter would not start at zero again
    attempts = "".join(
        f"chain --autofree --replace v1/boot?{_QUERY} ||\n"
        f"echo Alchemy: the rack service does not answer (attempt {number} of {_ATTEMPTS})\n"
        f"sleep {2 ** (number - 1)}\n"
        for number in range(1, _ATTEMPTS + 1)
    )
    return (
        "#!ipxe\n"
        "# Asks the rack service what this machine boots; when nobody answers, it boots the local disk.\n"
        f"{attempts}echo Alchemy: booting the local disk\n{_LOCAL}\n"
    )


def local(profile: str, reason: str) -> str:
    """Returns the script that boots the local disk; the profile `local-efi-disk` starts the disk's own loader."""
    disk = f"{_LOCAL_EFI_DISK}\n{_LOCAL}" if profile == "local-efi-disk" else _LOCAL
    return f"{_head(profile, reason)}{disk}\n"


def image(profile: Profile, name: str, found: Image, url: str, reason: str) -> str:
    """Returns the script that boots an image with a profile's command line.

    `name` is the image's in rack.yml; `url` is the rack service's, without a slash at its end. When the files cannot be
    fetched the node boots its local disk. Raises UnbootableError.
    """
    files = f"{url}/images/{quote(name, safe='')}"
    words = _words(profile.cmdline)
    if not any(word.startswith("console=") for word in words):
        words = [*_CONSOLES, *words]
    if found.ramfs is not None:
        # an EFI kernel finds the ramfs by this name
        words = [f"initrd={found.ramfs}", *words]
    fetch = f"kernel {files}/{found.kernel} {' '.join(words)} rack_url={url} || goto failed\n"
    fetch += f"initrd {files}/{found.ramfs} || goto failed\n" if found.ramfs is not None else ""
    return (
        f"{_head(profile.name, reason)}"
        f"{fetch}"
        "boot || goto failed\n"
        ":failed\n"
        "echo Alchemy: the image cannot be booted; booting the local disk in 30 s\n"
        "sleep 30\n"
        f"imgfree\n{_LOCAL}\n"
    )


def _head(profile: str, reason: str) -> str:
    said = f"{profile}: {reason}"
    return f"#!ipxe\n# {_plain(said)}\necho Alchemy: {_plain(said)}\n"


def _plain(text: str) -> str:
    """Makes text safe in a comment and for `echo`: one bounded line without `${setting}` and continuation."""
    return " ".join(_plain_word(word) for word in _UNSAFE.sub("?", text[:300]).split())


def _plain_word(word: str) -> str:
    return "?" if word in _OPERATORS else word


def _words(cmdline: str) -> list[str]:
    words = cmdline.split()
    for word in words:
        if not (word.isascii() and word.isprintable()):
            raise UnbootableError(f"cmdline: {word!r}: not printable ASCII")
        if word in _OPERATORS or word.startswith("#") or word.endswith("\\"):
            raise UnbootableError(f"cmdline: {word!r}: iPXE syntax")
    return words
