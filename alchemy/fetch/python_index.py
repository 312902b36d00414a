"""Where the Python package index has a source archive, by the configuration of pip.

pip itself cannot fetch one without running it: to learn the dependencies of a source archive, it installs what the
archive's build backend asks for, and starts that. This reads the index pages alone (PEP 503 and PEP 691).
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.fetch import download

# a line of `pip config list`: SECTION.KEY='VALUE', with the section of environment variables called :env:
_LINE = re.compile(r"(global|download|:env:)\.([\w-]+)=(.+)")
_PRECEDENCE = ("global", "download", ":env:")

# pip lists no defaults
_DEFAULT = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"

_TRUE = ("1", "on", "t", "true", "y", "yes")


@dataclass(frozen=True)
class Index:
    """Where pip looks for packages: `pages` are the URLs below which each project has a page; `links` are URLs of other
    pages, or folders. `settings` are arguments of requests.get: certificates and the proxy."""

    pages: tuple[str, ...]
    links: tuple[str, ...]
    settings: Mapping[str, Any]


def configured(context: Context, log: Path) -> Index:
    """What pip is configured for, by its files and the environment.

    Raises UserError for a URL with credentials, which would get into logs.
    """
    pip = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "config", "list"]
    environ = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    listing = context.runner.capture(pip, env=environ, log=log, what="reading pip's configuration")
    values = parse_configuration(listing)
    if values.get("no-index", "").lower() in _TRUE:
        pages = []
    else:
        pages = values["index-url"].split() if "index-url" in values else [_default(context, log)]
        pages += values.get("extra-index-url", "").split()
    links = values.get("find-links", "").split()
    for url in (*pages, *links):
        if "@" in urlsplit(url).netloc:
            host = urlsplit(url).hostname
            raise UserError(
                f"pip's configuration: the URL of {host} has credentials in it",
                hint=f"put those of {host} into ~/.netrc",
            )
    settings: dict[str, Any] = {}
    if "cert" in values:
        settings["verify"] = values["cert"]
    if "client-cert" in values:
        settings["cert"] = values["client-cert"]
    if "proxy" in values:
        settings["proxies"] = dict.fromkeys(("http", "https"), values["proxy"])
    return Index(tuple(page.rstrip("/") for page in pages), tuple(links), settings)


def parse_configuration(listing: str) -> Mapping[str, str]:
    """The values that count for `pip download`, of what `pip config list` prints."""
    found: dict[str, dict[str, str]] = {section: {} for section in _PRECEDENCE}
    for match in filter(None, map(_LINE.fullmatch, listing.splitlines())):
        found[match[1]][match[2]] = _value(match[3])
    return {key: value for section in _PRECEDENCE for key, value in found[section].items()}


def _value(shown: str) -> str:
    """A value as pip shows it, in Python's notation. Raises UserError for any other."""
    try:
        return str(ast.literal_eval(shown))
    except (ArithmeticError, MemoryError, RecursionError, SyntaxError, TypeError, ValueError) as error:
        raise UserError("pip config list: malformed value", hint="see `pip config debug`") from error


def places(context: Context, index: Index, project: str, name: str) -> Iterator[str]:
    """The URLs of the file `name` of a project, as far as they are asked for; a page that is not there has none.

    Raises what download.small raises.
    """
    for entry in index.links:
        path = _local(entry)
        if path is None or path.is_file():
            yield from _named(context, index, entry if path is None else path.resolve().as_uri(), name)
        elif (path / name).is_file():
            yield (path / name).resolve().as_uri()
    for page in index.pages:
        url = f"{page}/{re.sub(r'[-_.]+', '-', project).lower()}/"
        path = _local(url)
        yield from _named(context, index, url if path is None else (path.resolve() / "index.html").as_uri(), name)


def parse_page(content: bytes, url: str) -> list[str]:
    """The URLs of the files that an index page lists, in HTML or JSON.

    A page from a server cannot name a local file. Raises UserError for any other scheme.
    """
    text = content.decode(errors="replace")
    if text.lstrip().startswith("{"):
        try:
            links = [str(file["url"]) for file in json.loads(text)["files"]]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UserError(f"{url}: malformed index page: {error}") from error
    else:
        parser = _Links()
        parser.feed(text)
        links = parser.links
    schemes = ("http", "https", "file") if url.startswith("file:") else ("http", "https")
    found = []
    for link in links:
        try:
            absolute = urljoin(url, link).partition("#")[0]
            if urlsplit(absolute).scheme in schemes:
                found.append(absolute)
        except ValueError:
            # no URL at all: another file of the page may be the one
            continue
    return found


class _Links(HTMLParser):
    """The targets of all anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links += [value for key, value in attrs if key == "href" and value]


def _named(context: Context, index: Index, url: str, name: str) -> list[str]:
    try:
        content = download.small(context, url, settings=index.settings)
    except download.NotThereError:
        return []
    return [link for link in parse_page(content, url) if download.file_name(link) == name]


def _local(entry: str) -> Path | None:
    """The path of an entry that is one, or a file: URL; None for the URL of a server."""
    parts = urlsplit(entry)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if parts.scheme in ("http", "https") else Path(entry).expanduser()


def _default(context: Context, log: Path) -> str:
    return context.runner.capture([sys.executable, "-I", "-c", _DEFAULT], log=log, what="asking pip").strip()
