"""The keys of config.yml that name repositories of others: the tree, overlays, binary packages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
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
_NEEDS_URL = ("git", "rsync")


def _url(value: str, schemes: Sequence[str]) -> str:
    scheme, separator, rest = value.partition("://")
    if scheme not in schemes or not separator or not re.fullmatch(r"[^\s\x00-\x1f]+", rest):
        raise ValueError(f"must be a URL that begins with {', '.join(f'{scheme}://' for scheme in schemes)}")
    return value.rstrip("/")


def git_url(value: str) -> str:
    """For pydantic: a URL that git can fetch from."""
    return _url(value, _SCHEMES["git"])


def is_git(url: str) -> bool:
    """Whether a URL that may also be that of a file is one of a git repository."""
    return url.startswith(("git://", "ssh://")) or url.rstrip("/").endswith(".git")


def _commit(value: str) -> str:
    if not _COMMIT.fullmatch(value):
        raise ValueError("must be a whole commit: 40 lower-case hexadecimal digits")
    return value


def _ref(value: str) -> str:
    if not _REF.fullmatch(value) or ".." in value or value.endswith((".lock", "/", ".")):
        raise ValueError("must be the name of a branch or tag")
    return value


def _binhost(value: str) -> str:
    return _url(value, ("https", "http", "file"))


def _by_url_alone(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


Commit = Annotated[str, AfterValidator(_commit)]
Ref = Annotated[str, AfterValidator(_ref)]
Binhost = Annotated[str, AfterValidator(_binhost)]


class Sync(BaseModel):
    """Where the main repository comes from. `none` leaves the one that the stage3 brings along."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    method: Literal["webrsync", "git", "rsync", "none"]
    url: str | None = None
    branch: Ref | None = None
    commit: Commit | None = None
    verify: bool = True

    @model_validator(mode="after")
    def _fits_the_method(self) -> Sync:
        for key in sorted(self.model_fields_set - {"method"} - _TAKES[self.method]):
            raise ValueError(f"{key}: is not for the method {self.method}")
        if self.url is None and self.method in _NEEDS_URL:
            raise ValueError(f"the method {self.method} needs a url")
        if self.url is not None:
            try:
                _url(self.url, _SCHEMES[self.method])
            except ValueError as error:
                raise ValueError(f"url: {error}") from None
        return self


class Overlay(BaseModel):
    """A repository in git that is laid over the main one."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    url: Annotated[str, AfterValidator(git_url)]
    branch: Ref | None = None
    commit: Commit | None = None


OverlayOrUrl = Annotated[Overlay, BeforeValidator(_by_url_alone, json_schema_input_type=str | Overlay)]
