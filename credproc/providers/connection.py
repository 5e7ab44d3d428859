"""An HTTP connection to IMDS, straight, bounded in time and in bytes."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from credproc import __version__, supervision
from credproc.errors import NO_INSTANCE, DeadlineExceeded, ProviderUnavailable
from credproc.providers import http
from credproc.providers.http import Fault, Stream

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


class Connection:
    """A connection that is made straight (no proxy, whatever the environment says).

    ``deadline`` is that of the next exchange.
    """

    deadline: Deadline

    def __init__(self, chosen: Settings, log: Log) -> None:
        self.host = chosen.host
        self.port = chosen.port
        self.url = chosen.url
        self.log = log
        self.sock: socket.socket | None = None
        #: Whether a connection was ever made, and anything ever heard from the other side.
        self.connected = False
        self.heard = False
        #: The other side's time, as its latest answer stated it.
        self.date = ""

    def close(self) -> None:
        """Close the connection; the next exchange makes a new one."""
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    def time(self) -> float:
        """Return the seconds left; TimeoutError if there are none."""
        left = self.deadline.left()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def connect(self) -> socket.socket:
        """Connect to the first address that answers; unavailable if none does."""
        addresses = self._addresses()
        for number, each in enumerate(addresses, 1):  # pragma: no branch - there is one at least
            family, kind, protocol, _, address = each
            try:
                sock = self._connected(family, kind, protocol, address)
            except OSError as error:
                if number == len(addresses):
                    self._explain(error)
            else:
                break
        self.connected = True
        return sock

    def _addresses(self) -> list[Any]:
        """Return what the host's name stands for; a resolver that hangs is not waited for."""

        def resolve() -> list[Any]:
            # As bytes, which spares a plain name the tables of international ones.
            host = self.host.encode("ascii")
            return socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM)

        try:
            return supervision.supervised(resolve, self.deadline, self.log)
        except DeadlineExceeded:
            raise TimeoutError("timed out") from None
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", "") or "no host has such a name"
            raise ProviderUnavailable(
                f"the host of {self.url} has no address ({reason.lower()})", doubt=True
            ) from None

    def _connected(self, family: int, kind: int, protocol: int, address: Any) -> socket.socket:
        sock = socket.socket(family, kind, protocol)
        try:
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
        names = {
            "Host": http.host(self.host, self.port, 80),
            "Accept-Encoding": "identity",
            "User-Agent": f"credproc/{__version__}",
            **headers,
        }
        try:
            if self.sock is None:
                self.sock = self.connect()
        except TimeoutError:
            raise
        except OSError as error:
            raise Fault((error.strerror or type(error).__name__).lower()) from None
        stream = Stream(self.sock, self.time, MAX_ANSWER)
        try:
            answer = stream.exchange(http.request(method, path, names), MAX_BODY)
        finally:
            self.heard = self.heard or stream.heard
            if not stream.lasts:
                self.close()
        self.date = answer.headers.get("date", "")
        return answer.status, answer.body
