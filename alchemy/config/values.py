"""The single values of config.yml: their forms, and the functions that check them for pydantic.

Each function returns the value in its normal form, or raises ValueError with what it must be.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from alchemy.config import passwords, sshkeys
from alchemy.config.remotes import Overlay, git_url, is_git, without_credentials

VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,31}")
FINGERPRINT = re.compile(r"[0-9A-F]{40}")
LINUX_TARBALL = re.compile(r"(https?|file)://\S+\.tar\.(xz|gz|bz2|zst)")

_SUITE = re.compile(r"debian:[a-z]+")
_EMBEDDED = "debian:trixie"
_STAGE3 = re.compile(r"(https?|file)://\S+(\.tar\.(xz|zst|gz|bz2)|/[\w.+-]+\.txt)")
_KEY_ID = re.compile(r"(0x)?[0-9A-Fa-f]{8,39}")
_DEBIAN_PACKAGE = re.compile(r"debian:[a-z0-9][a-z0-9.+-]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_USERNAME = re.compile(r"[a-z_][a-z0-9_-]{0,30}")

# users and groups that every image has: those of Gentoo's baselayout, and those that the core packages run as
_SYSTEM_ACCOUNTS = frozenset(
    {
        "adm", "audio", "bin", "cdrom", "chrony", "cron", "daemon", "dhcpcd", "dialout", "disk", "floppy",
        "halt", "input", "kmem", "kvm", "lldpd", "lp", "mail", "man", "nobody", "nogroup", "operator",
        "portage", "render", "root", "shutdown", "sshd", "sync", "sys", "tape", "tty", "usb", "users", "utmp",
        "uucp", "video", "wheel",
    }
)  # fmt: skip

# the kernel fragment that kernel_modules adds
MODULES_FRAGMENT = "modules"

# the files of bin/ whose names are fixed
_OTHER_OUTPUTS = frozenset(
    {
        "alchemy.cdx.json", "boot.ipxe", "grub.cfg", "manifest.json", "modules.alias", "pxelinux.cfg", "SHA256SUMS",
        "SHA256SUMS.asc", "SHA256SUMS.sig", "stage.json",
    }
)  # fmt: skip


def _plain_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._+-]*", value):
        raise ValueError("must be a plain file name, without a folder")
    return value


def _output_name(value: str) -> str:
    if value in _OTHER_OUTPUTS:
        raise ValueError("conflicts with another file of bin/")
    return _plain_name(value)


def _stage3_url(value: str) -> str:
    if not (_SUITE.fullmatch(value) or _STAGE3.fullmatch(value)):
        raise ValueError("must be debian:SUITE, or the http(s) or file URL of a stage3 tarball or of a pointer (.txt)")
    if value.startswith("debian:") and value != _EMBEDDED:
        raise ValueError(
            f"unsupported suite (expected {_EMBEDDED}, got {value}): the ebuilds of overlays/embedded "
            "use the C library, OpenRC and some programs of that suite"
        )
    return value if _SUITE.fullmatch(value) else without_credentials(value)


def _linux_url(value: str) -> str:
    if is_git(value):
        return git_url(value)
    if not (_DEBIAN_PACKAGE.fullmatch(value) or LINUX_TARBALL.fullmatch(value)):
        raise ValueError("must be debian:PACKAGE or the URL of a tarball (http, https, file) or of a git repository")
    return value if _DEBIAN_PACKAGE.fullmatch(value) else without_credentials(value)


def _sha256(value: str) -> str:
    if not _SHA256.fullmatch(value):
        raise ValueError("must be 64 lower-case hexadecimal digits")
    return value


def _openpgp_key(value: str) -> str:
    """Returns a fingerprint as gpg prints it without blanks, or a file name."""
    compact = compact_fingerprint(value)
    if FINGERPRINT.fullmatch(compact):
        return compact
    if _KEY_ID.fullmatch(value) or not value:
        raise ValueError("must be a full fingerprint (40 hexadecimal digits) or a key file")
    return value


def compact_fingerprint(fingerprint: str) -> str:
    """Returns a fingerprint in capitals and without blanks."""
    return fingerprint.replace(" ", "").upper()


def _username(value: str) -> str:
    if not _USERNAME.fullmatch(value):
        raise ValueError("must be a login name: lower-case letters, digits, _ and -, at most 31 characters")
    if value == "root":
        raise ValueError("must not be root, which cannot log in")
    if value in _SYSTEM_ACCOUNTS:
        raise ValueError(f"must not be {value}, a system account")
    return value


def _no_newline(value: SecretStr) -> SecretStr:
    if not value.get_secret_value() or any(c in value.get_secret_value() for c in "\n\r\0"):
        raise ValueError("must be one line and not empty")
    return value


def _password_hash(value: SecretStr) -> SecretStr:
    passwords.check_hash(value.get_secret_value())
    return value


def _firmware(value: str) -> str:
    if value.startswith("/") or ".." in value.split("/") or not value.strip():
        raise ValueError("must be a pattern of names below /lib/firmware, such as bnx2x/*")
    return value


def no_duplicates(overlays: tuple[Overlay, ...]) -> tuple[Overlay, ...]:
    """Refuses a URL that is listed twice."""
    urls = [overlay.url for overlay in overlays]
    for url in urls:
        if urls.count(url) > 1:
            raise ValueError(f"duplicate overlay: {url}")
    return overlays


FileName = Annotated[str, AfterValidator(_plain_name)]
OutputName = Annotated[str, AfterValidator(_output_name)]
Stage3Url = Annotated[str, AfterValidator(_stage3_url)]
LinuxUrl = Annotated[str, AfterValidator(_linux_url)]
Sha256 = Annotated[str, AfterValidator(_sha256)]
OpenPgpKey = Annotated[str, AfterValidator(_openpgp_key)]
SshKey = Annotated[str, AfterValidator(sshkeys.check)]
Username = Annotated[str, AfterValidator(_username)]
Password = Annotated[SecretStr, AfterValidator(_no_newline)]
PasswordHash = Annotated[SecretStr, AfterValidator(_password_hash)]
Firmware = Annotated[str, AfterValidator(_firmware)]
# PMS 3.1.5 for the name of a repository; no component of the path is `..`
_ProfileName = Annotated[
    str,
    Field(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_-]*:)?[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*$"),
]
Profiles = Annotated[
    tuple[_ProfileName, ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value, str | list[str]),
]
Licence = Annotated[str, Field(pattern=r"^@?[A-Za-z0-9][A-Za-z0-9+_.-]*$")]
KernelVersion = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+~_-]*$")]
Folder = Annotated[str, Field(min_length=1)]
