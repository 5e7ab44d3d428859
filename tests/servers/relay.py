"""A server that forwards every request to another one, and can make some of them fail."""

from __future__ import annotations

import http.client
import urllib.parse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.servers.base import Answer, Server

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.servers.base import Exchange, Fault, Recorded

#: Headers that concern one connection, or are computed again.
OURS = ("connection", "content-length", "date", "server", "transfer-encoding", "content-type")


class Relay(Server):
    """A proxy in front of an AWS endpoint; requests are labelled with their Action."""

    def __init__(self, url: str, **options: Any) -> None:
        self._target = urllib.parse.urlsplit(url)
        super().__init__(**options)

    def labels(self, request: Recorded) -> Iterable[str]:
        form = request.body.decode("utf-8", "replace") or request.path.partition("?")[2]
        return (dict(urllib.parse.parse_qsl(form)).get("Action", request.path),)

    def answer(self, request: Recorded) -> Answer:
        connection = http.client.HTTPConnection(
            self._target.hostname or "", self._target.port, timeout=20
        )
        try:
            headers = {k: v for k, v in request.headers.items() if k != "connection"}
            connection.request(request.method, request.path, request.body, headers)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        kept = {k: v for k, v in response.getheaders() if k.lower() not in OURS}
        kind = response.getheader("Content-Type", "text/xml")
        return Answer(response.status, body, kind, kept)


def ec2_error(code: str, message: str, status: int = 400) -> Fault:
    """Answer as EC2 refuses."""
    return _refusal(
        f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        "<RequestID>1</RequestID></Response>",
        status,
    )


def iam_error(code: str, message: str, status: int = 400) -> Fault:
    """Answer as IAM refuses."""
    return _refusal(
        "<ErrorResponse><Error><Type>Sender</Type>"
        f"<Code>{code}</Code><Message>{message}</Message></Error>"
        "<RequestId>1</RequestId></ErrorResponse>",
        status,
    )


def _refusal(body: str, status: int) -> Fault:
    answer = Answer(status, body.encode(), "text/xml")
    return lambda exchange: exchange.reply(answer)


def replaced(old: str, new: str) -> Fault:
    """Answer normally, but with other words in the body."""

    def fault(exchange: Exchange) -> None:
        answer = exchange.normal()
        assert old.encode() in answer.body, answer.body
        exchange.reply(replace(answer, body=answer.body.replace(old.encode(), new.encode())))

    return fault
