"""An HTTP connection to IMDS, straight, bounded in time and in bytes."""

from __future__ import annotations

import http.client
import socket
from typing import TYPE_CHECKING

from credproc import __version__
from credproc.errors import ProviderUnavailable

if TYPE_CHECKING:
    from typing import Any

    from credproc.providers import Deadline

#: Bytes. Real answers have about 1,500.
MAX_BODY = 64 * 1024


class Fault(Exception):
    """Something that may be better a moment later."""


class _Socket(socket.socket):
    """A socket whose reads and writes all share one deadline, so that no drip outlasts it."""

    deadline: Deadline
    heard = False

    def _hurry(self) -> None:
        left = self.deadline.left()
        if left <= 0:
            raise TimeoutError("timed out")
        self.settimeout(left)

    def recv_into(self, *args: Any, **options: Any) -> int:
        self._hurry()
        count = super().recv_into(*args, **options)
        self.heard = self.heard or count > 0
        return count

    def sendall(self, *args: Any, **options: Any) -> None:
        self._hurry()
        super().sendall(*args, **options)


class Connection(http.client.HTTPConnection):
    """A connection that is made straight (no proxy, whatever the environment says)."""

    def __init__(self, host: str, port: int, deadline: Deadline) -> None:
        super().__init__(host, port)
        self.deadline = deadline
        self.connected = False
        #: Whether anything was ever heard from the other side.
        self.heard = False

    def connect(self) -> None:
        """Connect to the first address that answers; unavailable if none does."""
        try:
            addresses = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise ProviderUnavailable(
                f"the host {self.host} of IMDS has no address: {error.strerror}", doubt=True
            ) from None
        for number, (family, kind, protocol, _, address) in enumerate(addresses, 1):
            sock = _Socket(family, kind, protocol)
            sock.deadline = self.deadline
            sock.settimeout(max(self.deadline.left(), 0.001))
            try:
                sock.connect(address)
            except OSError as error:
                sock.close()
                if number < len(addresses):
                    continue
                self._explain(error)
            else:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.sock = sock
                self.connected = True
                return

    def _explain(self, error: OSError) -> None:
        """Raise what a failed connection means."""
        if isinstance(error, TimeoutError) or self.heard:
            raise error
        raise ProviderUnavailable(
            f"nothing answers at {self.host}:{self.port} ({(error.strerror or '').lower()}): "
            "this is no EC2 instance, or its metadata service is out of reach"
        ) from None

    def exchange(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        """Send a request; return the status and the whole body."""
        try:
            self.request(method, path, headers={"User-Agent": f"credproc/{__version__}", **headers})
            response = self.getresponse()
            body = response.read(MAX_BODY + 1)
        finally:
            self.heard = self.heard or (isinstance(self.sock, _Socket) and self.sock.heard)
        if len(body) > MAX_BODY:
            raise Fault(f"an answer of more than {MAX_BODY} bytes")
        length = response.getheader("Content-Length")
        if length is not None and length.isdigit() and int(length) > len(body):
            raise Fault("an answer that was cut off")
        return response.status, body
