"""The versions that an upstream project has released: the tags of its git repository, or the files beside a tarball."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from urllib.parse import unquote, urlsplit

from alchemy.context import Context
from alchemy.errors import AlchemyError, BuildError
from alchemy.fetch import download

_TRANSPORT = {"GIT_TERMINAL_PROMPT": "0"}
_TAG = re.compile(
    r"(?:[A-Za-z][\w+.]*?[-_/])*?(?:v|r|V)?(?P<version>[0-9]+(?:[._-][0-9]+)*(?:[._-]?(?:p|P)[0-9]+)?[a-z]?)"
    r"(?:[-_](?:stable|release))?"
)
_LINK = re.compile(r'href="([^"?#]+)"', re.IGNORECASE)

# A day counts as a version where a project numbers by days: 20250316. Elsewhere such a tag is a snapshot.
_DAY = re.compile(r"(19|20)[0-9]{6}")


def version_of(tag: str) -> str | None:
    """Returns the version that a tag stands for: 8.14.1 for curl-8_14_1. None for a pre-release, or any other name."""
    match = _TAG.fullmatch(tag) if len(tag) < 100 else None
    return re.sub(r"(?<=[0-9])[_-](?=[0-9])", ".", match["version"]) if match else None


class Lookup:
    """Looks versions up, and asks a host that cannot be reached once."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._unreachable: dict[str, str] = {}

    def tags(self, url: str, current: str) -> list[str]:
        """Returns the versions that the tags of a git repository stand for. `current` is a version of the project as it
        is written. Raises BuildError when the repository cannot be read."""
        listing = self._once(url, lambda: self._ls_remote(url))
        names = [line.partition("refs/tags/")[2].removesuffix("^{}") for line in listing.splitlines()]
        return _plausible((version for name in names if (version := version_of(name))), current)

    def listed(self, url: str, current: str) -> list[str]:
        """Returns the versions of the files beside a tarball, in the listing of its folder, whose names differ from its
        own by the version only. Raises BuildError for a missing listing."""
        folder, _, name = url.rpartition("/")
        if current not in name:
            raise BuildError(f"{url}: has no version in its name")
        page = self._once(url, lambda: download.small(self._context, f"{folder}/", attempts=1).decode(errors="replace"))
        before, _, after = name.partition(current)
        pattern = re.compile(rf"{re.escape(before)}([0-9][0-9a-z._]*?){re.escape(after)}")
        links = [unquote(html.unescape(link)).rpartition("/")[2] for link in _LINK.findall(page)]
        return _plausible((match[1] for link in links if (match := pattern.fullmatch(link))), current)

    def _ls_remote(self, url: str) -> str:
        command = ["git", "ls-remote", "--tags", url]
        return self._context.runner.capture(command, env=_TRANSPORT, what="git ls-remote")

    def _once(self, url: str, ask: Callable[[], str]) -> str:
        host = urlsplit(url).netloc
        if host in self._unreachable:
            raise BuildError(self._unreachable[host])
        try:
            return ask()
        except BuildError as error:
            self._unreachable[host] = f"{host} cannot be reached"
            raise BuildError(self._unreachable[host]) from error
        except AlchemyError as error:
            raise BuildError(error.message) from error


def _plausible(found: Iterable[str], current: str) -> list[str]:
    """Returns versions without those of days, unless the current one is a day."""
    return [version for version in dict.fromkeys(found) if bool(_DAY.match(version)) == bool(_DAY.match(current))]
