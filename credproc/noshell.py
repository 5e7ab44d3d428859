"""What a credential_process line asks of a shell, although none reads it."""

from __future__ import annotations

import os
import re

from credproc.slips import swallowed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Programs to which such words may be said.
SHELLS = ("sh", "bash", "dash", "zsh")

COMMENT = "everything behind # is part of the command: give the comment a line of its own"

_OPERATORS = ("|", "||", "&&", "&", ";", "<", ">", ">>")
_REDIRECTION = re.compile(r"\d?>+(&?\d|/\S*)?$")


def slip(line: str) -> str:
    """Return why a credential_process line does not run what was probably meant; "" if it may."""
    return next(_slips(line), "") if line else ""


def in_words(words: Sequence[str]) -> str:
    """Return what of a command line was written for a shell, though none read it; "" if nothing."""
    for word in words:
        if word.startswith("#"):
            return COMMENT
        if word in _OPERATORS or _REDIRECTION.match(word):
            return f"no shell reads the line, so {word} is passed on as a word"
    return ""


def _slips(line: str) -> Iterator[str]:
    import shlex  # not needed for a command line that is right

    _, below, rest = line.partition("\n")
    if below:
        yield swallowed(rest)
        return
    try:
        words = shlex.split(line)
        told = shlex.split(line, comments=True) if "#" in line else words
    except ValueError:
        yield "its quotes do not match"
        return
    program = words[0] if words else ""
    if told != words:
        yield COMMENT
    if len(words) == 1 and " " in program and not os.path.exists(program):
        yield "quotes around all of it make it the name of one program: remove them"
    if program.startswith("~"):
        yield "~ is not expanded: write the absolute path"
    if program.startswith("$") or "/$" in program:
        yield "variables are not expanded: write the absolute path"
    if program.rpartition("/")[2] not in SHELLS:
        yield from (
            f"no shell reads the line, so {word} is passed on as a word"
            for word in words
            if word in _OPERATORS or _REDIRECTION.match(word)
        )
