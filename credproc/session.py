"""A session: resolved credentials that any invocation may use; its cache key.

The key has named parts that determine the credentials: contents, never the times of files. The
caller that gets a session is a part of its key, so the key of a role contains the whole chain.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    #: The parts of a key, by name: texts, numbers, lists, and the parts of the caller's key.
    Parts = dict[str, Any]

PREFIX = b"session "


def key(parts: Parts) -> bytes:
    """Return the key with these parts."""
    return PREFIX + json.dumps(parts, separators=(",", ":")).encode("ascii")


def parts(key: bytes) -> Parts:
    """Return the parts of a key; ValueError if it is not a session's."""
    if not key.startswith(PREFIX):
        raise ValueError("not a session's key")
    found = json.loads(key[len(PREFIX) :])
    if not isinstance(found, dict):
        raise ValueError("not a session's key")
    return found
