"""Shell syntax in a credential_process line, which no shell reads."""

from __future__ import annotations

import os
import re

from credproc.slips import swallowed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Programs that may get such words as arguments.
SHELLS = ("sh", "bash", "dash", "zsh")

COMMENT = "everything after # is part of the command: move the comment to its own line"

_OPERATORS = ("|", "||", "&&", "&", ";", "<", ">", ">>")
_REDIRECTION = re.compile(r"\d?>+(&?\d|/\S*)?$")


def slip(line: str) -> str:
    """Return the mistake in a credential_process line that needs a shell, "" if none is seen."""
    return next(_slips(line), "") if line else ""


def in_words(words: Sequence[str]) -> str:
    """Return the mistake in arguments that were written for a shell, "" if none is seen."""
    found = (COMMENT if word.startswith("#") else _operator(word) for word in words)
    return next(filter(None, found), "")


def _operator(word: str) -> str:
    """Return what happens to a shell's operator or redirection, "" for any other word."""
    if word in _OPERATORS or _REDIRECTION.match(word):
        return f"no shell reads the line, so {word} is passed as an argument"
    return ""


def _slips(line: str) -> Iterator[str]:
    import shlex  # not needed for a command line that is right

    _, below, rest = line.partition("\n")
    if below:
        yield swallowed(rest)
        return
    try:
        words = shlex.split(line)
        without_comment = shlex.split(line, comments=True) if "#" in line else words
    except ValueError:
        yield "its quotes do not match"
        return
    program = words[0] if words else ""
    if without_comment != words:
        yield COMMENT
    if len(words) == 1 and " " in program and not os.path.exists(program):
        yield "the quotes make the whole line the name of one program: remove them"
    if program.startswith("~"):
        yield "~ is not expanded: write the absolute path"
    if program.startswith("$") or "/$" in program:
        yield "variables are not expanded: write the absolute path"
    if program.rpartition("/")[2] not in SHELLS:
        yield from filter(None, map(_operator, words))
