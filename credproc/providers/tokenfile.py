"""A file with one token: a web identity's, or what lets a container in."""

from __future__ import annotations

from credproc import slips
from credproc.errors import ProviderFailed

#: Bytes that are read; tokens have a few thousand.
MOST = 2**20


def contents(path: str, what: str) -> str:
    """Return the token in a file; ProviderFailed, which says ``what`` it is, if there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(MOST).strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        hint = " (~ is not expanded)" if path.startswith("~") else slips.slip(path)
        raise ProviderFailed(f"{what}: {path}: {reason}{hint}") from None
    if not text:
        raise ProviderFailed(f"{what}: {path} is empty")
    return text
