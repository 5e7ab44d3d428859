"""Ways in which a service breaks, as values that a test hands to a server."""

from __future__ import annotations

import copy
import gzip as gzip_module
import threading
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from tests.servers.base import Answer, healthy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.servers.base import Exchange, Fault

#: What a hotel's network answers to everything.
PORTAL = b"<!DOCTYPE html>\n<html><head><title>Welcome</title></head><body>Log in</body></html>\n"

#: Bytes of one write of a large body.
BLOCK = 65536


def status(code: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Fault:
    """Answer with this status."""
    answer = Answer(code, body, headers=dict(headers or {}))
    return lambda exchange: exchange.reply(answer)


def body(content: bytes, content_type: str = "text/plain") -> Fault:
    """Answer 200 with this body."""
    answer = Answer(200, content, content_type)
    return lambda exchange: exchange.reply(answer)


def html() -> Fault:
    """Answer as a captive portal does: 200 and a page."""
    return body(PORTAL, "text/html; charset=utf-8")


def mutate(change: Callable[[Any], Any]) -> Fault:
    """Answer what ``change`` returns for a copy of the normal answer's data (dict or text)."""

    def fault(exchange: Exchange) -> None:
        answer = exchange.normal()
        exchange.reply(answer.with_data(change(copy.deepcopy(answer.data))))

    return fault


def fields(**changes: Any) -> Fault:
    """Answer normally, but with these fields set."""
    return mutate(lambda data: {**data, **changes})


def without(*names: str) -> Fault:
    """Answer normally, but without these fields."""
    return mutate(lambda data: {name: data[name] for name in data if name not in names})


def then(action: Callable[[], object], fault: Fault = healthy) -> Fault:
    """Make the normal answer, run the action, and only then send: state changes in between."""

    def run(exchange: Exchange) -> None:
        exchange.normal()
        action()
        fault(exchange)

    return run


def hang() -> Fault:
    """Never answer; ends when the client closes or the server stops."""
    return lambda exchange: _hang_after(exchange, b"")


def hang_after_headers() -> Fault:
    """Send the headers and nothing more."""

    def fault(exchange: Exchange) -> None:
        answer = exchange.normal()
        _hang_after(exchange, exchange.head(answer, len(answer.body)))

    return fault


def hang_mid_body() -> Fault:
    """Send the headers and half of the body, and nothing more."""
    return lambda exchange: _hang_after(exchange, _half(exchange))


def _hang_after(exchange: Exchange, data: bytes) -> None:
    exchange.send(data)
    exchange.connection.drain()
    exchange.end()


def _half(exchange: Exchange) -> bytes:
    answer = exchange.normal()
    return exchange.head(answer, len(answer.body)) + answer.body[: len(answer.body) // 2]


def delay(seconds: float, fault: Fault = healthy) -> Fault:
    """Wait, then answer."""

    def run(exchange: Exchange) -> None:
        if not exchange.stopping.wait(seconds):
            fault(exchange)

    return run


def drip(gap: float, where: Literal["headers", "body", "both"] = "both") -> Fault:
    """Send the normal answer a byte at a time, ``gap`` seconds apart."""

    def fault(exchange: Exchange) -> None:
        answer = exchange.normal()
        for part, name in ((exchange.head(answer, len(answer.body)), "headers"),
                           (answer.body, "body")):  # fmt: skip
            if where not in (name, "both"):
                exchange.send(part)
                continue
            for index in range(len(part)):
                exchange.send(part[index : index + 1])
                if exchange.stopping.wait(gap):
                    return

    return fault


def reset(*, mid_body: bool = False) -> Fault:
    """End the connection with RST: before any byte, or in the middle of the body."""

    def fault(exchange: Exchange) -> None:
        if mid_body:
            exchange.send(_half(exchange))
        exchange.end(reset=True)

    return fault


def close() -> Fault:
    """End the connection with FIN, without a byte."""
    return lambda exchange: exchange.end()


def truncated(cut: int | None = None, *, right_length: bool = False) -> Fault:
    """Send the body without its last ``cut`` bytes (default: half) and close.

    Content-Length is the whole body's, or with ``right_length`` that of what is sent.
    """

    def fault(exchange: Exchange) -> None:
        answer = exchange.normal()
        whole = len(answer.body)
        sent = answer.body[: max(0, whole - (whole // 2 if cut is None else cut))]
        exchange.send(exchange.head(answer, len(sent) if right_length else whole) + sent)
        exchange.end()

    return fault


def content_length(delta: int) -> Fault:
    """Announce a body that many bytes longer (or shorter) than it is, and keep the line open."""

    def fault(exchange: Exchange) -> None:
        answer = exchange.normal()
        exchange.send(exchange.head(answer, max(0, len(answer.body) + delta)) + answer.body)

    return fault


def chunked(*, broken: bool = False) -> Fault:
    """Send the normal answer in chunks; ``broken``: the second chunk's size is no number."""

    def fault(exchange: Exchange) -> None:
        answer = exchange.normal()
        middle = max(1, len(answer.body) // 2)
        exchange.send(exchange.head(answer, None, {"Transfer-Encoding": "chunked"}))
        for index, part in enumerate((answer.body[:middle], answer.body[middle:])):
            size = b"zz" if broken and index else b"%x" % len(part)
            if part:
                exchange.send(size + b"\r\n" + part + b"\r\n")
        exchange.send(b"0\r\n\r\n")
        if broken:
            exchange.end()

    return fault


def gzip() -> Fault:
    """Send the normal response compressed, although the request did not accept that."""

    def fault(exchange: Exchange) -> None:
        answer = exchange.normal()
        exchange.reply(
            replace(
                answer,
                body=gzip_module.compress(answer.body),
                headers={**answer.headers, "Content-Encoding": "gzip"},
            )
        )

    return fault


def bom() -> Fault:
    """Send the normal answer after a UTF-8 byte order mark."""
    return _with_body(lambda content: b"\xef\xbb\xbf" + content)


def invalid_utf8() -> Fault:
    """Send the normal answer with a byte in its middle that is not UTF-8."""
    return _with_body(lambda content: content[: len(content) // 2] + b"\xff" + content[-1:])


def _with_body(change: Callable[[bytes], bytes]) -> Fault:
    def fault(exchange: Exchange) -> None:
        answer = exchange.normal()
        exchange.reply(replace(answer, body=change(answer.body)))

    return fault


def endless() -> Fault:
    """Send a body without end; stops when the client closes or the server stops."""

    def fault(exchange: Exchange) -> None:
        exchange.send(exchange.head(Answer(), None))
        while not exchange.stopping.is_set():
            exchange.send(b"x" * BLOCK)

    return fault


def huge(size: int = 64 * 1024 * 1024) -> Fault:
    """Send a body of that many bytes, announced as such."""

    def fault(exchange: Exchange) -> None:
        exchange.send(exchange.head(Answer(), size))
        for start in range(0, size, BLOCK):
            exchange.send(b"x" * min(BLOCK, size - start))

    return fault


def huge_header(size: int = 100_000) -> Fault:
    """Send the normal answer with one header of that many bytes."""
    return _with_headers({"X-Padding": "x" * size})


def many_headers(count: int = 200) -> Fault:
    """Send the normal answer with that many headers more."""
    return _with_headers({f"X-Padding-{number}": "x" for number in range(count)})


def _with_headers(extra: Mapping[str, str]) -> Fault:
    def fault(exchange: Exchange) -> None:
        answer = exchange.normal()
        exchange.send(exchange.head(answer, len(answer.body), extra) + answer.body)

    return fault


def redirect(code: int = 302, to: str | None = None) -> Fault:
    """Redirect to a URL; by default to the request's own path."""

    def fault(exchange: Exchange) -> None:
        location = exchange.request.path if to is None else to
        exchange.reply(Answer(code, headers={"Location": location}))

    return fault


def http10() -> Fault:
    """Send the normal answer as HTTP/1.0: no length, ended by closing."""

    def fault(exchange: Exchange) -> None:
        answer = exchange.normal()
        head = exchange.head(answer, None).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
        exchange.send(head + answer.body)
        exchange.end()

    return fault


def continue_100() -> Fault:
    """Send ``100 Continue``, unasked, before the normal answer."""

    def fault(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        healthy(exchange)

    return fault


def endless_continue() -> Fault:
    """Send ``100 Continue`` again and again; stops when the client closes or the server stops."""
    return _flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def endless_headers() -> Fault:
    """Send a good status line and one header line after the other, for ever."""
    return _flood(b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 60_000 + b"\r\n")


def _flood(start: bytes, block: bytes) -> Fault:
    def fault(exchange: Exchange) -> None:
        exchange.send(start)
        while not exchange.stopping.is_set():
            exchange.send(block)

    return fault


def garbage_status() -> Fault:
    """Send something that is not a status line, and close."""
    return raw(b"\x00\x01 this is not HTTP\r\n\r\n")


def tls_on_port() -> Fault:
    """Answer as a TLS server does to plain text: with a fatal alert (protocol version)."""
    return raw(b"\x15\x03\x03\x00\x02\x02\x46")


def raw(data: bytes, *, keep: bool = False) -> Fault:
    """Send exactly these bytes; then close, or with ``keep`` wait until the client does."""

    def fault(exchange: Exchange) -> None:
        exchange.send(data)
        if keep:
            exchange.connection.drain()
        exchange.end()

    return fault


def over_rate(requests: int, seconds: float, fault: Fault | None = None) -> Fault:
    """Answer normally up to that rate; above it apply the fault (default: 429)."""
    refused = fault or status(429)
    recent: deque[float] = deque()
    lock = threading.Lock()

    def choose(exchange: Exchange) -> None:
        now = time.monotonic()
        with lock:
            while recent and recent[0] <= now - seconds:
                recent.popleft()
            free = len(recent) < requests
            if free:
                recent.append(now)
        (healthy if free else refused)(exchange)

    return choose


def over_connections(connections: int, fault: Fault | None = None) -> Fault:
    """Answer normally while no more connections than that are open; else apply the fault."""
    refused = fault or status(429)

    def choose(exchange: Exchange) -> None:
        free = exchange.server.open_connections <= connections
        (healthy if free else refused)(exchange)

    return choose
