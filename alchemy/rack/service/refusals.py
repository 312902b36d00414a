"""The error that becomes a response with 4xx or 5xx."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from starlette.responses import JSONResponse, Response

_NONE: Mapping[str, str] = MappingProxyType({})


class RefusedError(Exception):
    """A refused request. The text is `THING: problem (expected X, got Y)`."""

    def __init__(self, status: int, error: str, hint: str = "", headers: Mapping[str, str] = _NONE) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.hint = hint
        self.headers = dict(headers)

    def answer(self) -> Response:
        """Returns the response, `{"error", "hint"}`."""
        return JSONResponse({"error": self.error, "hint": self.hint}, self.status, headers=self.headers)
