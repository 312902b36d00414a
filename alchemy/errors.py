"""The errors that users see, each class with its exit status, and `visible`, which makes foreign text safe to show."""

from __future__ import annotations

import re
import unicodedata

# colours (ECMA-48, SGR), as compilers and Portage print them, and carriage returns before a newline
_DROPPED = re.compile(r"\x1b\[[0-9;:]*m|\r+(?=\n)")
_SUSPECT = re.compile(r"[^\n\t\x20-\x7e]")
# controls (C0, C1, DEL), formats (such as bidirectional overrides), surrogates, line and paragraph separators
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# user and password in a URL (RFC 3986, section 3.2.1)
_CREDENTIALS = re.compile(r"\b(https?|ftp)://[^\s/?#]*@")


def visible(text: str) -> str:
    """Returns text from servers, builds and archives, which is untrusted, in a form that is safe on a terminal.

    Characters that would control the terminal or hide text become readable escapes (`\\x1b`, `\\u202e`). Newlines and
    tabs stay, colours are dropped, and credentials in URLs become `…`.
    """
    return _SUSPECT.sub(_escape, _CREDENTIALS.sub(r"\1://…@", _DROPPED.sub("", text)))


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if unicodedata.category(character) not in _HIDDEN:
        return character
    return character.encode("unicode_escape").decode("ascii")


class AlchemyError(Exception):
    """A message for the user, with an optional hint. Raised as this class itself, it is a bug of ours."""

    status = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = visible(message)
        self.hint = None if hint is None else visible(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"


class UserError(AlchemyError):
    """The configuration, the command line or the host is at fault."""

    status = 2


class BuildError(AlchemyError):
    """A build step failed."""

    status = 3


class VerificationError(AlchemyError):
    """A download or an output failed verification."""

    status = 4
