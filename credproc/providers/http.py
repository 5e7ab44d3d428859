"""One HTTP/1.1 exchange over a connected socket, limited in time and in bytes.

http.client takes longer to load (email, ssl) than IMDS takes to answer.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

#: Bytes that are read at once, bytes of a header line, and the number of headers.
BLOCK = 64 * 1024
MAX_LINE = 64 * 1024
MAX_HEADERS = 100

CLOSED = "the connection was closed without a response"
_CUT_OFF = "a truncated response"
_NOT_HTTP = "a response that is not HTTP"
_HEADERS = "response headers too large"


class HttpError(Exception):
    """A failure that may pass; its message quotes nothing that was sent."""


class Response:
    """A response: status, headers by lower-case name, the whole body."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


class Stream:
    """A connected socket with the time and the bytes that are left for one exchange.

    ``left`` returns the seconds for the next step, or raises TimeoutError; ``most`` is the maximum
    number of bytes received.
    """

    def __init__(self, sock: socket.socket, left: Callable[[], float], most: int) -> None:
        self._sock = sock
        self._left = left
        self._most = self._room = most
        self._buffer = bytearray()
        self._delimited = False
        #: Whether the server sent anything, and whether the connection may be used again.
        self.received = False
        self.is_reusable = False

    def exchange(self, request: bytes, most: int) -> Response:
        """Send a request; return the response, whose body has at most ``most`` bytes.

        TimeoutError if the time is up, HttpError for everything else that may pass.
        """
        try:
            self.is_reusable = False
            self._sock.settimeout(self._left())
            self._sock.sendall(request)
            status, headers = 100, {}
            while status == 100:
                version, status = self._status()
                headers = self._headers()
            body = self._body(status, headers, most)
        except TimeoutError:
            raise
        except OSError as error:
            raise HttpError((error.strerror or type(error).__name__).lower()) from error
        closes = version < b"HTTP/1.1" or "close" in headers.get("connection", "").lower()
        self.is_reusable = self._delimited and not closes and not self._buffer
        return Response(status, headers, body)

    def _more(self) -> bool:
        """Wait for more bytes; return False at the end of the stream."""
        self._sock.settimeout(self._left())
        data = self._sock.recv(BLOCK)
        self.received = self.received or bool(data)
        self._room -= len(data)
        if self._room < 0:
            raise HttpError(f"a response of more than {self._most} bytes")
        self._buffer += data
        return bool(data)

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            if len(self._buffer) > MAX_LINE:
                raise HttpError(_HEADERS)
            if not self._more():
                raise HttpError(_CUT_OFF)
        line = self._taken(self._buffer.index(b"\n") + 1)
        if len(line) > MAX_LINE:
            raise HttpError(_HEADERS)
        return line.rstrip(b"\r\n")

    def _taken(self, size: int) -> bytes:
        """Remove ``size`` bytes from the buffer and return them."""
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _status(self) -> tuple[bytes, int]:
        """Return the version and the status of the response that begins here."""
        while len(self._buffer) < 5 and self._more():
            pass
        if not self._buffer:
            raise HttpError(CLOSED)
        if not self._buffer.startswith(b"HTTP/"):
            raise HttpError(_NOT_HTTP)
        version, status, *_ = [*self._line().split(None, 2), b""]
        if not (version.startswith(b"HTTP/1.") and len(status) == 3 and status.isdigit()):
            raise HttpError(_NOT_HTTP)
        return version, int(status)

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        for _ in range(MAX_HEADERS + 1):
            line = self._line().decode("latin-1")
            if not line:
                return headers
            name, _, value = line.partition(":")
            headers.setdefault(name.strip().lower(), value.strip())
        raise HttpError(_HEADERS)

    def _body(self, status: int, headers: Mapping[str, str], most: int) -> bytes:
        self._delimited = True
        if status < 200 or status in (204, 304):
            return b""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunks(most)
        length = headers.get("content-length", "")
        if length.isascii() and length.isdigit():
            return self._block(int(length[:19]), most)
        self._delimited = False
        while self._more():
            _check(len(self._buffer), most)
        return self._taken(len(self._buffer))

    def _block(self, size: int, most: int) -> bytes:
        """Return the next ``size`` bytes."""
        _check(size, most)
        while len(self._buffer) < size:
            if not self._more():
                raise HttpError(_CUT_OFF)
        return self._taken(size)

    def _chunks(self, most: int) -> bytes:
        body = bytearray()
        while True:
            digits = self._line().partition(b";")[0].strip()
            if not digits or digits.strip(b"0123456789abcdefABCDEF"):
                raise HttpError(_NOT_HTTP)
            size = int(digits[:16], 16)
            if not size:
                self._headers()  # trailers
                return bytes(body)
            _check(len(body) + size, most)
            body += self._block(size, most)
            self._line()


def request(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Return the bytes of a request; ValueError for a header that contains a line end."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if not all(line.isprintable() and line.isascii() for line in lines):
        raise ValueError("a header contains invalid characters")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def host(name: str, port: int, usual: int) -> str:
    """Return the Host header for an address whose scheme has the default port ``usual``."""
    shown = f"[{name}]" if ":" in name else name
    return shown if port == usual else f"{shown}:{port}"


def _check(size: int, most: int) -> None:
    if size > most:
        raise HttpError(f"a body of more than {most} bytes")
