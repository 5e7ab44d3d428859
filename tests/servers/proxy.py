"""An HTTP proxy on loopback: it tunnels (CONNECT), and remembers whereto."""

from __future__ import annotations

import base64
import contextlib
import select
import socket
from typing import TYPE_CHECKING

from tests.servers.base import PATIENCE, Answer, Server

if TYPE_CHECKING:
    from tests.servers.base import Exchange, Fault, Recorded

#: Seconds between two looks at whether the server stops.
POLL = 0.1


class Proxy(Server):
    """A proxy; with ``user`` (name:password), only for clients that send it."""

    def __init__(self, user: str = "", *, port: int = 0) -> None:
        self.user = user
        super().__init__(port=port)

    @property
    def targets(self) -> list[str]:
        """The requested tunnels, as HOST:PORT, in order."""
        return [request.path for request in self.requests if request.method == "CONNECT"]

    def preempt(self, request: Recorded) -> Fault | None:
        if request.method != "CONNECT":
            return None
        expected = "Basic " + base64.b64encode(self.user.encode()).decode()
        if self.user and request.headers.get("proxy-authorization") != expected:
            return _unknown
        return _tunnel

    def answer(self, request: Recorded) -> Answer:
        return Answer(501, b"only tunnels are made here")


def _unknown(exchange: Exchange) -> None:
    headers = {"Proxy-Authenticate": "Basic"}
    exchange.reply(Answer(407, b"who are you?", headers=headers))


def _tunnel(exchange: Exchange) -> None:
    """Pass bytes in both directions until one side closes."""
    host, _, port = exchange.request.path.rpartition(":")
    near = exchange.connection.socket
    try:
        far = socket.create_connection((host.strip("[]"), int(port)), PATIENCE)
    except OSError:
        exchange.reply(Answer(502, b"no way there"))
        return
    with far, contextlib.suppress(OSError):
        exchange.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        while not exchange.stopping.is_set() and _passed_on(near, far):
            pass
    exchange.end()


def _passed_on(near: socket.socket, far: socket.socket) -> bool:
    """Pass on what there is, in both directions; False if one side has closed."""
    ready, _, _ = select.select([near, far], [], [], POLL)
    for one in ready:
        data = one.recv(65536)
        if not data:
            return False
        (far if one is near else near).sendall(data)
    return True
