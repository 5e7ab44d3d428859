"""Why a shared config file cannot be parsed: the line and the reason, never the line's text."""

from __future__ import annotations

import re

from credproc import system
from credproc.errors import RequestError

#: By the names of configparser's exceptions, which is not loaded just for this, and of Python's.
REASONS = {
    "DuplicateSectionError": "duplicate section: merge the two",
    "DuplicateOptionError": "duplicate key in this section: remove one of them",
    "MissingSectionHeaderError": "it is not a complete [section] header, and there is none above "
    "it",
    "ParsingError": "it is neither a complete [section] header nor KEY = VALUE",
    "UnicodeDecodeError": "it is not UTF-8",
    "BOM": "it begins with a byte order mark (BOM): save the file without one",
    # botocore's, which does not say which line.
    "ValueError": "a line of an indented block must be KEY = VALUE (and a value must begin on the "
    "line of its key)",
}


class BadBlock(ValueError):
    """Like botocore's error for an indented block that it cannot parse, with the line number."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.lineno = line


_HEADER = re.compile(r"\[.+\]")
_BEGINS_BLOCK = re.compile(r"[^=:]*[=:]\s*$")


def unreadable(path: str, error: object) -> RequestError:
    """Return the error to raise for a file that configparser or botocore cannot parse."""
    number = _line(error)
    if number is None and type(error).__name__ == "ValueError":
        number = bad_block(system.text(path))
    where = f", line {number}" if number else ""
    return RequestError(f"{path}{where}: cannot be parsed as a config file: {_reason(error)}")


def bad_block(text: str) -> int | None:
    """Return the number of the line because of which botocore rejects the file, None without one.

    Below a key without a value it expects lines of the form KEY = VALUE.
    """
    depth, is_block = -1, False  # of the last key
    for number, line in enumerate(text.split("\n"), 1):
        body = line.strip()
        if not body or body.startswith(("#", ";")):
            continue
        indent = len(line) - len(line.lstrip())
        if 0 <= depth < indent:
            if is_block and "=" not in body:
                return number
        elif _HEADER.match(body):
            depth = -1
        else:
            depth, is_block = indent, bool(_BEGINS_BLOCK.match(body))
    return None


def _line(error: object) -> int | None:
    """Return the number of the first invalid line, None if unknown."""
    number = getattr(error, "lineno", None)
    if number is None:
        number = next((line for line, _ in getattr(error, "errors", [])), None)
    return number


def _reason(error: object) -> str:
    """Return what is wrong and what to do; a line may contain a secret, so none is quoted."""
    name = type(error).__name__
    if name == "MissingSectionHeaderError" and str(getattr(error, "line", "")).startswith("\ufeff"):
        name = "BOM"
    encoding = getattr(error, "encoding", "utf-8")
    if encoding.lower() != "utf-8":
        return f"the locale's encoding is {encoding}: set LANG=C.UTF-8 or PYTHONUTF8=1"
    if isinstance(error, ValueError) and name not in REASONS:
        name = "ValueError"
    return REASONS.get(name, REASONS["ParsingError"])
