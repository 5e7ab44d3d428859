"""A credential_process line: written for consumers with and without a shell, and read again.

botocore splits it like a POSIX shell, but starts none; the other SDKs hand it to ``sh -c``. What is
written here means the same to both; SDKs that cut comments off a value leave it whole.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import sysconfig
from typing import TYPE_CHECKING

from credproc import options
from credproc.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# What neither a shell nor shlex, nor cmd.exe, takes for anything but itself; and what one may.
_PLAIN = re.compile(r"[A-Za-z0-9_+=:,./@-]+", re.ASCII)
_SPECIAL = re.compile(r"[^A-Za-z0-9_+=:,./@\x80-\U0010ffff-]")
# What a shell would still look at inside double quotes, or shlex would not.
_LIVELY = re.compile(r'[$`"\\!]')
_CUT = re.compile(r"\s[#;]")
# The command, and what `credprocctl launcher` writes.
_NAME = re.compile(r"credproc(-.*)?")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=", re.ASCII)


def join(words: Sequence[str]) -> str:
    """Return the words as one line; RequestError for what no config file can carry."""
    command, *arguments = words
    return " ".join([_escaped(command), *map(_quoted, arguments)])


def _escaped(word: str) -> str:
    """Return the first word, with backslashes and no quotes at its beginning.

    The SDKs for Go take quotes away: old ones those that a line begins with, newer ones a pair
    around the whole line; the path then ends at its first blank.
    """
    _check(word)
    escaped = _SPECIAL.sub(r"\\\g<0>", word)
    # A reader of config files would cut the blank off the end of a line.
    return escaped.removesuffix("\\ ") + "' '" if word.endswith(" ") else escaped


def _quoted(word: str) -> str:
    _check(word)
    if _PLAIN.fullmatch(word):
        return word
    if "'" in word and not _LIVELY.search(word):
        return f'"{word}"'
    return "'" + word.replace("'", "'\"'\"'") + "'"


def _check(word: str) -> None:
    if not word.isprintable():
        raise RequestError("a config file cannot hold line ends or control characters in an option")
    if _CUT.search(word):
        raise RequestError(
            "a blank before # or ; in an option: some SDKs would take the rest for a comment"
        )


def split(line: str) -> list[str]:
    """Return the words of a line as botocore splits it; RequestError if it has open quotes."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise RequestError(f"credential_process cannot be split: {str(error).lower()}") from None


def credproc_arguments(words: Sequence[str]) -> list[str] | None:
    """Return credproc's own arguments, or None if the words start something else."""
    rest = list(words)
    if rest and os.path.basename(rest[0]) == "env":
        rest = rest[1:]
        while rest and _ASSIGNMENT.match(rest[0]):
            rest = rest[1:]
    if rest and _NAME.fullmatch(os.path.basename(rest[0])):
        return rest[1:]
    if rest[1:3] == ["-m", "credproc"] and os.path.basename(rest[0]).startswith("python"):
        return rest[3:]
    return None


def runs_credproc(line: str) -> bool:
    """Whether a credential_process line runs credproc."""
    try:
        return credproc_arguments(split(line)) is not None
    except RequestError:
        return False


def line_shown(line: str) -> str:
    """Return a credential_process line for people, without what must stay secret."""
    try:
        return shown(split(line))
    except RequestError:
        return "(open quotes)"


def shown(words: Sequence[str]) -> str:
    """Return the words as one line for people, without what is nobody else's business.

    Of another program only the name: its arguments may be anything.
    """
    argv = credproc_arguments(words)
    if argv is None:
        return f"{words[0]} ..." if len(words) > 1 else " ".join(words)
    lead = list(words[: len(words) - len(argv)])
    lead = [f"{word.partition('=')[0]}=..." if _ASSIGNMENT.match(word) else word for word in lead]
    told = [*lead, *discreet(argv)]
    try:
        return join(told)
    except RequestError:
        return shlex.join(told)


def discreet(argv: Sequence[str]) -> list[str]:
    """Return credproc's arguments with dots for the values that must not be shown."""
    told = []
    hide = False
    for word in argv:
        option, equals, _ = word.partition("=")
        if hide:
            told.append("...")
        else:
            told.append(f"{option}=..." if equals and option in options.DISCREET else word)
        hide = not hide and not equals and option in options.DISCREET
    return told


def executable(
    chosen: str | None, environ: Mapping[str, str], own: Sequence[str] | None = None
) -> str:
    """Return the absolute path of the credproc that profiles are to run.

    ``own`` are the directories of this installation; PATH comes between the first and the others.
    """
    if chosen:
        if not os.path.isabs(chosen) or not _runs(chosen):
            raise RequestError(f"--executable: must be the absolute path of credproc, not {chosen}")
        return chosen
    # Beside this very command first: PATH may hold another installation. Links stay links, since
    # they outlive what they point at (pipx, alternatives).
    if own is None:
        own = [os.path.dirname(os.path.abspath(sys.argv[0])), sysconfig.get_path("scripts")]
    found = [os.path.join(folder, "credproc") for folder in own]
    found.insert(1, shutil.which("credproc", path=environ.get("PATH")) or "")
    for path in found:
        if path and _runs(path):
            return os.path.abspath(path)
    raise RequestError("the executable credproc is not found: give --executable PATH")


def _runs(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)
