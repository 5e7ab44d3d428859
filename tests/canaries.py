"""Secrets that a test hands out, servers that repeat them, and the search for what got out.

A canary is any secret of a test. Eight characters of one in a row are too many.
"""

from __future__ import annotations

import json
import urllib.parse
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from tests.servers.sts import error
from tests.servers.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.servers.base import Exchange, Fault

    Shape = Callable[[str], str]

#: Characters.
PART = 8

#: Secrets of the user, one of each kind, and an external id, which is confidential.
ACCESS_KEY = "AKIACANARY7E5D3C1B9A"
SECRET_KEY = "canarySecretOfTheEnvironment/7Qd0+xYz2Wv"
SESSION_TOKEN = "canaryTokenOfTheEnvironment" + "Zk3/vP8+" * 20
EXTERNAL_ID = "canaryExternal:4b1d9e77-partner"
MFA_CODE = "739184"
CONTAINER_TOKEN = "canaryAuthorization." + "Rj4xNc7b" * 6
WEB_TOKEN = "eyJjYW5hcnlXZWI." + "aQ5wEr8t" * 12 + ".canaryWebEnd0"
LOGIN_TOKEN = "canaryLogin.q8Wn2Lk5" + "hT6mBv9c" * 4
REFRESH_TOKEN = "canaryRefresh.w3Zx9Pb1" + "vC7nJ4kQ" * 4
HELPER_SECRET = "canaryHelperSecret/5tYu8iOp1aSd4fGh7jKl"

#: Headers and parameters in which a service is told a secret.
HEADERS = (
    "authorization",
    "x-amz-security-token",
    "x-amz-sso_bearer_token",
    "x-aws-ec2-metadata-token",
)
PARAMETERS = ("ExternalId", "TokenCode", "WebIdentityToken")


def secrets_in(exchange: Exchange) -> list[str]:
    """Return the secrets that this request told its service."""
    request = exchange.request
    form = dict(urllib.parse.parse_qsl(request.body.decode("latin-1")))
    found = [request.headers.get(name, "") for name in HEADERS]
    found += [form.get(name, "") for name in PARAMETERS]
    return [secret for secret in found if secret]


#: How a service may repeat a secret.
SHAPES: dict[str, Shape] = {
    "whole": lambda secret: f"<{secret}>",
    "the first half": lambda secret: f"{secret[: len(secret) // 2]}...",
    "the last half": lambda secret: f"...{secret[len(secret) // 2 :]}",
    "a part": lambda secret: f"'{secret[3:25]}'",
    "broken in two": lambda secret: f"{secret[:20]}\n\x1b[31m{secret[20:]}",
    "quoted for a URL": lambda secret: urllib.parse.quote(secret, safe=""),
    "quoted in JSON": lambda secret: json.dumps(secret).replace("/", "\\/"),
}


def repeat(shape: str, secrets: Iterable[str]) -> str:
    """Return a message that repeats the secrets in that shape."""
    return "refused: " + ", ".join(map(SHAPES[shape], secrets))


def sts_error(code: str, shape: str) -> Fault:
    """Answer with an AWS error whose message repeats what the request told."""
    return lambda exchange: error(code, repeat(shape, secrets_in(exchange)))(exchange)


def page(status: int, shape: str = "whole", content_type: str = "text/html") -> Fault:
    """Answer with a page that repeats what the request told."""

    def fault(exchange: Exchange) -> None:
        text = f"<html>{escape(repeat(shape, secrets_in(exchange)))}</html>"
        exchange.reply(Answer(status, text.encode(), content_type))

    return fault


def cut_off(status: int = 200, share: float = 0.8) -> Fault:
    """Answer with the first part of the normal body: secrets in something that is not JSON."""

    def fault(exchange: Exchange) -> None:
        answer = exchange.normal()
        body = answer.body[: int(len(answer.body) * share)]
        exchange.reply(replace(answer, status=status, body=body))

    return fault


def message(shape: str, **fields: object) -> Fault:
    """Answer JSON whose message repeats what the request told and what the normal answer holds."""

    def fault(exchange: Exchange) -> None:
        data = exchange.normal().data
        known = [*secrets_in(exchange), data["SecretAccessKey"], data["Token"]]
        exchange.reply(
            exchange.normal().with_data({**data, "Message": repeat(shape, known), **fields})
        )

    return fault


class Search:
    """Looks for canaries in what others can read."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self.secrets = {secret for secret in secrets if secret}
        self._parts = {
            secret[start : start + PART]: secret
            for secret in self.secrets
            for start in range(max(1, len(secret) - PART + 1))
        }

    def found(self, text: str) -> set[str]:
        """Return the parts of secrets in the text; a short secret counts only as a whole."""
        windows = {text[start : start + PART] for start in range(len(text))}
        short = {secret for secret in self.secrets if len(secret) < PART and secret in text}
        return short | {
            window for window in windows if len(window) == PART and window in self._parts
        }

    def check(self, where: str, text: str) -> None:
        """AssertionError if anything of a secret is in the text."""
        found = self.found(text)
        assert not found, f"{where}: {sorted(found)[:5]} in {text[:2000]!r}"

    def check_files(self, folder: Path, *, but: Iterable[Path] = ()) -> None:
        """Look at the names of all files below the folder, and into all but some of them."""
        for path in folder.rglob("*"):
            self.check("a file's name", str(path.relative_to(folder)))
            if path.is_file() and not any(path.is_relative_to(each) for each in but):
                self.check(str(path), path.read_bytes().decode("latin-1"))
