"""An HTTP connection to IMDS, straight, bounded in time and in bytes."""

from __future__ import annotations

import contextlib
import errno
import http.client
import socket
from typing import TYPE_CHECKING

from credproc import __version__, supervision
from credproc.errors import NO_INSTANCE, DeadlineExceeded, ProviderUnavailable

if TYPE_CHECKING:
    from typing import Any

    from credproc.deadline import Deadline
    from credproc.log import Log
    from credproc.providers.endpoint import Settings

#: Bytes of a body, and of all that is sent for one request. Real answers have about 1,500.
MAX_BODY = 64 * 1024
MAX_ANSWER = 2 * MAX_BODY

#: What says for certain that nothing is there, or that the way is barred.
ABSENT = (
    errno.ECONNREFUSED,
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.EHOSTDOWN,
    errno.EADDRNOTAVAIL,
    errno.EAFNOSUPPORT,
    errno.EACCES,
    errno.EPERM,
)


class Fault(Exception):
    """Something that may be better a moment later; its message holds nothing of what was sent."""


class _Socket(socket.socket):
    """A socket that asks its connection, at every step, whether there is time and room left.

    So no drip outlasts the deadline, and no flood fills the memory.
    """

    connection: Connection

    def recv_into(self, *args: Any, **options: Any) -> int:
        self.settimeout(self.connection.time())
        count = super().recv_into(*args, **options)
        self.connection.received(count)
        return count

    def sendall(self, *args: Any, **options: Any) -> None:
        self.settimeout(self.connection.time())
        super().sendall(*args, **options)


class Connection(http.client.HTTPConnection):
    """A connection that is made straight (no proxy, whatever the environment says).

    ``deadline`` is that of the next exchange.
    """

    deadline: Deadline

    def __init__(self, chosen: Settings, log: Log) -> None:
        super().__init__(chosen.host, chosen.port)
        self.url = chosen.url
        self.log = log
        #: Whether a connection was ever made, and anything ever heard from the other side.
        self.connected = False
        self.heard = False
        #: The other side's time, as its latest answer stated it.
        self.date = ""
        self._room = 0

    def time(self) -> float:
        """Return the seconds left; TimeoutError if there are none."""
        left = self.deadline.left()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def received(self, count: int) -> None:
        """Take note of bytes that came; Fault if they are too many for one answer."""
        self.heard = self.heard or count > 0
        self._room -= count
        if self._room < 0:
            raise Fault(f"an answer of more than {MAX_ANSWER} bytes")

    def connect(self) -> None:
        """Connect to the first address that answers; unavailable if none does."""
        addresses = self._addresses()
        for number, each in enumerate(addresses, 1):  # pragma: no branch - there is one at least
            family, kind, protocol, _, address = each
            try:
                self.sock = self._connected(family, kind, protocol, address)
            except OSError as error:
                if number == len(addresses):
                    self._explain(error)
            else:
                self.connected = True
                return

    def _addresses(self) -> list[Any]:
        """Return what the host's name stands for; a resolver that hangs is not waited for."""

        def resolve() -> list[Any]:
            return socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)

        try:
            return supervision.supervised(resolve, self.deadline, self.log)
        except DeadlineExceeded:
            raise TimeoutError("timed out") from None
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", "") or "no host has such a name"
            raise ProviderUnavailable(
                f"the host of {self.url} has no address ({reason.lower()})", doubt=True
            ) from None

    def _connected(self, family: int, kind: int, protocol: int, address: Any) -> _Socket:
        sock = _Socket(family, kind, protocol)
        try:
            sock.connection = self
            sock.settimeout(self.time())
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            sock.close()
            raise
        return sock

    def _explain(self, error: OSError) -> None:
        """Raise what a failed connection means."""
        if error.errno not in ABSENT or self.heard:
            raise error
        raise ProviderUnavailable(
            f"nothing answers at {self.url} ({(error.strerror or '').lower()}): {NO_INSTANCE}, or "
            "its metadata service is out of reach"
        ) from None

    def exchange(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        """Send a request; return the status and the whole body.

        TimeoutError says that the time was over, Fault everything else that may pass.
        """
        self._room = MAX_ANSWER
        try:
            self.request(method, path, headers={"User-Agent": f"credproc/{__version__}", **headers})
            with contextlib.closing(self.getresponse()) as response:
                self.date = response.getheader("Date", "")
                body = response.read(MAX_BODY + 1)
        except TimeoutError:
            raise
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Fault(_reason(error)) from None
        if len(body) > MAX_BODY:
            raise Fault(f"a body of more than {MAX_BODY} bytes")
        if response.length:  # what is still missing of Content-Length
            raise Fault("an answer that was cut off")
        if response.getheader("Content-Encoding", "identity").lower() != "identity":
            raise Fault("an answer in an encoding that nobody asked for")
        return response.status, body


def _reason(error: Exception) -> str:
    """Say what went wrong without a byte of what was sent: it might be a piece of a secret."""
    if isinstance(error, http.client.RemoteDisconnected):
        return "the connection was closed without an answer"
    if isinstance(error, OSError):
        return (error.strerror or type(error).__name__).lower()
    if isinstance(error, http.client.IncompleteRead):
        return "an answer that was cut off"
    if isinstance(error, http.client.LineTooLong) or type(error) is http.client.HTTPException:
        return "an answer with headers beyond all bounds"
    return "an answer that is not HTTP"
