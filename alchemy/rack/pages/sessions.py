"""The sessions of operators who logged in by the form. They live in memory: a restart of the service ends them."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

SECONDS = 12 * 3600.0
MOST = 1000
_BYTES = 32


@dataclass(frozen=True)
class Session:
    """Who logged in, the token that their state changes carry, and when it ends, in seconds."""

    name: str
    csrf: str
    ends: float


class Sessions:
    """Finds sessions by the value of their cookie, which itself is not kept."""

    def __init__(self) -> None:
        """Begins with nobody logged in."""
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()
        self._lock = Lock()

    def open(self, name: str, now: float) -> tuple[str, Session]:
        """Returns the value of the cookie and its session. The oldest session ends when there are too many."""
        cookie = secrets.token_urlsafe(_BYTES)
        session = Session(name, secrets.token_urlsafe(_BYTES), now + SECONDS)
        with self._lock:
            self._sessions[_digest(cookie)] = session
            while len(self._sessions) > MOST:
                self._sessions.popitem(last=False)
        return cookie, session

    def find(self, cookie: str, now: float) -> Session | None:
        """Returns the session of a cookie; None when it has ended or never was."""
        with self._lock:
            session = self._sessions.get(_digest(cookie))
            if session is not None and now >= session.ends:
                del self._sessions[_digest(cookie)]
                return None
            return session

    def close(self, cookie: str) -> None:
        """Ends a session."""
        with self._lock:
            self._sessions.pop(_digest(cookie), None)


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("utf-8", "surrogatepass")).digest()
