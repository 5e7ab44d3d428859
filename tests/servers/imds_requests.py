"""Requests to the simulated IMDS."""

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
