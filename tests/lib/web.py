"""Web servers on the loopback."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Quiet:
    """Has a handler log nothing: the test says what matters."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of http.server
        pass


@contextmanager
def serving(handler: Callable[..., BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serves with a handler on the loopback, and yields the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    # a connection that is left open does not keep the server from going down
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
