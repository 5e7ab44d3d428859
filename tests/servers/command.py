"""Running a server as a process of its own."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from tests.servers.base import Server


def serve(server: Server) -> None:
    """Print the server's URL as one line; return when stdin closes or SIGTERM comes."""
    signal.signal(signal.SIGTERM, _leave)
    with server:
        print(server.url, flush=True)
        while sys.stdin.buffer.read(65536):
            pass


def _leave(*_: object) -> NoReturn:
    raise SystemExit(0)
