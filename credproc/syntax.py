"""Why a shared config file cannot be parsed: the line and the reason, never what stands there."""

from __future__ import annotations

from credproc.errors import RequestError

#: By the names of the errors of configparser, which is not loaded just for this, and of Python.
REASONS = {
    "DuplicateSectionError": "its section stands further up already: put both together",
    "DuplicateOptionError": "its key stands in the same section already: keep one of them",
    "MissingSectionHeaderError": "it is no whole [section] header, and no section stands above it",
    "ParsingError": "it is neither a whole [section] header nor KEY = VALUE",
    "UnicodeDecodeError": "it is not UTF-8",
    "BOM": "it begins with a byte order mark (BOM): save the file without one",
    # Of botocore, which tells no line.
    "ValueError": "an indented block has a line that is not KEY = VALUE (or a value that does not "
    "begin on its key's line)",
}


def unreadable(path: str, error: object) -> RequestError:
    """Return the error to raise for what configparser, or botocore after it, cannot read."""
    number = _line(error)
    where = f", line {number}" if number else ""
    return RequestError(f"{path}{where}: cannot be read as a config file: {_reason(error)}")


def _line(error: object) -> int | None:
    """Return the number of the (first) line that is wrong, None if nobody knows."""
    number = getattr(error, "lineno", None)
    if number is None:
        number = next((line for line, _ in getattr(error, "errors", [])), None)
    return number


def _reason(error: object) -> str:
    """Return what is wrong, and so what to do; a line may hold a secret, so none is quoted."""
    name = type(error).__name__
    if name == "MissingSectionHeaderError" and str(getattr(error, "line", "")).startswith("\ufeff"):
        name = "BOM"
    return REASONS.get(name, REASONS["ParsingError"])
