"""Requests to the simulated IMDS, at a time that the test sets."""

from __future__ import annotations

import calendar
import contextlib
import http.client
import json
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.servers.imds import ImdsServer

ROLES = "/latest/meta-data/iam/security-credentials/"
TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"


class Clock:
    """A clock that the test moves."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Hurry:
    """A monotonic clock that jumps over pauses, and goes ``faster`` than time."""

    def __init__(self, faster: float = 1) -> None:
        self.faster = faster
        #: Seconds of each pause.
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.faster * time.monotonic() + sum(self.pauses)

    def sleep(self, seconds: float, /) -> None:
        self.pauses.append(seconds)


class Reply:
    """A whole answer."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


def ask(server: ImdsServer, method: str, path: str, headers: dict[str, str] | None = None) -> Reply:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=5)
    with contextlib.closing(connection):
        connection.request(method, path, headers=headers or {})
        return Reply(connection.getresponse())


def token(server: ImdsServer, seconds: int = 21600) -> str:
    return ask(server, "PUT", "/latest/api/token", {TTL: str(seconds)}).text


def get(server: ImdsServer, path: str) -> Reply:
    return ask(server, "GET", path, {TOKEN: token(server)})


def served(server: ImdsServer) -> Any:
    return get(server, ROLES + "app").json


def seconds(moment: str) -> int:
    return calendar.timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ"))
