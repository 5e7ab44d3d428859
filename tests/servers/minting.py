"""Credentials for an instance's role from an STS that checks no signature, such as moto's."""

from __future__ import annotations

import urllib.parse
import urllib.request
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from collections.abc import Callable

#: Shaped like a signature, because moto reads the service from its scope.
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/us-east-1/sts/aws4_request, "
    "SignedHeaders=host, Signature=0"
)
NAMESPACE = "{https://sts.amazonaws.com/doc/2011-06-15/}"


def minter(
    endpoint: str, account: str, role_arn: str = "", lifetime: float = 21600
) -> Callable[[str], dict[str, str]]:
    """Return what mints at the endpoint: for the given ARN, or for the role in the account."""

    def mint(role: str) -> dict[str, str]:
        arn = role_arn or f"arn:aws:iam::{account}:role/{role}"
        return assume_role(endpoint, arn, "i-0a1b2c3d4e5f60718", int(lifetime))

    return mint


def assume_role(endpoint: str, arn: str, name: str, seconds: int) -> dict[str, str]:
    """Return the credentials of the role, with the names that IMDS uses."""
    parameters = {
        "Action": "AssumeRole",
        "Version": "2011-06-15",
        "RoleArn": arn,
        "RoleSessionName": name,
        "DurationSeconds": str(seconds),
    }
    request = urllib.request.Request(
        endpoint,
        urllib.parse.urlencode(parameters).encode(),
        {"Authorization": AUTHORIZATION},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=50) as response:
        answer = ElementTree.fromstring(response.read())
    found = {
        name: answer.findtext(f".//{NAMESPACE}Credentials/{NAMESPACE}{tag}", "")
        for name, tag in (
            ("AccessKeyId", "AccessKeyId"),
            ("SecretAccessKey", "SecretAccessKey"),
            ("Token", "SessionToken"),
            ("Expiration", "Expiration"),
        )
    }
    found["Expiration"] = found["Expiration"].partition(".")[0].rstrip("Z") + "Z"
    return found
