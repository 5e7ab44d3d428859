"""Proxy variables: whether a proxy URL is usable, and which parts of it are secret."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Characters that end the host of a URL or are invalid in it, and their escapes in a user name or a
#: password.
ESCAPED = {"#": "%23", "/": "%2F", "?": "%3F", "\\": "%5C", "[": "%5B", "]": "%5D"}

_SCHEME = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?//")


def problem(value: str) -> str:
    """Return what is wrong with a proxy URL, without quoting it; "" if it can be used."""
    scheme, userinfo, host = _parts(value)
    if scheme.startswith("socks"):
        return (
            "is a SOCKS proxy, which the AWS SDK for Python cannot use: set it to an HTTP proxy, "
            "or add the endpoint's host to NO_PROXY"
        )
    if scheme not in ("", "http", "https"):
        return "must begin with http:// or https://"
    wrong = [character for character in ESCAPED if character in userinfo]
    if wrong:
        escapes = ", ".join(f"{character} as {ESCAPED[character]}" for character in wrong)
        return f"has a user name or password with characters that must be escaped: write {escapes}"
    port = host.rpartition("]")[2].partition("/")[0].partition(":")[2]
    if port and not port.isdecimal():
        return "has a port that is not a number"
    return "" if host.strip("/:") else "has no host"


def secrets(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the user names and passwords in proxy URLs, in every form that an error may quote."""
    for variable, value in environ.items():
        userinfo = _parts(value)[1] if variable.lower().endswith("_proxy") else ""
        if not userinfo:
            continue
        yield userinfo
        from urllib.parse import unquote  # 4 ms, only for a proxy with a password

        for part in userinfo.split(":", 1):
            yield from (part, unquote(part), *re.split(r"[^\w.%+=~!$&'()*,;-]+", part))


def _parts(value: str) -> tuple[str, str, str]:
    """Return the scheme, the part before the last @, and the part after it."""
    match = _SCHEME.match(value.strip())
    rest = value.strip()[match.end() :] if match else value.strip()
    userinfo, _, host = rest.rpartition("@")
    return (match[1] or "").lower() if match else "", userinfo, host
