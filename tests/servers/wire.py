"""What goes over one connection: requests that are read, answers that are written, raw bytes."""

from __future__ import annotations

import contextlib
import email.utils
import http
import json
import socket
import struct
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from tests.servers.base import Server

#: SO_LINGER on, zero seconds: closing sends RST.
LINGER_ZERO = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Recorded:
    """A request as it arrived; header names are lower case, ``path`` is the raw target."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    at: float
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """A well-formed answer; ``data`` is what ``body`` was rendered from, where there is such."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict)
    data: Any = None
    render: Callable[[Any], bytes] | None = None

    def with_data(self, data: Any) -> Answer:
        """Return this answer made of other data."""
        if self.render is None:
            raise ValueError(f"this answer was not made from data: {self.body[:80]!r}")
        return replace(self, data=data, body=self.render(data))


def rendered(
    data: Any,
    render: Callable[[Any], bytes],
    content_type: str,
    status: int = 200,
) -> Answer:
    """Return the answer that ``render`` makes of the data."""
    return Answer(status, render(data), content_type, data=data, render=render)


def text(data: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return a plain text answer."""
    answer = rendered(data, lambda value: str(value).encode(), "text/plain")
    return replace(answer, headers=headers or {})


def as_json(data: Any, content_type: str = "application/json", status: int = 200) -> Answer:
    """Return a JSON answer, indented as AWS's metadata services do."""
    return rendered(data, _json_bytes, content_type, status)


def _json_bytes(data: Any) -> bytes:
    return json.dumps(data, indent=2).encode()


class Connection:
    """One accepted connection."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.socket = sock
        self.number = number
        self.closed = False
        self.persistent = True
        self._buffer = b""

    def read_request(self) -> Recorded | None:
        """Return the next request; None if the client closed or does not speak HTTP."""
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        first, _, rest = head.decode("latin-1").partition("\r\n")
        parts = first.split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/"):
            return None
        headers = _headers(rest)
        keep = headers.get("connection", "").lower() != "close"
        self.persistent = keep and parts[2] == "HTTP/1.1"
        if headers.get("expect", "").lower() == "100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = headers.get("content-length", "0")
        body = self._exactly(int(length)) if length.isdigit() else None
        if body is None:
            return None
        return Recorded(parts[0], parts[1], headers, body, self.number, time.monotonic())

    def _until(self, end: bytes) -> bytes | None:
        while end not in self._buffer:
            if not self._more():
                return None
        head, _, self._buffer = self._buffer.partition(end)
        return head

    def _exactly(self, length: int) -> bytes | None:
        while len(self._buffer) < length:
            if not self._more():
                return None
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return body

    def _more(self) -> bool:
        received = self.socket.recv(65536)
        self._buffer += received
        return bool(received)

    def send(self, data: bytes) -> None:
        """Write raw bytes."""
        self.socket.sendall(data)

    def drain(self) -> None:
        """Read and forget until the client closes or the server stops."""
        with contextlib.suppress(OSError):
            while self.socket.recv(65536):
                pass

    def shut(self) -> None:
        """Wake a thread that blocks on this connection, from another thread."""
        with contextlib.suppress(OSError):
            # The base class's method, because SSLSocket's changes the object under its user.
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def close(self, *, reset: bool = False) -> None:
        """End the connection with FIN, or with RST."""
        if self.closed:
            return
        self.closed = True
        with contextlib.suppress(OSError):
            if reset:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        self.socket.close()


def _headers(lines: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines.split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            name = name.strip().lower()
            known = headers.get(name)
            headers[name] = value.strip() if known is None else f"{known}, {value.strip()}"
    return headers


class Exchange:
    """One request and whatever is sent back for it; this is what a fault works with."""

    def __init__(self, server: Server, connection: Connection, request: Recorded) -> None:
        self.server = server
        self.connection = connection
        self.request = request
        self._normal: Answer | None = None

    @property
    def stopping(self) -> threading.Event:
        """Set when the server stops; waits go through it."""
        return self.server.stopping

    def normal(self) -> Answer:
        """Return the answer of a healthy service; it is made once, when first needed."""
        if self._normal is None:
            self._normal = self.server.answer(self.request)
        return self._normal

    def send(self, data: bytes) -> None:
        """Write raw bytes."""
        self.connection.send(data)

    def head(
        self, answer: Answer, length: int | None, extra: Mapping[str, str] | None = None
    ) -> bytes:
        """Return the status line and headers for a body of ``length`` (None: not announced)."""
        headers = {
            "Server": self.server.product,
            "Date": email.utils.formatdate(self.server.clock(), usegmt=True),
            "Content-Type": answer.content_type,
        }
        if length is not None:
            headers["Content-Length"] = str(length)
        if not self.connection.persistent:
            headers["Connection"] = "close"
        headers.update(answer.headers)
        headers.update(extra or {})
        lines = [f"HTTP/1.1 {answer.status} {_reason(answer.status)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def reply(self, answer: Answer) -> None:
        """Write a whole answer."""
        body = b"" if self.request.method == "HEAD" else answer.body
        self.send(self.head(answer, len(answer.body)) + body)

    def end(self, *, reset: bool = False) -> None:
        """Close the connection."""
        self.connection.close(reset=reset)


def _reason(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
