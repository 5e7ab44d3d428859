"""The session policy of --policy: JSON, or a file."""

from __future__ import annotations

import json
import os

from credproc import limits, system
from credproc.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from credproc.request import Request

#: Bytes. AWS accepts 2,048 characters, not counting whitespace.
MAX_FILE = 64 * 1024


def read(request: Request, value: str) -> str:
    """Return the policy without whitespace, which would count towards the API's limit."""
    if value.startswith("file://"):
        path = os.path.expanduser(value[7:])
        request.files.append(path)
        value = _contents(path)
    try:
        policy = json.loads(value, object_pairs_hook=_each_once)
        text = json.dumps(policy, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        other = "nested too deeply" if deep else "a number is NaN, infinite or too long"
        reason = getattr(error, "msg", other)
        raise UsageError(f"--policy: must be JSON or file://PATH ({reason})") from None
    if not isinstance(policy, dict):
        raise UsageError("--policy: must be a JSON object")
    return text


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; UsageError for a duplicate key, whose first value would be lost."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            shown = repr(key) if len(key) <= limits.LONGEST_SHOWN else f"of {len(key)} characters"
            raise UsageError(f"--policy: duplicate key {shown} in one object")
        found[key] = value
    return found


def _contents(path: str) -> str:
    """Return the text of a policy file."""
    try:
        return system.read(path, MAX_FILE).decode("utf-8-sig")
    except system.Unfit as error:
        raise UsageError(f"--policy: {path} {error}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise UsageError(f"--policy: {path} cannot be read: {reason}") from None
