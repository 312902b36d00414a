"""The keys of config.yml that name remote repositories: the tree, overlays, binary packages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_AUTHORITY_END = re.compile(r"[/?#\\]")
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^\W_][\w.-]*)(:[0-9]{1,5})?")
_USER = re.compile(r"([A-Za-z0-9_][\w.-]*)?")
_REF = re.compile(r"[A-Za-z0-9][\w./+-]*")

_TAKES: Mapping[str, frozenset[str]] = {
    "webrsync": frozenset({"url", "verify"}),
    "git": frozenset({"url", "branch", "commit", "verify"}),
    "rsync": frozenset({"url", "verify"}),
    "none": frozenset(),
}
_SCHEMES = {
    "webrsync": ("https", "http", "file"),
    "git": ("https", "http", "git", "ssh", "file"),
    "rsync": ("rsync", "ssh"),
}
# schemes whose URLs may name a user, which is not a secret: the user whose SSH keys are tried
_NAMES_USERS = ("ssh", "rsync")
_NEEDS_URL = ("git", "rsync")


def _url(value: str, schemes: Sequence[str], instead: str = "") -> str:
    scheme, separator, rest = value.partition("://")
    if scheme not in schemes or not separator or not re.fullmatch(r"[^\s\x00-\x1f]+", rest):
        raise ValueError(f"must be a URL that begins with {', '.join(f'{scheme}://' for scheme in schemes)}")
    return without_credentials(value, instead).rstrip("/")


def without_credentials(url: str, instead: str = "") -> str:
    """Returns a URL without credentials: URLs get into logs, the process list, alchemy.lock and manifest.json.

    Raises ValueError, which does not quote the URL, for a user name or password (ssh and rsync may name a user), for a
    query, which may be a token, and for an invalid host. `instead` replaces the usual advice about credentials.
    """
    scheme, _, rest = url.partition("://")
    authority = _AUTHORITY_END.split(rest, maxsplit=1)[0]
    user, at, host = authority.rpartition("@")
    if at and (scheme not in _NAMES_USERS or ":" in user):
        raise ValueError(f"must not contain credentials, as URLs are published: {instead or _login(scheme, host)}")
    if scheme == "file":
        return url
    if not _HOST.fullmatch(host) or not _USER.fullmatch(user):
        raise ValueError(f"must have HOST or HOST:PORT after {scheme}://")
    if re.search(r"[?#\\]", rest):
        raise ValueError(
            "must not contain a query (?), which may be a token and would be published, nor # or a backslash"
        )
    return url


def _login(scheme: str, host: str) -> str:
    """Returns how to log in without credentials in the URL, for a message."""
    name = match["name"] if (match := _HOST.fullmatch(host)) else "HOST"
    if scheme in ("http", "https"):
        return f"write `machine {name} login USER password PASSWORD` into ~/.netrc of root"
    return f"use an SSH key, and ssh://git@{name}/…"


def git_url(value: str) -> str:
    """Returns a URL that git can fetch from. Raises ValueError for any other."""
    return _url(value, _SCHEMES["git"])


def is_git(url: str) -> bool:
    """Returns whether a URL is that of a git repository rather than of a file."""
    return url.startswith(("git://", "ssh://")) or url.rstrip("/").endswith(".git")


def _commit(value: str) -> str:
    if not _COMMIT.fullmatch(value):
        raise ValueError("must be a full commit (40 lower-case hexadecimal digits)")
    return value


def _ref(value: str) -> str:
    if not _REF.fullmatch(value) or ".." in value or value.endswith((".lock", "/", ".")):
        raise ValueError("must be the name of a branch or tag")
    return value


def _binhost(value: str) -> str:
    return _url(value, ("https", "http", "file"), instead="Portage cannot log in, so serve it without a login")


def _mirror(value: str) -> str:
    if "://" in value:
        return _url(value, ("https", "http"))
    if not value.strip() or not value.isprintable():
        raise ValueError("must be a URL (https, http) or a folder")
    return value


def _by_url_alone(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


Commit = Annotated[str, AfterValidator(_commit)]
Ref = Annotated[str, AfterValidator(_ref)]
Binhost = Annotated[str, AfterValidator(_binhost)]
Mirror = Annotated[str, AfterValidator(_mirror)]


class Sync(BaseModel):
    """The source of the main repository. `none` uses the one that the stage3 contains."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    method: Literal["webrsync", "git", "rsync", "none"]
    url: str | None = None
    branch: Ref | None = None
    commit: Commit | None = None
    verify: bool = True

    @model_validator(mode="after")
    def _fits_the_method(self) -> Sync:
        for key in sorted(self.model_fields_set - {"method"} - _TAKES[self.method]):
            raise ValueError(f"{key}: unsupported by method {self.method}")
        if self.url is None and self.method in _NEEDS_URL:
            raise ValueError(f"url: missing (expected for method {self.method})")
        if self.url is not None:
            try:
                _url(self.url, _SCHEMES[self.method])
            except ValueError as error:
                raise ValueError(f"url: {error}") from None
        return self


class Overlay(BaseModel):
    """A git repository that overlays the main one."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    url: Annotated[str, AfterValidator(git_url)]
    branch: Ref | None = None
    commit: Commit | None = None


OverlayOrUrl = Annotated[Overlay, BeforeValidator(_by_url_alone, json_schema_input_type=str | Overlay)]
