"""The secrets that a run knows, so that a server's message that repeats one is shown without it."""

from __future__ import annotations

import json
import os
import re

from credproc import proxies, system
from credproc.variables import (
    FULL_URI,
    LOGIN_CACHE,
    RELATIVE_URI,
    TOKEN,
    TOKEN_FILE,
    WEB_IDENTITY,
    path,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    TOKEN,
)
#: Variables whose URI may contain a secret.
URIS = (RELATIVE_URI, FULL_URI)
#: Variables that name a file with a token.
FILES = (TOKEN_FILE, WEB_IDENTITY)
#: The directories of the caches of `aws sso login` and `aws login`: the variable that sets it, if
#: any, and the default.
LOGINS = {"sso": ("", "~/.aws/sso/cache"), "login": (LOGIN_CACHE, "")}


def of_environment(environ: Mapping[str, str]) -> list[str]:
    """Return the secrets in the environment."""
    found = [environ[name] for name in VARIABLES if environ.get(name)]
    found += [each for name in URIS for each in of_uri(environ.get(name, ""))]
    return found + list(proxies.secrets(environ))


def of_uri(uri: str) -> list[str]:
    """Return the secret parts of a container's URI; on ECS nothing else authorizes a request."""
    path = uri.partition("://")[2].partition("/")[2] if "://" in uri else uri
    return [
        part for part in re.split(r"[^\w-]+", path) if len(part) >= 12 and re.search(r"\d", part)
    ]


def of_files(environ: Mapping[str, str]) -> list[str]:
    """Return the secrets in token files that variables name, and in cached sign-ins.

    Only for a run that failed: a run that succeeds prints no message that could quote them.
    """
    found = [system.text(environ[name]).strip() for name in FILES if environ.get(name)]
    for variable, usual in LOGINS.values():
        folder = path(environ, variable, usual)
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        for name in names:
            try:
                found += _secrets(json.loads(system.text(os.path.join(folder, name))))
            except (ValueError, RecursionError):
                pass  # half-written, or not a sign-in
    return [secret for secret in found if secret]


def _secrets(value: Any, name: str = "") -> Iterator[str]:
    """Yield the texts whose names contain "token", "key" or "secret"."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _secrets(each, key)
    elif isinstance(value, str) and any(
        word in name.lower() for word in ("token", "key", "secret")
    ):
        yield value
