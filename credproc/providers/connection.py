"""A direct HTTP connection to IMDS, limited in time and in bytes."""

from __future__ import annotations

import errno
import socket

from credproc import __version__, supervision
from credproc.errors import NO_INSTANCE, DeadlineExceeded, ProviderUnavailable, clean
from credproc.providers import http
from credproc.providers.http import HttpError, Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from credproc.deadline import Deadline
    from credproc.log import Log
    from credproc.providers.imdssettings import Settings

#: Bytes of a body, and of a whole response. Real ones have about 1,500.
MAX_BODY = 64 * 1024
MAX_ANSWER = 2 * MAX_BODY

#: Errors that show that nothing listens there, or that it cannot be reached.
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
#: Errors that show that there is no route, for instance on a machine that has only IPv6.
NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
#: The Server header of EC2's own service.
EC2 = "EC2ws"


class Connection:
    """A direct connection (no proxy, whatever the environment says).

    ``deadline`` applies to the next exchange.
    """

    deadline: Deadline

    def __init__(self, chosen: Settings, log: Log) -> None:
        self.host = chosen.host
        self.port = chosen.port
        self.url = chosen.url
        self.log = log
        self.sock: socket.socket | None = None
        #: Whether a connection was ever made, and whether the server ever sent anything.
        self.connected = False
        self.received = False
        #: The headers of the latest response, by lower-case name.
        self.headers: Mapping[str, str] = {}

    def close(self) -> None:
        """Close the connection; the next exchange opens a new one."""
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    def connect(self) -> socket.socket:
        """Connect to the first address that accepts; ProviderUnavailable if none does."""
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
        """Return the addresses of the host; TimeoutError if the resolver hangs."""

        def resolve() -> list[Any]:
            # As bytes, so that Python does not load its tables of international names.
            host = self.host.encode("ascii")
            return socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM)

        try:
            return supervision.supervised(resolve, self.deadline, self.log)
        except DeadlineExceeded:
            raise TimeoutError("timed out") from None
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", "") or "not a valid host name"
            raise ProviderUnavailable(
                f"cannot resolve the host of {self.url} ({reason.lower()})"
            ) from None

    def _connected(self, family: int, kind: int, protocol: int, address: Any) -> socket.socket:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(self.deadline.timeout())
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            sock.close()
            raise
        return sock

    def _explain(self, error: OSError) -> None:
        """Raise the error for a failed connection."""
        if error.errno not in ABSENT or self.received:
            raise error
        reason = (error.strerror or "").lower()
        hint = f"{NO_INSTANCE}, or its metadata service cannot be reached"
        mode = self._other_mode() if error.errno in NO_ROUTE else ""
        if mode:
            hint += (
                f" (this machine has only {mode}: on an instance set "
                f"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE={mode.lower()})"
            )
        raise ProviderUnavailable(f"nothing answers at {self.url} ({reason}): {hint}") from None

    def _other_mode(self) -> str:
        """Return the other mode, IPv4 or IPv6, if it has a route to IMDS."""
        is_ipv6 = ":" in self.host
        family = socket.AF_INET if is_ipv6 else socket.AF_INET6
        address = "169.254.169.254" if is_ipv6 else "fd00:ec2::254"
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((address, 80))  # sends nothing
        except OSError:
            return ""
        return "IPv4" if is_ipv6 else "IPv6"

    def other_server(self) -> str:
        """Return a phrase that names the server of the last response, "" if it may be EC2's own."""
        if "metadata-flavor" in self.headers:
            return f", by {clean(self.headers['metadata-flavor'])[:40]}'s metadata service"
        server = clean(self.headers.get("server", ""))[:60]
        return "" if server in ("", EC2) else f", by a server that calls itself {server}"

    def exchange(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        """Send a request; return the status and the whole body.

        TimeoutError if the time is up, HttpError for everything else that may pass.
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
            raise HttpError((error.strerror or type(error).__name__).lower()) from None
        stream = Stream(self.sock, self.deadline.timeout, MAX_ANSWER)
        try:
            response = stream.exchange(http.request(method, path, names), MAX_BODY)
        finally:
            self.received = self.received or stream.received
            if not stream.is_reusable:
                self.close()
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise HttpError("a response in an encoding that was not requested")
        self.headers = response.headers
        return response.status, response.body
