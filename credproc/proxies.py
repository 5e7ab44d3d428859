"""URLs in variables: whether a proxy's is usable, and which parts of a URL are secret."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Characters that end the host of a URL or are invalid in it, and their escapes in a user name or a
#: password.
ESCAPED = {"#": "%23", "/": "%2F", "?": "%3F", "\\": "%5C", "[": "%5B", "]": "%5D"}

#: Variables with the address of a service, beside AWS_ENDPOINT_URL and its like.
ENDPOINTS = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_CONTAINER_CREDENTIALS_FULL_URI")

_SCHEME = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?//")
#: A scheme without its colon or without a slash; then the URL has no scheme.
_NEARLY = re.compile(r"https?\b(?!://)", re.IGNORECASE)


def problem(value: str) -> str:
    """Return what is wrong with a proxy URL, without quoting it; "" if it can be used."""
    return next(_problems(value), "")


def _problems(value: str) -> Iterator[str]:
    if value[:1] in "\"'":
        yield "is in quotes: remove them"
    if value != value.strip():
        yield "has a space or a line end around it: remove it"
    if not value.isascii():
        yield "contains a character that is not ASCII: remove it, or escape it (\u00fc as %C3%BC)"
    scheme, userinfo, host = _parts(value)
    if scheme.startswith("socks"):
        yield (
            "is a SOCKS proxy, which the AWS SDK for Python cannot use: set it to an HTTP proxy, "
            "or add the endpoint's host to NO_PROXY"
        )
    if scheme not in ("", "http", "https") or _NEARLY.match(value):
        yield "must begin with http:// or https://"
    wrong = [character for character in ESCAPED if character in userinfo]
    if wrong:
        escapes = ", ".join(f"{character} as {ESCAPED[character]}" for character in wrong)
        yield f"has a user name or password with characters that must be escaped: write {escapes}"
    if host.startswith("[") and "]" not in host:
        yield "has a [ without a ]"
    address, port = _address(host)
    if port and not (port.isdecimal() and int(port[:6]) <= 65535):
        yield "has a port that is not a number up to 65535"
    if not address:
        yield "has no host"


def secrets(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the user names, passwords and queries in the URLs of proxies and of endpoints."""
    for variable, value in environ.items():
        name = variable.upper()
        if name == "NO_PROXY" and "@" not in value:
            continue  # hosts with ports
        if name.endswith("_PROXY") or name.startswith("AWS_ENDPOINT_URL") or name in ENDPOINTS:
            yield from _secrets(value)


def _secrets(value: str) -> Iterator[str]:
    """Yield the secret parts of a URL, in every form that an error may quote."""
    _, userinfo, host = _parts(value)
    address, port = _address(host)
    found = [userinfo, *re.split(r"[?&#]", host)[1:]]
    if port and not port.isdecimal():  # they are a user name and a password without an address
        found += [address, port]
    if not any(found):
        return
    from urllib.parse import unquote  # 4 ms, only for a URL with a secret

    for text in found:
        yield text
        for part in re.split("[:=]", text, maxsplit=1):
            yield from (part, unquote(part), *re.split(r"[^\w.%+=~!$&'()*,;-]+", part))


def _parts(value: str) -> tuple[str, str, str]:
    """Return the scheme, the part before the last @, and the part after it."""
    match = _SCHEME.match(value.strip())
    rest = value.strip()[match.end() :] if match else value.strip()
    userinfo, _, host = rest.rpartition("@")
    return (match[1] or "").lower() if match else "", userinfo, host


def _address(host: str) -> tuple[str, str]:
    """Return the address and the port at the beginning of a URL without scheme and user name."""
    host = re.split("[/?#]", host, maxsplit=1)[0]
    if host.startswith("["):
        address, _, port = host.partition("]")
        return address, port[1:]
    address, _, port = host.partition(":")
    return address, port
