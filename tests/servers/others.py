"""Services other than AWS with AssumeRole: their responses, and the form of their errors.

The answers are as the real ones gave them: Ceph's gateway 16.2.15 on 28 November 2026, and MinIO as
its documentation and its issue tracker show it.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from tests.servers.base import Server
from tests.servers.rotation import iso, made_up
from tests.servers.sts import parse
from tests.servers.sts_errors import NAMESPACE
from tests.servers.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.servers.sts import Call
    from tests.servers.wire import Recorded

LIFETIME = 3600


class Service(Server):
    """A service whose callers are ``trusted`` access keys, all others are unknown to it."""

    #: How the answer's root element begins.
    root = "<AssumeRoleResponse>"
    #: Decimal places of its times.
    fraction = ""

    def __init__(self, *trusted: str) -> None:
        self.trusted = trusted
        self.issued: list[dict[str, str]] = []
        super().__init__()

    @property
    def calls(self) -> list[Call]:
        """Every call so far, in order of arrival."""
        return [parse(request) for request in self.requests]

    def labels(self, request: Recorded) -> Iterable[str]:
        return (parse(request).action,)

    def issue(self, arn: str) -> Answer:
        """Return new credentials."""
        keys = made_up(str(uuid.uuid4()))
        found = {
            "AccessKeyId": keys["AccessKeyId"],
            "Expiration": iso(self.clock() + LIFETIME).replace("Z", f"{self.fraction}Z"),
            "SecretAccessKey": keys["SecretAccessKey"],
            "SessionToken": keys["Token"],
        }
        self.issued.append(found)
        inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in found.items())
        body = (
            f"{self.root}<AssumeRoleResult><Credentials>{inner}</Credentials><AssumedRoleUser>"
            f"<Arn>{arn}</Arn><AssumeRoleId></AssumeRoleId></AssumedRoleUser></AssumeRoleResult>"
            "</AssumeRoleResponse>"
        )
        return Answer(200, body.encode(), "application/xml")


class Ceph(Service):
    """The gateway of Ceph: roles without an account; errors are S3's, and have no message."""

    fraction = ".658381040"

    def __init__(self, *trusted: str, roles: tuple[str, ...] = ("S3Access",)) -> None:
        self.roles = roles
        super().__init__(*trusted)

    def answer(self, request: Recorded) -> Answer:
        call = parse(request)
        if call.action == "GetCallerIdentity":
            return self.refuse(405, "MethodNotAllowed")
        known = call.access_key in self.trusted and call.action != "GetSessionToken"
        if not known:  # and a token of no provider that it knows
            return self.refuse(403, "AccessDenied")
        match = re.fullmatch(r"arn:aws:iam:(.*):role/(.+)", call.parameters["RoleArn"])
        if not match or int(call.parameters.get("DurationSeconds", LIFETIME)) > LIFETIME:
            return self.refuse(400, "InvalidArgument")
        if match[1] != ":" or match[2] not in self.roles:
            return self.refuse(404, "NoSuchEntity")
        name = call.parameters["RoleSessionName"]
        return self.issue(f"arn:aws:sts:::assumed-role/{match[2]}/{name}")

    @staticmethod
    def refuse(status: int, code: str) -> Answer:
        """Return an error."""
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message></Message>'
            f"<RequestId>tx00-{uuid.uuid4()}</RequestId><HostId>1012-default-default</HostId>"
            "</Error>"
        )
        return Answer(status, body.encode(), "application/xml")


class MinIO(Service):
    """MinIO: the role is ignored; the credentials are the caller's own, and have no ARN."""

    root = f'<AssumeRoleResponse xmlns="{NAMESPACE}">'

    def answer(self, request: Recorded) -> Answer:
        call = parse(request)
        if call.action != "AssumeRole":
            return self.refuse(400, "InvalidParameterValue", f"Unsupported action {call.action}")
        if call.access_key not in self.trusted:
            missing = "The Access Key Id you provided does not exist in our records."
            return self.refuse(403, "InvalidAccessKeyId", missing)
        return self.issue("")

    @staticmethod
    def refuse(status: int, code: str, message: str) -> Answer:
        """Return an error."""
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<ErrorResponse xmlns="{NAMESPACE}"><Error>'
            f"<Type></Type><Code>{code}</Code><Message>{message}</Message></Error>"
            f"<RequestId>{uuid.uuid4().hex[:16].upper()}</RequestId></ErrorResponse>"
        )
        return Answer(status, body.encode(), "application/xml")
