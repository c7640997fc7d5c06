"""Start the server on the address of the settings.

Reads the settings from ``SERVE_*`` and ``.env``; what the server reads and writes stands in ``service.py`` and
``store.py``. Run: ``python -m fullstack_ml.serving``, or ``make serve``.
"""

import errno
import socket

import uvicorn

from fullstack_ml.serving.app import create_app
from fullstack_ml.serving.limits import within
from fullstack_ml.serving.settings import Settings, read
from fullstack_ml.workspace.errors import UserError, guard


def check_address(settings: Settings) -> None:
    """Listen for a moment, before anything is loaded.

    Raises:
        UserError: if the host or the port cannot be had.
    """
    where = f"SERVE_HOST {settings.host}, SERVE_PORT {settings.port}"
    try:
        family, kind, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            # As uvicorn does: a port that was closed a moment ago is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            other = settings.port + 1 if settings.port < 65535 else 8000
            fix = f"SERVE_PORT={other} make serve, or end what listens there"
            raise UserError(f"port {settings.port} is in use", where, fix) from error
        fix = "SERVE_HOST is an address of this machine, SERVE_PORT one that you may open (1024 or higher)"
        raise UserError(f"the server cannot listen: {error.strerror}", where, fix) from error


def main() -> None:
    """Serve until told to stop; requests that run are answered first."""
    settings = read()
    check_address(settings)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=within(settings.request_seconds),
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    guard(main)
