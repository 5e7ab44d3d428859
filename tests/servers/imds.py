"""An EC2 instance metadata service: IMDSv2 and v1, role credentials that rotate, faults."""

from __future__ import annotations

import argparse
import re
import secrets
import time
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

from tests.servers import faults
from tests.servers.base import Answer, Server
from tests.servers.rotation import Rotation, iso
from tests.servers.wire import as_json, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.servers.base import Fault, Recorded

Mode = Literal["required", "optional"]
ListStyle = Literal["plain", "lf", "crlf", "two"]

TOKEN = "/api/token"
TTL = "x-aws-ec2-metadata-token-ttl-seconds"
LONGEST = 21600

ROLES = "/meta-data/iam/security-credentials"
EXTENDED = "/meta-data/iam/security-credentials-extended"
DOCUMENT = "/dynamic/instance-identity/document"

VERSION = re.compile(r"/(?:1\.0|\d{4}-\d\d-\d\d)(?=/|$)")

#: What tests call the requests; a path under a directory has the directory's second name.
LABELS = {
    TOKEN: "token",
    ROLES: "list",
    EXTENDED: "extended-list",
    "/meta-data/iam/info": "info",
    "/meta-data/instance-id": "instance-id",
    "/meta-data/placement/region": "region",
    "/meta-data/placement/availability-zone": "availability-zone",
    DOCUMENT: "document",
}

INSTANCE = "i-0a1b2c3d4e5f60718"

#: The body of every refusal.
PAGE = """<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>{code} - {phrase}</title>
 </head>
 <body>
  <h1>{code} - {phrase}</h1>
 </body>
</html>
"""
PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
}


def refusal(code: int) -> Answer:
    """Return the XHTML page that says no."""
    page = PAGE.format(code=code, phrase=PHRASES[code])
    return Answer(code, page.encode(), "text/html")


class ImdsServer(Server):
    """The metadata service of one instance; every attribute may be changed at any time."""

    product = "EC2ws"

    def __init__(
        self,
        role: str | None = "app",
        lifetime: float = 21600,
        rotate: float = 3600,
        region: str = "eu-central-1",
        account: str = "123456789012",
        clock: Callable[[], float] = time.time,
        mode: Mode = "required",
        *,
        enabled: bool = True,
        hops: int = 1,
        limit: int = 1,
        ipv6: bool = False,
        account_in_document: bool = False,
        extended: bool = False,
        trusted: bool = True,
        list_style: ListStyle = "plain",
        slashless_lists: bool = True,
        odd_method_status: int = 405,
        mint: Callable[[str], dict[str, str] | None] | None = None,
        host: str = "",
        port: int = 0,
    ) -> None:
        self.region = region
        self.account = account
        self.mode = mode
        self.enabled = enabled
        self.hops = hops
        self.limit = limit
        self.account_in_document = account_in_document
        self.extended = extended
        self.trusted = trusted
        self.list_style = list_style
        self.slashless_lists = slashless_lists
        self.odd_method_status = odd_method_status
        #: Answers given without a token (the MetadataNoToken metric).
        self.v1_requests = 0
        self._rotation = Rotation(account, lifetime, rotate, clock, mint)
        self._role = role
        self._attachments: list[tuple[float, str | None]] = []
        self._tokens: dict[str, float] = {}
        self._told: set[str] = set()
        host = host or ("::1" if ipv6 else "127.0.0.1")
        super().__init__(host=host, port=port, clock=clock)

    # The state that tests steer.

    @property
    def role(self) -> str | None:
        """The role of the instance's profile; None where there is no profile."""
        now = self.clock()
        due = [role for moment, role in self._attachments if moment <= now]
        return due[-1] if due else self._role

    @role.setter
    def role(self, role: str | None) -> None:
        self._attachments = []
        self._role = role

    def attach(self, role: str | None, after: float) -> None:
        """Change the role when that many seconds have passed by the clock."""
        known = [*self._attachments, (self.clock() + after, role)]
        self._attachments = sorted(known, key=lambda each: each[0])

    @property
    def current(self) -> dict[str, Any]:
        """The document served now for the role."""
        return self.document_of(self.role or "")

    @property
    def lifetime(self) -> float:
        """How long each set lasts from when it was issued, also the one served now."""
        return self._rotation.lifetime

    @lifetime.setter
    def lifetime(self, seconds: float) -> None:
        self._rotation.lifetime = seconds

    @property
    def generation(self) -> int:
        """How many sets came before the one served now."""
        return self._rotation.generation

    def turn(self) -> None:
        """Issue the next set of credentials now."""
        self._rotation.turn()

    def freeze(self) -> None:
        """Serve the same set from now on, also past its end."""
        _ = self._rotation.generation
        self._rotation.frozen = True

    def thaw(self) -> None:
        """Rotate again."""
        self._rotation.frozen = False

    def revoke_tokens(self) -> None:
        """Make every session token issued so far unknown."""
        self._tokens.clear()

    @property
    def secrets(self) -> set[str]:
        """Every secret sent to a client so far: session tokens, secret keys, security tokens."""
        return set(self._told)

    def fail(
        self, step: str | None, fault: Fault, times: int | None = None, nth: int | None = None
    ) -> None:
        """Break a step (token, list, creds, region, ...; None: every one)."""
        self.break_(step, fault, times, nth)

    def document_of(self, role: str) -> dict[str, Any]:
        """Return what IMDS says about this role's credentials."""
        if not self.trusted:
            return {
                "Code": "AssumeRoleUnauthorizedAccess",
                "Message": f"EC2 cannot assume the role {role}. Please see documentation at "
                "https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html"
                "#troubleshoot_iam-ec2_errors-info-doc.",
                "LastUpdated": iso(self.clock()),
            }
        document = self._rotation.current(role)
        if self.account_in_document:
            document["AccountId"] = self.account
        return document

    # The protocol.

    def labels(self, request: Recorded) -> Iterable[str]:
        path = _plain(request.path)[0].rstrip("/")
        if path in LABELS:
            return (LABELS[path],)
        for directory, label in ((ROLES, "creds"), (EXTENDED, "extended")):
            if path.startswith(directory + "/"):
                return (label,)
        return (path,)

    def preempt(self, request: Recorded) -> Fault | None:
        """Drop the token's answer when it has too far to go."""
        path, _ = _plain(request.path)
        far = self.hops > self.limit and self.enabled
        return faults.hang() if far and request.method == "PUT" and path == TOKEN else None

    def answer(self, request: Recorded) -> Answer:
        path, versioned = _plain(request.path)
        if not self.enabled:
            return refusal(403)
        if request.method == "PUT" and path == TOKEN:
            return self._new_token(request, versioned)
        if request.method not in ("GET", "HEAD") or path == TOKEN:
            return refusal(self.odd_method_status)
        token = request.headers.get("x-aws-ec2-metadata-token")
        if token is None:
            if self.mode == "required":
                return refusal(401)
            self.v1_requests += 1
        elif self._tokens.get(token, 0.0) <= self.clock():
            return refusal(401)
        return self._data(path) or refusal(404)

    def _new_token(self, request: Recorded, versioned: bool) -> Answer:
        if versioned or "x-forwarded-for" in request.headers:
            return refusal(403)
        seconds = request.headers.get(TTL, "")
        if not re.fullmatch(r"[0-9]{1,9}", seconds) or not 1 <= int(seconds) <= LONGEST:
            return refusal(400)
        token = "AQAEA" + secrets.token_urlsafe(40)[:49] + "=="
        self._tokens[token] = self.clock() + int(seconds)
        self._told.add(token)
        return text(token, {"X-aws-ec2-metadata-token-ttl-seconds": seconds})

    def _data(self, path: str) -> Answer | None:
        role = self.role
        lists = self._lists(role)
        name = path.rstrip("/")
        if name in lists:
            slash = path.endswith("/") or self.slashless_lists
            return text(lists[name]) if slash else None
        leaf = self._leaves().get(name)
        if leaf is not None:
            return text(leaf)
        if name == DOCUMENT:
            return as_json(self._identity(), "text/plain")
        if role is None:
            return None
        if name == "/meta-data/iam/info":
            return as_json(self._info(role), "text/plain")
        return self._credentials(name, role)

    def _credentials(self, name: str, role: str) -> Answer | None:
        directory, _, wanted = name.rpartition("/")
        if unquote(wanted) != role:
            return None
        document = self.document_of(role)
        self._told.update(document[key] for key in ("SecretAccessKey", "Token") if key in document)
        if directory == EXTENDED and self.extended:
            return as_json({**document, "AccountId": self.account}, "text/plain")
        return as_json(document, "text/plain") if directory == ROLES else None

    def _lists(self, role: str | None) -> dict[str, str]:
        meta = ["iam/"] * (role is not None) + ["instance-id", "placement/"]
        lists = {
            "": "dynamic\nmeta-data\nuser-data",
            "/meta-data": "\n".join(meta),
            "/meta-data/placement": "availability-zone\nregion",
            "/dynamic": "instance-identity/",
            "/dynamic/instance-identity": "document",
        }
        if role is not None:
            extended = ["security-credentials-extended/"] * self.extended
            lists["/meta-data/iam"] = "\n".join(["info", "security-credentials/", *extended])
            lists[ROLES] = self._role_list(role)
            if self.extended:
                lists[EXTENDED] = self._role_list(role)
        return lists

    def _role_list(self, role: str) -> str:
        ends = {"plain": "", "lf": "\n", "crlf": "\r\n", "two": "\nother"}
        return role + ends[self.list_style]

    def _leaves(self) -> dict[str, str]:
        return {
            "/meta-data/instance-id": INSTANCE,
            "/meta-data/placement/region": self.region,
            "/meta-data/placement/availability-zone": self.region + "a",
        }

    def _info(self, role: str) -> dict[str, str]:
        return {
            "Code": "Success",
            "LastUpdated": iso(self.clock()),
            "InstanceProfileArn": f"arn:aws:iam::{self.account}:instance-profile/{role}",
            "InstanceProfileId": "AIPAEXAMPLEEXAMPLE234",
        }

    def _identity(self) -> dict[str, Any]:
        return {
            "accountId": self.account,
            "architecture": "x86_64",
            "availabilityZone": self.region + "a",
            "billingProducts": None,
            "devpayProductCodes": None,
            "marketplaceProductCodes": None,
            "imageId": "ami-0123456789abcdef0",
            "instanceId": INSTANCE,
            "instanceType": "t3.micro",
            "kernelId": None,
            "pendingTime": "2026-01-01T00:00:00Z",
            "privateIp": "10.0.0.10",
            "ramdiskId": None,
            "region": self.region,
            "version": "2017-09-30",
        }


def _plain(target: str) -> tuple[str, bool]:
    """Return the path below ``/latest`` or another version, and whether it was another."""
    path = target.partition("?")[0]
    if path == "/latest" or path.startswith("/latest/"):
        return path.removeprefix("/latest"), False
    version = VERSION.match(path)
    if version:
        return path[version.end() :], True
    return "//" + path, False


def main() -> None:
    """Run the service until stdin closes or SIGTERM comes."""
    from tests.servers import command, minting

    parser = argparse.ArgumentParser(prog="python -m tests.servers.imds")
    parser.add_argument("--role", default="app")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--lifetime", type=float, default=21600)
    parser.add_argument("--rotate", type=float, default=3600)
    parser.add_argument("--account", default="123456789012")
    parser.add_argument("--region", default="eu-central-1")
    parser.add_argument("--sts-endpoint", default="", help="mint the credentials there")
    parser.add_argument("--role-arn", default="", help="the role to assume at the endpoint")
    given = parser.parse_args()
    mint = None
    if given.sts_endpoint:
        mint = minting.minter(given.sts_endpoint, given.account, given.role_arn, given.lifetime)
    command.serve(
        ImdsServer(
            given.role or None,
            given.lifetime,
            given.rotate,
            given.region,
            given.account,
            mint=mint,
            port=given.port,
        )
    )


if __name__ == "__main__":
    main()
