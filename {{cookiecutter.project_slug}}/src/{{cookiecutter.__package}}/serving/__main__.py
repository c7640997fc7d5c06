"""Start the server on the address of the settings. Run: ``python -m PACKAGE.serving``, or ``make serve``."""

import uvicorn

from ..errors import guard
from .app import create_app
from .connection import within
from .settings import read


def main() -> None:
    """Serve until told to stop; requests that run are answered first."""
    settings = read()
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
