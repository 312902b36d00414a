"""The single values of rack.yml: their forms, and the functions that check them for pydantic.

Each function returns the value in its normal form, or raises ValueError with `problem (expected X, got Y)`. No message
quotes a secret.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from alchemy.config import passwords

JOBS = ("inventory", "intake", "burnin")
# the statuses of Collins' own database
STATUSES = (
    "Allocated",
    "Cancelled",
    "Decommissioned",
    "Incomplete",
    "Maintenance",
    "New",
    "Provisioned",
    "Provisioning",
    "Unallocated",
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_OPERATOR = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._@-]{0,63})(?P<role>:view)?")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_STATE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MAC = re.compile(
    r"[0-9a-f]{12}|[0-9a-f]{2}(:[0-9a-f]{2}){5}|[0-9a-f]{2}(-[0-9a-f]{2}){5}|[0-9a-f]{4}(\.[0-9a-f]{4}){2}"
)
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
# IFNAMSIZ is 16 with the NUL; the kernel refuses / and blanks, and : is that of an alias
_INTERFACE = re.compile(r"[^\s/:\x00-\x1f\x7f]{1,15}")
# A kernel for x86 takes 2,047 characters (COMMAND_LINE_SIZE); the service adds its own parameters.
_MOST_CMDLINE = 1500
# words that end a command in an iPXE script; # begins a comment there, and \ continues a line
_IPXE_OPERATORS = frozenset({"||", "&&", ";"})
# what boot.serve writes into the command line itself, and which key says it instead
_OWNED = {"rack_url": "", "BOOTIF": "", "initrd": "", "job": ": list the jobs of a profile in `jobs`"}


def shown(value: object) -> str:
    """Returns a value for a message, shortened and on one line. It must not be a secret."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:56]}…{text[-1]}"


def nearest(name: str, names: Iterable[str]) -> str:
    """Returns `; did you mean NAME?`, else ` (expected one of: …)`, for the end of a message."""
    known = list(names)
    folded = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f"; did you mean {folded[close[0]]}?" if close else f" (expected one of: {', '.join(known)})"


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(f"invalid name (expected letters, digits and . _ -, at most 32, got {shown(value)})")
    return value


def _interface(value: str) -> str:
    if not _INTERFACE.fullmatch(value) or value in (".", ".."):
        raise ValueError(f"invalid interface (expected a name of `ip link`, at most 15 characters, got {shown(value)})")
    return value


def _mac(value: str) -> str:
    if not _MAC.fullmatch(value.lower()):
        raise ValueError(f"invalid MAC address (expected the form 52:54:00:12:34:56, got {shown(value)})")
    digits = re.sub(r"[^0-9a-f]", "", value.lower())
    if digits == "0" * 12 or int(digits[:2], 16) & 1:
        raise ValueError(f"not the address of an interface (expected a unicast MAC address, got {shown(value)})")
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def _match(value: str) -> str:
    if not value.strip() or len(value) > 256 or not value.isprintable():
        raise ValueError(f"invalid (expected 1 to 256 printable characters, got {shown(value)})")
    return value.strip()


def _status(value: str) -> str:
    if value not in STATUSES:
        raise ValueError(f"unknown status {shown(value)}{nearest(value, STATUSES)}")
    return value


def _state(value: str) -> str:
    if not _STATE.fullmatch(value):
        raise ValueError(f"invalid state (expected a name such as HW_TESTING, got {shown(value)})")
    return value


def _job(value: str) -> str:
    if value not in JOBS:
        raise ValueError(f"unknown job {shown(value)}{nearest(value, JOBS)}")
    return value


def _jobs(value: tuple[str, ...]) -> tuple[str, ...]:
    for job in value:
        if value.count(job) > 1:
            raise ValueError(f"duplicate job (expected each once, got {job} {value.count(job)} times)")
    return value


def _cmdline(value: str) -> str:
    """Returns a kernel command line that fits into one line of an iPXE script; ${…} is iPXE's to expand."""
    if not value.isascii() or any(not " " <= character <= "~" for character in value):
        bad = next(character for character in value if not " " <= character <= "~")
        raise ValueError(f"control character or not ASCII (expected printable ASCII on one line, got {bad!a})")
    if len(value) > _MOST_CMDLINE:
        raise ValueError(f"too long (expected at most {_MOST_CMDLINE} characters, got {len(value)})")
    for word in value.split():
        name = word.partition("=")[0]
        if name in _OWNED:
            raise ValueError(f"{name}= belongs to boot.serve (expected a line without it){_OWNED[name]}")
        if word in _IPXE_OPERATORS or word.startswith("#") or word.endswith("\\"):
            raise ValueError(f"syntax of iPXE (expected parameters of the kernel, got {word})")
    return " ".join(value.split())


def _http_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("invalid URL (expected http://HOST or https://HOST:PORT)") from None
    if parts.scheme not in ("http", "https") or not host or re.search(r"[^!-~]", value):
        raise ValueError("invalid URL (expected http://HOST or https://HOST:PORT)")
    if "@" in parts.netloc:
        raise ValueError("must not contain credentials (expected `user` and `password_file` beside a plain URL)")
    if not _HOST.fullmatch(parts.netloc.rpartition(":")[0] if port is not None else parts.netloc):
        raise ValueError("invalid URL (expected HOST or HOST:PORT after the scheme)")
    if parts.query or parts.fragment:
        raise ValueError("must not contain ? or # (expected the URL of the server alone)")
    return value.rstrip("/")


def _database(value: str) -> str:
    """Returns the URL as SQLAlchemy takes it: postgresql:// gets the driver psycopg."""
    expected = "expected sqlite:////FILE or postgresql://USER@HOST/NAME"
    scheme, separator, rest = value.partition("://")
    if not separator or scheme not in ("sqlite", "postgresql", "postgresql+psycopg"):
        raise ValueError(f"unsupported database ({expected}, got the scheme {shown(scheme) if separator else 'none'})")
    if scheme == "sqlite":
        if not re.fullmatch(r"//?[^\s?#][^?#]*", rest) or rest == "/:memory:":
            raise ValueError(f"must be a file ({expected})")
        return value
    try:
        parts = urlsplit(f"postgresql://{rest}")
        password, _ = parts.password, parts.port
    except ValueError:
        raise ValueError(f"invalid URL ({expected})") from None
    if password is not None or any(key.lower() == "password" for key, _ in parse_qsl(parts.query, True)):
        raise ValueError(
            "must not contain a password (expected none: libpq reads ~/.pgpass, or the file that PGPASSFILE names)"
        )
    if not parts.path.strip("/"):
        raise ValueError(f"names no database ({expected})")
    return f"postgresql+psycopg://{rest}"


def _password_hash(value: str) -> str:
    """Returns a hash. The message doesn't quote it: it may be a password."""
    try:
        return passwords.check_hash(value)
    except ValueError:
        raise ValueError(
            "not a password hash (expected a crypt(5) hash, as `mkpasswd --method=yescrypt` prints it; "
            "the value is not shown, as it may be a password)"
        ) from None


def _operator(value: str) -> str:
    if not _OPERATOR.fullmatch(value):
        raise ValueError(f"invalid operator (expected NAME, or NAME:view for one who only looks, got {shown(value)})")
    return value


def _header(value: str) -> str:
    if not _HEADER.fullmatch(value):
        raise ValueError(f"invalid header (expected a name such as X-Remote-User, got {shown(value)})")
    if value.lower() in ("authorization", "cookie", "host", "x-csrf-token"):
        raise ValueError(f"has another meaning (expected a header such as X-Remote-User, got {value})")
    return value


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise ValueError(f"invalid (expected an IP address or network, got {shown(value)})") from None


def _folder(value: object, info: ValidationInfo) -> object:
    """Makes a path absolute: names in rack.yml are relative to its folder."""
    if isinstance(value, str) and value and "\0" not in value:
        base = info.context["folder"] if info.context else Path.cwd()
        return Path(base) / Path(value).expanduser()
    return value


def _file(path: Path) -> Path:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise ValueError(f"cannot be read (expected a file, got {path}: {reason})") from None
    return path


def _secret_file(path: Path) -> Path:
    """Refuses a file that other users of this machine can read, or that its group can change."""
    mode = stat.S_IMODE(_file(path).stat().st_mode)
    if mode & 0o027:
        raise ValueError(f"readable by others (expected mode 0600 or 0640, got {mode:04o}): chmod 600 {path}")
    return path


def _between(low: int, high: int, unit: str) -> Any:
    def check(value: int) -> int:
        if not low <= value <= high:
            raise ValueError(f"out of range (expected {low} to {high} {unit}, got {value})")
        return value

    return AfterValidator(check)


def _tuple(value: object) -> object:
    """YAML has lists where the configuration has tuples."""
    return tuple(value) if isinstance(value, list) else value


List = BeforeValidator(_tuple)
_RelativePath = Annotated[Path, BeforeValidator(_folder)]
Name = Annotated[str, AfterValidator(_name)]
Interface = Annotated[str, AfterValidator(_interface)]
Mac = Annotated[str, AfterValidator(_mac)]
Match = Annotated[str, AfterValidator(_match)]
StatusName = Annotated[str, AfterValidator(_status)]
StateName = Annotated[str, AfterValidator(_state)]
Jobs = Annotated[tuple[Annotated[str, AfterValidator(_job)], ...], List, AfterValidator(_jobs)]
Cmdline = Annotated[str, AfterValidator(_cmdline)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
Database = Annotated[str, AfterValidator(_database)]
PasswordHash = Annotated[str, AfterValidator(_password_hash)]
OperatorName = Annotated[str, AfterValidator(_operator)]
Header = Annotated[str, AfterValidator(_header)]
Networks = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], List, Field(min_length=1)]
Folder = _RelativePath
File = Annotated[_RelativePath, AfterValidator(_file)]
SecretFile = Annotated[_RelativePath, AfterValidator(_secret_file)]
PollSeconds = Annotated[int, _between(5, 86400, "seconds")]
TokenSeconds = Annotated[int, _between(1, 30 * 86400, "seconds")]
Days = Annotated[int, _between(1, 36500, "days")]
