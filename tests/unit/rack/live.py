"""A rack service behind a real uvicorn on loopback, which a test stops and starts again on the same port."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

_PATIENCE = 30.0


class Live:
    """The server of an application. It has its port from the beginning, also while it is down."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        # bound and not listening: nobody else gets the port, and a connection is refused
        self._place = _bound(0)
        self.port: int = self._place.getsockname()[1]
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begins to listen; who connects from now on is answered."""
        listener = _bound(self.port)
        listener.listen(128)
        self._server = uvicorn.Server(
            uvicorn.Config(self._app, log_level="critical", access_log=False, timeout_graceful_shutdown=1)
        )
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops listening."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(_PATIENCE)
            assert not self._thread.is_alive()
        self._server = self._thread = None

    def close(self) -> None:
        """Gives the port back."""
        self.stop()
        self._place.close()


@contextmanager
def serving(app: Starlette) -> Iterator[Live]:
    """Serves until the end of the block."""
    live = Live(app)
    live.start()
    try:
        yield live
    finally:
        live.close()


def _bound(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", port))
    return listener
