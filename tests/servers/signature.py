"""Signatures as AWS checks them (Signature Version 4): whether a request is signed, and by whom."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.servers.wire import Recorded

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<scope>[^,\s]+),\s*"
    r"SignedHeaders=(?P<headers>[^,\s]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)


class Keys(NamedTuple):
    """The key of a signature, and the session token that must accompany it."""

    access_key: str
    secret_key: str
    token: str


def key_of(request: Recorded) -> str:
    """Return the access key id that the request says has signed it, "" if it says none."""
    found = AUTHORIZATION.match(request.headers.get("authorization", ""))
    return found["key"] if found else ""


def signed_by(request: Recorded, keys: Keys) -> bool:
    """Whether these keys, and no others, have signed the request as it came."""
    found = AUTHORIZATION.match(request.headers.get("authorization", ""))
    if not found or found["key"] != keys.access_key:
        return False
    if request.headers.get("x-amz-security-token") != keys.token:
        return False
    if "x-amz-security-token" not in found["headers"].split(";"):
        return False
    right = _signature(request, found["scope"], found["headers"], keys.secret_key)
    return hmac.compare_digest(right, found["signature"])


def _signature(request: Recorded, scope: str, names: str, secret: str) -> str:
    hashed = hashlib.sha256(_canonical(request, names).encode()).hexdigest()
    text = "\n".join(("AWS4-HMAC-SHA256", request.headers["x-amz-date"], scope, hashed))
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _canonical(request: Recorded, names: str) -> str:
    path, _, query = request.path.partition("?")
    pairs = sorted(pair if "=" in pair else f"{pair}=" for pair in query.split("&") if pair)
    headers = [
        f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in names.split(";")
    ]
    body = request.headers.get("x-amz-content-sha256") or hashlib.sha256(request.body).hexdigest()
    return "\n".join((request.method, path, "&".join(pairs), *headers, "", names, body))
