"""Invalid values in the shared config: what of them may be shown, and the likely mistake.

Nothing here returns a part of a secret. Of a key's value only the mistake is reported; of any other
value the first line is shown, without anything that looks like a key.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: Characters of a value that are shown.
LONGEST = 100

#: The keys whose values are never shown.
ACCESS, SECRET = "aws_access_key_id", "aws_secret_access_key"
TOKENS = ("aws_session_token", "aws_security_token")
KEYS = (ACCESS, SECRET, TOKENS[0])

#: Keys whose value may be confidential and is never shown.
CONFIDENTIAL = ("external_id",)

_QUOTES = "\"'`\u2018\u2019\u201c\u201d"
_PLACEHOLDER = re.compile(
    r"<[^<>]*>|\{\{|\bx{4,}\b|(?<![a-z])(your|my)[-_ ]?(aws|access|secret|account|role|key|mfa)"
    r"|replace[-_ ]?me|change[-_ ]?me|account[-_]id",
    re.IGNORECASE,
)
#: Patterns of a first line, and the likely mistake.
_SLIPS = (
    (re.compile(r"(^|\s)[#;]"), "a comment needs a line of its own"),
    (re.compile(rf"^[{_QUOTES}]|[{_QUOTES}]$"), "remove the quotes"),
    (re.compile(r"\$\{?\w|%\w+%"), "variables are not expanded here"),
    (_PLACEHOLDER, "it looks like a placeholder"),
    (re.compile(r"[,;]$"), "remove the comma or semicolon"),
)
_KEY = re.compile(r"\s*([A-Za-z_][\w-]*)\s*[=:]")
_SECRET = re.compile(r"(?=\S*[A-Z])(?=\S*[a-z])(?=\S*\d)[A-Za-z0-9/+=_-]{20,}")
_PUBLIC = ("arn:", "http://", "https://")


def wrong(key: str, value: Any, problem: str) -> str:
    """Return that a key's value is invalid: what it must be, what it is, the likely mistake."""
    if isinstance(value, dict):
        return f"{key} must be one line, not an indented block"
    if not value:
        return f"{key} is blank"
    what = f", not {shown(value)}" if key not in CONFIDENTIAL else ""
    return f"{key} {problem}{what}{slip(value)}"


def shown(value: str) -> str:
    """Return the first line of a value in quotes, with possible secrets replaced by dots."""
    line = str(value).partition("\n")[0]
    words = [
        word if word.startswith(_PUBLIC) else _SECRET.sub("...", word) for word in line.split(" ")
    ]
    line = " ".join(words)
    return repr(line if len(line) <= LONGEST else f"{line[:LONGEST]}...")


def slip(value: str) -> str:
    """Return the likely mistake in a value, as the end of a message; "" if there is none."""
    why = _slip(str(value))
    return f" ({why})" if why else ""


def _slip(value: str) -> str:
    first, below, rest = value.partition("\n")
    if below:
        return swallowed(rest)
    found = next((text for pattern, text in _SLIPS if pattern.search(first)), "")
    odd = next((f"U+{ord(each):04X}" for each in first if not each.isascii()), "")
    return found or (f"it contains {odd}" if odd else "")


def swallowed(rest: str) -> str:
    """Return a message that the lines below became part of the value."""
    names = [match[1] for line in rest.splitlines() if (match := _KEY.match(line))]
    lines = f"lines below it ({', '.join(names)})" if names else "lines below it"
    return f"the {lines} are indented more, and so became part of its value"


def keys(values: Mapping[str, Any]) -> str:
    """Return what is wrong with the access key in a profile's ``values``, or "".

    The message names the invalid key, never its value.
    """
    blank = [key for key in (ACCESS, SECRET) if key in values and not values[key]]
    if blank:
        return f"{' and '.join(blank)} {'is' if len(blank) == 1 else 'are'} blank"
    for key in (ACCESS, SECRET, *TOKENS):
        value = values.get(key)
        if value is None or value == "":
            continue
        if not isinstance(value, str):
            return f"{key} must be one line, not an indented block"
        why = _key_slip(key, value)
        if why:
            return f"{key} is not valid: {why}"
    access, secret = str(values.get(ACCESS, "")), str(values.get(SECRET, ""))
    if len(access) == 40 and len(secret) == 20 and secret.startswith(("AKIA", "ASIA")):
        return f"{ACCESS} and {SECRET} are swapped"
    return ""


def _key_slip(key: str, value: str) -> str:
    """Return why a value cannot be a key, "" if it may be one."""
    if "\n" in value:
        return swallowed(value.partition("\n")[2])
    if all("!" <= letter <= "~" for letter in value):
        # Any visible character may be part of a key, but none of these surrounds it.
        if value[0] == value[-1] and value[0] in _QUOTES and len(value) > 1:
            return "remove the quotes"
        whole = re.fullmatch(r"<[^<>]*>|\$\{?\w+\}?|\{\{.*\}\}|%\w+%", value)
        if whole or (key == ACCESS and _PLACEHOLDER.search(value)):
            return "it looks like a placeholder"
        return ""
    return _slip(value) or "it contains a character that is not valid in a key"
