"""A web server on the loopback for a folder: what a mirror is to a build."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

_GIT = "/git/"


@dataclasses.dataclass(frozen=True)
class Request:
    """What a client asked for; `first` is the first byte of the file that it wanted."""

    path: str
    first: int = 0


class Server:
    """Serves a folder, and repositories below its git/ as `git http-backend` does; knows ranges; notes each request.

    It keeps its port when it is stopped and started again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[Request] = []
        self.stopped = threading.Event()
        # bytes after which the server goes down in the midst of an answer, by path
        self.goes_down: dict[str, int] = {}
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        self.stopped.clear()
        self._http = _Http(("127.0.0.1", self._port), self)
        self._port = self._http.server_port
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """From now on a connection is refused."""
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        self.stopped.set()

    def asked(self, name: str) -> list[int]:
        """The first byte of each request whose path ends with `name`."""
        return [request.first for request in self.requests if request.path.endswith(name)]


class _Http(ThreadingHTTPServer):
    # a connection that is still open doesn't keep the server from going down
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], server: Server) -> None:
        super().__init__(address, _Handler)
        self.outer = server


class _Handler(BaseHTTPRequestHandler):
    server: _Http

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if path.startswith(_GIT):
            self._git()
        else:
            self._file(path)

    def do_POST(self) -> None:
        self._git()

    def _file(self, path: str) -> None:
        outer = self.server.outer
        file = outer.folder / path.lstrip("/")
        if not file.is_file():
            outer.requests.append(Request(path))
            self.send_error(404)
            return
        status = file.stat()
        etag = f'"{status.st_mtime_ns}-{status.st_size}"'
        wanted = self.headers["Range"] or ""
        whole = not wanted.endswith("-") or self.headers["If-Range"] not in (None, etag)
        first = 0 if whole else int(wanted.removeprefix("bytes=").removesuffix("-"))
        outer.requests.append(Request(path, first))
        self.send_response(206 if first else 200)
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(status.st_size - first))
        if first:
            self.send_header("Content-Range", f"bytes {first}-{status.st_size - 1}/{status.st_size}")
        self.end_headers()
        with file.open("rb") as content:
            content.seek(first)
            last = outer.goes_down.pop(path, None)
            if last is None:
                while block := content.read(1 << 20):
                    self.wfile.write(block)
                return
            self.wfile.write(content.read(last))
        outer.stop()
        self.close_connection = True

    def _git(self) -> None:
        """Hands a request to git's own server, by CGI (RFC 3875)."""
        outer = self.server.outer
        parts = urlsplit(self.path)
        outer.requests.append(Request(parts.path))
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        environ = {
            "GIT_PROJECT_ROOT": str(outer.folder / _GIT.strip("/")), "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": unquote(parts.path).removeprefix(_GIT.rstrip("/")), "QUERY_STRING": parts.query,
            "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers["Content-Type"] or "",
            "CONTENT_LENGTH": str(len(body)), "HTTP_CONTENT_ENCODING": self.headers["Content-Encoding"] or "",
            "GIT_PROTOCOL": self.headers["Git-Protocol"] or "", "PATH": os.environ["PATH"],
        }  # fmt: skip
        answer = subprocess.run(["git", "http-backend"], input=body, env=environ, stdout=subprocess.PIPE, check=True)
        head, _, content = answer.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n"))
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass
