"""A session: credentials as they were resolved, whatever invocation needs them. Its cache key.

The key says by name what the credentials are made of: contents, never the times of files. What
issues a session is a part of its key, so that the key of a role has the whole chain in it.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    #: What a session is made of, by name: texts, numbers, lists, and the parts of what issues it.
    Parts = dict[str, Any]

PREFIX = b"session "


def key(parts: Parts) -> bytes:
    """Return the key of these parts."""
    return PREFIX + json.dumps(parts, separators=(",", ":")).encode("ascii")


def parts(key: bytes) -> Parts:
    """Return the parts in a key; ValueError if it is not a session's."""
    if not key.startswith(PREFIX):
        raise ValueError("not a session's key")
    found = json.loads(key[len(PREFIX) :])
    if not isinstance(found, dict):
        raise ValueError("not a session's key")
    return found
