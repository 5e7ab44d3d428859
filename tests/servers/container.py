"""A container's credentials endpoint, as ECS and EKS Pod Identity have."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.servers.base import Answer, Server
from tests.servers.rotation import Rotation
from tests.servers.wire import as_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.servers.base import Fault, Recorded

#: The fields of IMDS's document that a container's has too.
SHARED = ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")


class ContainerServer(Server):
    """The credentials of one task or pod; every attribute may be changed at any time."""

    def __init__(
        self,
        path: str = "/v1/credentials",
        token: str = "",
        role_arn: str = "arn:aws:iam::123456789012:role/task",
        lifetime: float = 21600,
        rotate: float = 3600,
        clock: Callable[[], float] = time.time,
        *,
        account_id: bool = True,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.path = path
        #: What the Authorization header must be; "" asks for none.
        self.token = token
        self.role_arn = role_arn
        #: Whether the document names the account.
        self.account_id = account_id
        self._rotation = Rotation(self.account, lifetime, rotate, clock)
        super().__init__(host=host, clock=clock, port=port)

    @property
    def account(self) -> str:
        """The account of the role."""
        return self.role_arn.split(":")[4]

    @property
    def full_uri(self) -> str:
        """What AWS_CONTAINER_CREDENTIALS_FULL_URI should be."""
        return self.url + self.path

    @property
    def current(self) -> dict[str, str]:
        """The document served now."""
        known = self._rotation.current(self.role_arn)
        document = {"RoleArn": self.role_arn, **{name: known[name] for name in SHARED}}
        if self.account_id:
            document["AccountId"] = self.account
        return document

    @property
    def secrets(self) -> set[str]:
        """The secrets of the document served now."""
        return {self.current["SecretAccessKey"], self.current["Token"]}

    def turn(self) -> None:
        """Issue the next set of credentials now."""
        self._rotation.turn()

    def fail(self, fault: Fault, times: int | None = None, nth: int | None = None) -> None:
        """Break the requests for credentials."""
        self.break_("creds", fault, times, nth)

    def labels(self, request: Recorded) -> Iterable[str]:
        return ("creds",) if request.path == self.path else (request.path,)

    def answer(self, request: Recorded) -> Answer:
        if request.path != self.path or request.method != "GET":
            return _refusal(404, "ResourceNotFound", "no such path")
        if self.token and request.headers.get("authorization") != self.token:
            return _refusal(401, "Unauthorized", "the authorization token is missing or wrong")
        return as_json(self.current)


def _refusal(status: int, code: str, message: str) -> Answer:
    return as_json({"code": code, "message": message}, status=status)
