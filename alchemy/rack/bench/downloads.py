"""How fast nginx gives out a file: to one client, and to many at once."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

_BLOCK = 1 << 20
_PATIENCE = 300.0  # seconds


def measure(port: int, path: str, size: int, parallel: int) -> dict[str, Any]:
    """Fetches a file once, and then `parallel` times at once; returns MB/s of both, and their ratio.

    The line rate of the loopback interface is what one client gets. Raises OSError, ValueError for a short answer.
    """
    _fetch(port, path, size)  # into the page cache
    started = time.perf_counter()
    _fetch(port, path, size)
    one = size / (time.perf_counter() - started)
    problems: list[str] = []

    def fetch() -> None:
        try:
            _fetch(port, path, size)
        except (OSError, ValueError) as error:
            problems.append(str(error))

    threads = [threading.Thread(target=fetch) for _ in range(parallel)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    if problems:
        raise ValueError(problems[0])
    many = parallel * size / seconds
    return {
        "bytes": size,
        "parallel": parallel,
        "seconds": round(seconds, 2),
        "mb_s_one": round(one / 1e6),
        "mb_s_all": round(many / 1e6),
        "share_of_line_rate": round(many / one, 2),
    }


def _fetch(port: int, path: str, size: int) -> None:
    buffer = bytearray(_BLOCK)
    with socket.create_connection(("127.0.0.1", port), _PATIENCE) as connection:
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode("ascii"))
        head = b""
        while b"\r\n\r\n" not in head:
            block = connection.recv(_BLOCK)
            if not block:
                raise ValueError(f"{path}: no answer")
            head += block
        begin, _, body = head.partition(b"\r\n\r\n")
        if b" 200 " not in begin.split(b"\r\n")[0]:
            raise ValueError(f"{path}: {begin[:80].decode('latin-1')}")
        got = len(body)
        while count := connection.recv_into(buffer):
            got += count
    if got != size:
        raise ValueError(f"{path}: truncated (expected {size} bytes, got {got})")
