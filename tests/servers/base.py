"""A threaded HTTP/1.1 server on loopback that records its requests and obeys the test."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.servers.wire import Answer, Connection, Exchange, Recorded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from typing_extensions import Self

__all__ = ["Answer", "Exchange", "Fault", "Hold", "Recorded", "Server", "backlog_full"]
__all__ += ["closed_port", "healthy"]

#: Decides what is sent back for one request.
Fault = Callable[[Exchange], None]

#: Seconds after which a wait in a test has failed.
PATIENCE = 10.0


def healthy(exchange: Exchange) -> None:
    """Send the normal answer."""
    exchange.reply(exchange.normal())


class Hold:
    """Requests that get no response until they are released."""

    def __init__(self, label: str | None) -> None:
        self._label = label
        self._condition = threading.Condition()
        self._arrived = 0
        self._released = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def arrived(self) -> int:
        """How many requests have come to wait here."""
        return self._arrived

    def matches(self, labels: tuple[str, ...]) -> bool:
        """Whether requests with these labels wait here."""
        return not self._released and (self._label is None or self._label in labels)

    def wait_for(self, requests: int = 1, timeout: float = PATIENCE) -> None:
        """Return when that many requests have arrived; TimeoutError if they do not."""
        with self._condition:
            if not self._condition.wait_for(lambda: self._arrived >= requests, timeout):
                raise TimeoutError(f"{self._arrived} of {requests} requests came in {timeout} s")

    def release(self) -> None:
        """Release the waiting requests, and all later ones."""
        with self._condition:
            self._released = True
            self._condition.notify_all()

    def arrive(self) -> None:
        """Wait here until released."""
        with self._condition:
            self._arrived += 1
            self._condition.notify_all()
            self._condition.wait_for(lambda: self._released)


@dataclass
class _Rule:
    """A fault, and the requests it is for."""

    label: str | None
    fault: Fault
    times: int | None
    nth: int | None
    seen: int = 0
    applied: int = 0

    def takes(self, labels: tuple[str, ...], taken: bool) -> bool:
        """Count a request; whether this rule answers it, unless it is taken already."""
        if self.label is not None and self.label not in labels:
            return False
        self.seen += 1
        wanted = self.nth is None or self.seen == self.nth
        if taken or not wanted or (self.times is not None and self.applied >= self.times):
            return False
        self.applied += 1
        return True


class Server:
    """Listens from its construction until ``stop()``; subclasses make the responses."""

    #: The Server header.
    product = "test"

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.time,
        tls: tuple[str, str] | None = None,
    ) -> None:
        self.clock = clock
        self.stopping = threading.Event()
        self._requests: list[Recorded] = []
        self._changed = threading.Condition()
        self._rules: list[_Rule] = []
        self._holds: list[Hold] = []
        self._open: set[Connection] = set()
        self._threads: list[threading.Thread] = []
        self._accepted = 0
        self._tls = _tls_context(tls)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=1024)
        self.host = host
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, name="accept", daemon=True)
        self._acceptor.start()

    # What subclasses decide.

    def labels(self, request: Recorded) -> Iterable[str]:
        """Return the names by which tests count, hold and break such requests."""
        return (request.path,)

    def answer(self, request: Recorded) -> Answer:
        """Return what a healthy service answers."""
        return Answer(404)

    def preempt(self, request: Recorded) -> Fault | None:
        """Return what the service does instead of answering, if its state says so."""
        return None

    def facts(self, request: Recorded) -> dict[str, str]:
        """Return what the words of an error need to know about the request."""
        return {}

    # What tests use.

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    @property
    def requests(self) -> list[Recorded]:
        """Every request so far, in order of arrival."""
        with self._changed:
            return list(self._requests)

    @property
    def connections(self) -> int:
        """How many connections were accepted so far."""
        return self._accepted

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        with self._changed:
            return len(self._open)

    def count(self, label: str | None = None) -> int:
        """Return how many requests, or requests of that label, have arrived."""
        with self._changed:
            return self._count(label)

    def _count(self, label: str | None) -> int:
        return sum(label is None or label in request.labels for request in self._requests)

    def wait_for(
        self, requests: int = 1, label: str | None = None, timeout: float = PATIENCE
    ) -> None:
        """Return when that many requests have arrived since the start; else TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._count(label) >= requests, timeout):
                came = self._count(label)
                raise TimeoutError(f"{came} of {requests} requests came in {timeout} s")

    def break_(
        self,
        label: str | None,
        fault: Fault,
        times: int | None = None,
        nth: int | None = None,
    ) -> None:
        """Answer with the fault: always, n times, or only the nth request from now on.

        Of several faults that would apply, the one given first does. The choice is made when
        the request arrives, before it is paused.
        """
        with self._changed:
            self._rules.append(_Rule(label, fault, times, nth))

    def heal(self) -> None:
        """Forget every fault."""
        with self._changed:
            self._rules.clear()

    def hold(self, label: str | None = None) -> Hold:
        """Make requests of that label wait from now on; stopping releases them."""
        hold = Hold(label)
        with self._changed:
            self._holds.append(hold)
        return hold

    def forget(self) -> None:
        """Forget the recorded requests."""
        with self._changed:
            self._requests.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End every connection and thread; a second call does nothing."""
        if self.stopping.is_set():
            return
        self.stopping.set()
        with contextlib.suppress(OSError):
            socket.create_connection((self.host, self.port), 1).close()  # wakes accept()
        self._acceptor.join(PATIENCE)
        self._listener.close()
        with self._changed:
            holds, connections, threads = list(self._holds), list(self._open), list(self._threads)
        for hold in holds:
            hold.release()
        for connection in connections:
            connection.shut()
        for thread in threads:
            thread.join(PATIENCE)
        alive = [thread.name for thread in threads if thread.is_alive()]
        if alive:
            raise RuntimeError(f"still running after stop(): {alive}")

    # How it works.

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if self.stopping.is_set():
                sock.close()
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            self._accepted += 1
            connection = Connection(sock, self._accepted)
            thread = threading.Thread(
                target=self._serve, args=(connection,), name=f"conn-{self._accepted}", daemon=True
            )
            with self._changed:
                self._open.add(connection)
                self._threads = [each for each in self._threads if each.is_alive()]
                thread.start()
                self._threads.append(thread)

    def _serve(self, connection: Connection) -> None:
        try:
            if isinstance(connection.socket, ssl.SSLSocket):
                connection.socket.do_handshake()
            while not self.stopping.is_set() and not connection.closed:
                request = connection.read_request()
                if request is None:
                    break
                self._exchange(connection, request)
                if not connection.persistent:
                    break
        except OSError:
            pass  # the client has gone, or stop() ended the connection
        finally:
            with self._changed:
                self._open.discard(connection)
            connection.close()

    def _exchange(self, connection: Connection, request: Recorded) -> None:
        request = replace(request, labels=tuple(self.labels(request)))
        with self._changed:
            self._requests.append(request)
            fault = self._fault(request.labels)
            holds = [hold for hold in self._holds if hold.matches(request.labels)]
            self._changed.notify_all()
        for hold in holds:
            hold.arrive()
        if self.stopping.is_set():
            return
        exchange = Exchange(self, connection, request)
        (fault or self.preempt(request) or healthy)(exchange)

    def _fault(self, labels: tuple[str, ...]) -> Fault | None:
        chosen: Fault | None = None
        for rule in self._rules:
            if rule.takes(labels, chosen is not None):
                chosen = rule.fault
        return chosen


def _tls_context(files: tuple[str, str] | None) -> ssl.SSLContext | None:
    if files is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context


def closed_port() -> str:
    """Return a URL where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def backlog_full() -> Iterator[str]:
    """Yield a URL whose queue is full, so that the kernel drops every further SYN."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
