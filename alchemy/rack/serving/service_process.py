"""The process of the service: `python -m alchemy.rack.serving.service_process`, which boot.serve starts."""

from __future__ import annotations

import argparse
import shutil
import socket
import sys
from pathlib import Path

import uvicorn

from alchemy.errors import AlchemyError
from alchemy.rack import config as configuration
from alchemy.rack.records.database import Records, default_url
from alchemy.rack.service import app

# connections that wait to be taken, in the bursts of a rack that is switched on
_BACKLOG = 1024
# what a request may take to its end when the service stops; a page that is open waits for events for ever
_STOP_SECONDS = 2


def main() -> int:
    """Serves until SIGTERM. Returns the exit status."""
    options = _options()
    try:
        config = configuration.read(options.config)
        records = Records.open(config.database or default_url(options.state))
        application = app.create(config, records, url=options.url, access_log=options.state / "log" / "access.log")
    except AlchemyError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
    # nginx says who the client is; nobody else reaches the socket
    server = uvicorn.Server(
        uvicorn.Config(
            application,
            proxy_headers=True,
            forwarded_allow_ips="*",
            server_header=False,
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=_STOP_SECONDS,
        )
    )
    with _listening(options.state / "run" / "service.sock", options.group) as listener:
        server.run(sockets=[listener])
    records.close()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="service", description=__doc__, allow_abbrev=False)
    parser.add_argument("--state", type=Path, required=True, help="the state folder")
    parser.add_argument("--url", required=True, help="where nodes reach the service")
    parser.add_argument("--group", required=True, help="the account of nginx")
    parser.add_argument("--config", type=Path, help="rack.yml")
    return parser.parse_args()


def _listening(path: Path, account: str) -> socket.socket:
    """Returns a socket that this user and the account of nginx can connect to."""
    # an earlier process may have been killed
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o600)
    shutil.chown(path, user=account)
    listener.listen(_BACKLOG)
    return listener


if __name__ == "__main__":
    sys.exit(main())
