"""What alchemy-intake is asked for: options, and the keys of a file."""

from __future__ import annotations

import argparse
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alchemy_node import web
from alchemy_node.intake import asset_tag, preflight
from alchemy_node.manager import Login, ManagerError
from alchemy_node.status import Status

CONFIG = Path("/etc/alchemy/intake.toml")
VARIABLE = "ALCHEMY_COLLINS_PASSWORD"

_LIMIT = 65536
# A key of the file is the option's name.
KEYS = {
    "collins": str,
    "user": str,
    "password_file": str,
    "collins_allows": list,
    "generate_ipmi": bool,
    "ironic": str,
    "rack": str,
}


@dataclass(frozen=True)
class Options:
    """Where the machine is brought into; an empty URL stands for nowhere. `login` is that of Collins."""

    collins: str = ""
    login: Login = field(default_factory=lambda: Login("", ""))
    tag: str = ""
    allowances: frozenset[str] = frozenset()
    generate_ipmi: bool = False
    replace: bool = False
    ironic: str = ""
    rack: str = ""


def read(arguments: Sequence[str], environment: Mapping[str, str] = os.environ, config: Path = CONFIG) -> Options:
    """Returns the options. Raises ManagerError for what a file or an option must not be; argparse exits by itself."""
    given = _parser(config).parse_args(arguments)
    found = _file(Path(given.config or config), required=given.config is not None)
    # an option that is given counts before the file's key
    found |= {key: value for key, value in vars(given).items() if value not in (None, False)}
    urls = {key: str(found.get(key, "")) for key in ("collins", "ironic", "rack")}
    if not any(urls.values()):
        raise _wrong(
            "nothing to do (expected --collins, --ironic or --rack)", f"alchemy-intake --help; or write {config}"
        )
    for key, url in urls.items():
        if url and not web.is_url(url):
            raise _wrong(f"--{key}: {url!r} is not a URL (expected http:// or https://)")
    tag = str(found.get("tag", ""))
    if tag and (reason := asset_tag.refuse(tag)):
        raise _wrong(f"--tag: {reason}")
    allows = found.get("collins_allows", [])
    allowances = frozenset(allows.split(",") if isinstance(allows, str) else map(str, allows))
    if unknown := sorted(allowances - set(preflight.ALLOWANCES)):
        known = ", ".join(f"{name} ({meaning})" for name, meaning in preflight.ALLOWANCES.items())
        raise _wrong(f"--collins-allows: unknown {unknown[0]!r} (expected {known})")
    return Options(
        **urls,
        login=_login(found, environment) if urls["collins"] else Login("", ""),
        tag=tag,
        allowances=allowances,
        generate_ipmi=bool(found.get("generate_ipmi")),
        replace=bool(found.get("replace")),
    )


def _parser(config: Path) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="alchemy-intake",
        allow_abbrev=False,
        description="Brings this machine into an infrastructure manager, and says before what that would refuse.",
        epilog=f"{config} holds the same options as keys (collins = URL, password_file = FILE ...). "
        "Exit status: 0 pass, 1 the machine is refused, 2 the command line or a file, 3 nothing was proven.",
    )
    parser.add_argument("--collins", metavar="URL", help="the URL of Collins")
    parser.add_argument("--user", metavar="U", help="the user of Collins")
    parser.add_argument("--password-file", metavar="F", help=f"its password: a file's first line (else ${VARIABLE})")
    parser.add_argument(
        "--tag", metavar="TAG", help="the asset tag (else asset_tag= of the kernel's command line, or DMI's)"
    )
    parser.add_argument(
        "--collins-allows", metavar="X,Y", help=f"settings of Collins: {', '.join(preflight.ALLOWANCES)}"
    )
    parser.add_argument(
        "--generate-ipmi", action="store_true", help="have Collins generate IPMI settings of a new asset"
    )
    parser.add_argument("--replace", action="store_true", help="overwrite an asset with another serial number")
    parser.add_argument("--ironic", metavar="URL", help="the URL of OpenStack Ironic")
    parser.add_argument("--rack", metavar="URL", help="the URL of the rack service")
    parser.add_argument("--config", metavar="FILE", help=f"read FILE in place of {config}")
    return parser


def _file(path: Path, *, required: bool) -> dict[str, Any]:
    """Returns the keys of the file; none where it is absent and not required."""
    try:
        text = _read(path)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not required:
            return {}
        raise _wrong(f"{path}: {error.strerror}") from error
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _wrong(f"{path}: not valid TOML ({error})") from error
    for key, value in found.items():
        if key not in KEYS:
            hint = "keep the password in a file of its own: password_file" if "password" in key else ""
            raise _wrong(f"{path}: unknown key {key!r} (expected {', '.join(KEYS)})", hint)
        if not isinstance(value, KEYS[key]):
            raise _wrong(f"{path}: {key}: expected a {KEYS[key].__name__}, got a {type(value).__name__}")
    return found


def _login(found: Mapping[str, Any], environment: Mapping[str, str]) -> Login:
    user = str(found.get("user", ""))
    if not user or ":" in user:
        raise _wrong("--user: Collins needs a user, without a colon", "alchemy-intake --collins URL --user USER ...")
    path = found.get("password_file")
    try:
        password = _read(Path(path)).partition("\n")[0].rstrip("\r") if path else environment.get(VARIABLE, "")
    except OSError as error:
        raise _wrong(f"--password-file: {path}: {error.strerror}") from error
    if not password:
        raise _wrong("the password of Collins is empty or missing", f"--password-file FILE, or ${VARIABLE}")
    return Login(user, password)


def _read(path: Path) -> str:
    """Returns the text of a file of the user's. Raises OSError, and ManagerError where it is not text or too large."""
    with path.open("rb") as file:
        data = file.read(_LIMIT + 1)
    if len(data) > _LIMIT:
        raise _wrong(f"{path}: too large (expected at most {_LIMIT} bytes)")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _wrong(f"{path}: no text (expected UTF-8)") from error


def _wrong(message: str, hint: str = "") -> ManagerError:
    return ManagerError(message, hint, Status.USAGE)
