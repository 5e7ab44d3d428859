"""A credential_process line: written for consumers with and without a shell, and parsed.

botocore splits it like a POSIX shell, but runs no shell; the other SDKs pass it to ``sh -c``. A
line that is written here means the same to both, and SDKs that strip comments leave it whole.
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

# Characters that are literal for shells, shlex and cmd.exe alike; and those that may not be.
_PLAIN = re.compile(r"[A-Za-z0-9_+=:,./@-]+", re.ASCII)
_SPECIAL = re.compile(r"[^A-Za-z0-9_+=:,./@\x80-\U0010ffff-]")
# Characters that are special to a shell inside double quotes, or treated differently by shlex.
_SPECIAL_IN_QUOTES = re.compile(r'[$`"\\!]')
_CUT = re.compile(r"\s[#;]")
# The command, and what `credprocctl launcher` writes.
_NAME = re.compile(r"credproc(-.*)?")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=", re.ASCII)


def join(words: Sequence[str]) -> str:
    """Return the words as one line; RequestError for a word that a config file cannot contain."""
    command, *arguments = words
    return " ".join([_escaped(command), *map(_quoted, arguments)])


def _escaped(word: str) -> str:
    """Return the first word, escaped with backslashes, without a quote at its beginning.

    The SDKs for Go strip quotes, old ones at the start of a line, newer ones a pair around the
    whole line; the path would then end at its first space.
    """
    _check(word)
    escaped = _SPECIAL.sub(r"\\\g<0>", word)
    # Parsers of config files strip a space at the end of a line.
    return escaped.removesuffix("\\ ") + "' '" if word.endswith(" ") else escaped


def _quoted(word: str) -> str:
    _check(word)
    if _PLAIN.fullmatch(word):
        return word
    if "'" in word and not _SPECIAL_IN_QUOTES.search(word):
        return f'"{word}"'
    return "'" + word.replace("'", "'\"'\"'") + "'"


def _check(word: str) -> None:
    if not word.isprintable():
        raise RequestError(
            "an option contains a line break or a control character, which a config file cannot"
        )
    if _CUT.search(word):
        raise RequestError(
            "an option contains a space before # or ;: some SDKs take the rest for a comment"
        )


def split(line: str) -> list[str]:
    """Return the words of a line as botocore splits it; RequestError if it has open quotes."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise RequestError(f"credential_process cannot be parsed: {str(error).lower()}") from None


def credproc_arguments(words: Sequence[str]) -> list[str] | None:
    """Return credproc's own arguments, or None if the words run another program."""
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


def credproc_line(line: str) -> list[str] | None:
    """Return credproc's arguments in a credential_process line, None for any other line."""
    try:
        return credproc_arguments(split(line))
    except RequestError:
        return None


def runs_credproc(line: str) -> bool:
    """Whether a credential_process line runs credproc."""
    return credproc_line(line) is not None


def line_shown(line: str) -> str:
    """Return a credential_process line for display, without secrets."""
    try:
        return shown(split(line))
    except RequestError:
        return "(unbalanced quotes)"


def shown(words: Sequence[str]) -> str:
    """Return the words as one line for display, without private values.

    Of another program only the name is shown, because its arguments may contain secrets.
    """
    argv = credproc_arguments(words)
    if argv is None:
        return f"{words[0]} ..." if len(words) > 1 else " ".join(words)
    lead = list(words[: len(words) - len(argv)])
    lead = [f"{word.partition('=')[0]}=..." if _ASSIGNMENT.match(word) else word for word in lead]
    words_shown = [*lead, *redacted(argv)]
    try:
        return join(words_shown)
    except RequestError:
        return shlex.join(words_shown)


def redacted(argv: Sequence[str]) -> list[str]:
    """Return credproc's arguments with ``...`` for the values that must not be shown."""
    words_shown = []
    hide = False
    for word in argv:
        option, equals, _ = word.partition("=")
        if hide:
            words_shown.append("...")
        else:
            words_shown.append(
                f"{option}=..." if equals and option in options.CONFIDENTIAL else word
            )
        hide = not hide and not equals and option in options.CONFIDENTIAL
    return words_shown


def executable(
    chosen: str | None, environ: Mapping[str, str], own: Sequence[str] | None = None
) -> str:
    """Return the absolute path of the credproc that profiles are to run.

    ``own`` are the directories of this installation; PATH is searched after the first of them.
    """
    if chosen:
        if not os.path.isabs(chosen) or not _runs(chosen):
            raise RequestError(
                f"--executable: must be the absolute path of an executable file, not {chosen}"
            )
        return chosen
    # The directory of this command comes first, since PATH may contain another installation. Links
    # are not resolved, since they outlive their targets (pipx, alternatives).
    if own is None:
        own = [os.path.dirname(os.path.abspath(sys.argv[0])), sysconfig.get_path("scripts")]
    found = [os.path.join(folder, "credproc") for folder in own]
    found.insert(1, shutil.which("credproc", path=environ.get("PATH")) or "")
    for path in found:
        if path and _runs(path):
            return os.path.abspath(path)
    raise RequestError("credproc was not found: give its path with --executable PATH")


def _runs(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)
