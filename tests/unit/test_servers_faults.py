"""Each fault puts on the wire the bytes that its name says, and ends with the client."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.servers import faults
from tests.servers.base import Answer, Fault, Recorded, Server, backlog_full, closed_port
from tests.servers.wire import as_json

DOCUMENT = {"Name": "value", "Other": [1, 2, 3]}
BODY = json.dumps(DOCUMENT, indent=2).encode()


class Service(Server):
    """Always answers with the same document."""

    def answer(self, request: Recorded) -> Answer:
        return as_json(DOCUMENT)


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        yield server


def until_silent(client: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(TimeoutError):
        while block := client.recv(4096):
            received += block
        raise AssertionError("the server closed")
    return received


Talk = Callable[[Fault], bytes]


def connect(service: Server, timeout: float = 5) -> socket.socket:
    client = socket.create_connection((service.host, service.port), timeout)
    client.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    return client


def everything(client: socket.socket) -> bytes:
    received = b""
    while block := client.recv(1 << 20):
        received += block
    return received


@pytest.fixture
def talk(service: Service) -> Talk:
    """All that arrives until the server closes."""

    def ask(fault: Fault) -> bytes:
        service.break_(None, fault)
        with connect(service) as client:
            return everything(client)

    return ask


@pytest.fixture
def read(service: Service) -> Callable[[Fault], http.client.HTTPResponse]:
    """The answer as http.client reads it, with its body in ``content``."""

    def ask(fault: Fault) -> Any:
        service.break_(None, fault)
        connection = http.client.HTTPConnection(service.host, service.port, timeout=5)
        try:
            connection.request("GET", "/")
            response: Any = connection.getresponse()
            response.content = response.read()
            return response
        finally:
            connection.close()

    return ask


def test_status_has_its_body_and_headers(read: Any) -> None:
    response = read(faults.status(503, b"busy", {"Retry-After": "3"}))
    assert (response.status, response.content) == (503, b"busy")
    assert response.headers["Retry-After"] == "3"


def test_page_of_a_captive_portal_is_html(read: Any) -> None:
    response = read(faults.html())
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/html")
    assert b"<html>" in response.content


def test_changed_document_is_sent(read: Any) -> None:
    assert json.loads(read(faults.fields(Name=None)).content) == {**DOCUMENT, "Name": None}


def test_document_may_lose_fields(read: Any) -> None:
    assert json.loads(read(faults.without("Name")).content) == {"Other": [1, 2, 3]}


@pytest.mark.parametrize("value", [None, [], 1, "text"])
def test_document_may_become_anything(read: Any, value: Any) -> None:
    assert json.loads(read(faults.mutate(lambda _: value)).content) == value


@pytest.mark.parametrize(
    ("fault", "sent"),
    [(faults.hang_after_headers(), 0), (faults.hang_mid_body(), len(BODY) // 2)],
)
def test_hanging_service_sends_no_more(service: Service, fault: Fault, sent: int) -> None:
    service.break_(None, fault)
    with connect(service, timeout=0.1) as client:
        head, end, body = until_silent(client).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert end
    assert body == BODY[:sent]


def test_hanging_service_may_send_nothing_at_all(service: Service) -> None:
    service.break_(None, faults.hang())
    with connect(service, timeout=0.1) as client:
        assert until_silent(client) == b""


def test_hanging_service_lets_go_when_the_client_does(service: Service) -> None:
    service.break_(None, faults.hang())
    connect(service).close()
    deadline = time.monotonic() + 5
    while service.open_connections and time.monotonic() < deadline:
        threading.Event().wait(0.005)
    assert service.open_connections == 0


@pytest.mark.parametrize("where", ["headers", "body", "both"])
def test_dripping_service_sends_bytes_one_by_one(read: Any, where: Any) -> None:
    start = time.monotonic()
    assert json.loads(read(faults.drip(0.0005, where)).content) == DOCUMENT
    assert time.monotonic() - start >= 0.0005 * 40


@pytest.mark.parametrize("mid_body", [False, True])
def test_connection_is_reset(service: Service, mid_body: bool) -> None:
    service.break_(None, faults.reset(mid_body=mid_body))
    with connect(service) as client, pytest.raises(ConnectionResetError):
        everything(client)


def test_connection_is_closed_without_a_byte(talk: Talk) -> None:
    assert talk(faults.close()) == b""


def test_cut_body_is_shorter_than_announced(read: Any) -> None:
    with pytest.raises(http.client.IncompleteRead):
        read(faults.truncated())


def test_cut_body_can_be_announced_as_it_is(read: Any) -> None:
    content = read(faults.truncated(3, right_length=True)).content
    assert content == BODY[:-3]


def test_length_too_short_leaves_bytes_unread(service: Service) -> None:
    service.break_(None, faults.content_length(-5))
    with connect(service) as client:
        response = http.client.HTTPResponse(client)
        response.begin()
        assert len(response.read()) == len(BODY) - 5
        response.close()


def test_length_too_long_keeps_the_client_waiting(service: Service) -> None:
    service.break_(None, faults.content_length(5))
    with connect(service, timeout=0.05) as client:
        response = http.client.HTTPResponse(client)
        response.begin()
        with pytest.raises(TimeoutError):
            response.read()
        response.close()


def test_chunks_are_put_together(read: Any) -> None:
    response = read(faults.chunked())
    assert json.loads(response.content) == DOCUMENT
    assert response.headers["Transfer-Encoding"] == "chunked"


def test_broken_chunk_is_noticed(read: Any) -> None:
    with pytest.raises(http.client.IncompleteRead):
        read(faults.chunked(broken=True))


def test_compressed_body_says_so(read: Any) -> None:
    response = read(faults.gzip())
    assert response.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(response.content)) == DOCUMENT


def test_byte_order_mark_comes_first(read: Any) -> None:
    assert json.loads(read(faults.bom()).content.decode("utf-8-sig")) == DOCUMENT


def test_invalid_utf8_cannot_be_decoded(read: Any) -> None:
    with pytest.raises(UnicodeDecodeError):
        read(faults.invalid_utf8()).content.decode()


def test_endless_body_ends_with_the_client(service: Service) -> None:
    service.break_(None, faults.endless())
    with connect(service) as client:
        for _ in range(10):
            assert client.recv(65536)


def test_huge_body_is_sent_whole(read: Any) -> None:
    assert len(read(faults.huge(3_000_000)).content) == 3_000_000


def test_huge_header_is_too_long_for_a_client(read: Any) -> None:
    with pytest.raises(http.client.LineTooLong):
        read(faults.huge_header())


def test_many_headers_are_too_many_for_a_client(read: Any) -> None:
    with pytest.raises(http.client.HTTPException, match="more than 100 headers"):
        read(faults.many_headers())


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_redirect_leads_to_itself_or_elsewhere(service: Service, read: Any, code: int) -> None:
    response = read(faults.redirect(code))
    assert (response.status, response.headers["Location"]) == (code, "/")
    service.heal()
    assert read(faults.redirect(code, "http://other/")).headers["Location"] == "http://other/"


def test_old_protocol_ends_with_the_connection(talk: Talk) -> None:
    received = talk(faults.http10())
    assert received.startswith(b"HTTP/1.0 200 OK\r\n")
    assert b"Content-Length" not in received
    assert json.loads(received.partition(b"\r\n\r\n")[2]) == DOCUMENT


def test_continue_comes_before_the_answer(read: Any) -> None:
    assert json.loads(read(faults.continue_100()).content) == DOCUMENT


@pytest.mark.parametrize(
    ("flood", "start"),
    [
        (faults.endless_continue(), b"HTTP/1.1 100 Continue\r\n\r\n" * 2),
        (faults.endless_headers(), b"HTTP/1.1 200 OK\r\nX: xxxx"),
    ],
)
def test_flood_ends_with_the_client(service: Service, flood: Fault, start: bytes) -> None:
    service.break_(None, flood)
    with connect(service) as client:
        received = b""
        while len(received) < 300_000:
            received += client.recv(65536)
    assert received.startswith(start)


def test_raw_bytes_are_sent_as_they_are(service: Service, talk: Talk) -> None:
    assert talk(faults.raw(b"\x00\r\n")) == b"\x00\r\n"
    service.heal()
    service.break_(None, faults.raw(b"\x00\r\n", keep=True))
    with connect(service, timeout=0.1) as client:
        assert until_silent(client) == b"\x00\r\n"


def test_garbage_is_not_a_status_line(read: Any) -> None:
    with pytest.raises(http.client.BadStatusLine):
        read(faults.garbage_status())


def test_tls_server_alerts(talk: Talk) -> None:
    assert talk(faults.tls_on_port()) == bytes.fromhex("15030300020246")


def test_delayed_answer_is_complete(read: Any) -> None:
    assert read(faults.delay(0.01, faults.status(500))).status == 500


def test_rate_above_the_limit_is_refused(read: Any) -> None:
    limited = faults.over_rate(2, 60)
    assert [read(limited).status for _ in range(3)] == [200, 200, 429]


def test_connections_above_the_limit_are_refused(service: Service, read: Any) -> None:
    limited = faults.over_connections(1)
    with connect(service) as client:
        client.recv(65536)
        assert read(limited).status == 429


def test_action_runs_between_the_making_and_the_sending(service: Service, read: Any) -> None:
    ran: list[int] = []
    assert read(faults.then(lambda: ran.append(service.count()))).status == 200
    assert ran == [1]


def test_answer_that_was_not_made_from_data_takes_none() -> None:
    with pytest.raises(ValueError, match="not made from data"):
        Answer(200, b"raw").with_data({})


def test_nothing_listens_on_a_closed_port() -> None:
    host, _, port = closed_port().removeprefix("http://").partition(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), 5)


def test_full_backlog_accepts_no_connection() -> None:
    with backlog_full() as url:
        host, _, port = url.removeprefix("http://").partition(":")
        with pytest.raises(TimeoutError):
            socket.create_connection((host, int(port)), 0.2)


def test_request_that_is_not_http_is_not_recorded(service: Service) -> None:
    with socket.create_connection((service.host, service.port), 5) as client:
        client.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert everything(client) == b""
    assert service.requests == []


def test_body_is_requested_when_the_client_waits(service: Service) -> None:
    head = b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection((service.host, service.port), 5) as client:
        client.sendall(head)
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"hi")
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
    assert service.requests[0].body == b"hi"
    service.forget()
    assert service.count() == 0
