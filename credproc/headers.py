"""Section headers of the shared files that nearly name a profile, and what they must be."""

from __future__ import annotations

import difflib
import re
import shlex
import unicodedata

from credproc import system
from credproc.errors import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

#: Bytes. A shared file has a few thousand.
MOST = 4 * 2**20

_HEADER = re.compile(r"(?P<comment>[#;]?)\s*\[(?P<header>.+)\]")
_QUOTES = "\"'\u2018\u2019\u201c\u201d"


class Near:
    """A header that nearly names a profile: its file, its line, from 1, and what is wrong.

    ``same`` says that the very profile was meant; else it is another, or commented out.
    """

    def __init__(self, path: str, line: int, problem: str, same: bool) -> None:
        self.path = path
        self.line = line
        self.problem = problem
        self.same = same

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.problem}"


def near(config: str, credentials: str, profile: str) -> Near | None:
    """Return where the two files (paths) nearly name a profile, and how to mend that.

    For a profile that neither of them has: a header of it is not among those that are right.
    """
    found = [
        each
        for path, is_config in ((config, True), (credentials, False))
        for each in _in_text(_text(path), path, profile, is_config)
    ]
    return min(found, key=lambda each: each[0])[1] if found else None


def _in_text(text: str, path: str, profile: str, is_config: bool) -> Iterator[tuple[int, Near]]:
    """Go through the headers that come near the profile, each with its distance."""
    for number, line in enumerate(text.split("\n"), 1):
        match = _HEADER.match(line.strip())
        if match is None:
            continue
        header, is_comment, is_indented = match["header"], match["comment"], line[0].isspace()
        rank, problem = _problem(header, profile, is_config)
        if problem and is_comment:
            rank, problem = 3, f"{_shown(header)} is commented out"
        elif not rank and is_indented:
            problem = f"{_shown(header)} is indented, and so part of the value above it"
        elif (config_profile if is_config else credentials_profile)(header) == profile:
            continue
        if problem:
            yield rank, Near(path, number, problem, same=not rank)


def config_profile(header: str) -> str | None:
    """Return the profile that a header names in the config file, as botocore reads it."""
    if header == "default":
        return "default"
    if not header.startswith("profile"):
        return None
    try:
        words = shlex.split(header)
    except ValueError:
        return None
    return words[1] if len(words) == 2 else None  # whatever the first one goes on with


def credentials_profile(header: str) -> str | None:
    """Return the profile that a header names in the credentials file, as botocore reads it."""
    return header if header != "DEFAULT" else None


def bare(profile: str, known: Iterable[str]) -> str:
    """Return the known profile that a name gives together with quotes, or with the word profile."""
    word, _, rest = _bare(profile).partition(" ")
    names = (_bare(profile), _bare(rest) if word == "profile" else "")
    return next((name for name in names if name in known), "")


def similar(profile: str, known: Sequence[str]) -> str:
    """Return the known profile that was probably meant, "" if none is like it."""
    return bare(profile, known) or next(iter(difflib.get_close_matches(profile, known, 1, 0.8)), "")


def right(profile: str, is_config: bool) -> str:
    """Return the header that names a profile in one of the two files."""
    if not is_config:
        return f"[{profile}]"
    return "[default]" if profile == "default" else f"[profile {shlex.quote(profile)}]"


def _problem(header: str, profile: str, is_config: bool) -> tuple[int, str]:
    """Return how near a header comes to the profile (0 is nearest), and what is wrong, or ""."""
    must = f"{_shown(header)} must be written {right(profile, is_config)}"
    plain = _bare(_plain(header.partition("]")[0]))
    kind, _, rest = plain.partition(" ")
    if kind == "sso-session" and _bare(rest) == profile:
        return 2, f"{_shown(header)} describes an SSO session, not a profile"
    names = [_bare(name) for name in _names(plain)]
    if profile in names:
        odd = next((letter for letter in header if _is_odd(letter)), "")
        return 0, f"{must}: it contains {_named(odd)}" if odd else must
    if profile == plain.casefold() == "default":
        return 0, must
    if profile.casefold() in [name.casefold() for name in names]:
        return 1, f"{_shown(header)} names another profile: upper and lower case differ"
    return 9, ""


def _names(plain: str) -> Iterator[str]:
    """Go through the names that the header may have been meant to give."""
    yield plain
    word, blank, rest = plain.partition(" ")
    if blank and difflib.SequenceMatcher(None, word.casefold(), "profile").ratio() > 0.8:
        yield rest
    elif plain[:7].casefold() == "profile":
        yield plain[7:].lstrip(" :=.-_/")


def _plain(header: str) -> str:
    """Return a header with single plain blanks, and without letters that nobody sees."""
    seen = (" " if letter.isspace() else letter for letter in header)
    return " ".join("".join(letter for letter in seen if not _is_hidden(letter)).split())


def _bare(name: str) -> str:
    """Return a name without quotes around it, of which one may be missing."""
    return name.strip(_QUOTES).strip()


def _is_hidden(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cf", "Cc")


def _is_odd(letter: str) -> bool:
    """Whether a letter is not what it looks like, or cannot be seen at all."""
    return _is_hidden(letter) or (letter.isspace() and letter != " ") or letter in _QUOTES[2:]


def _named(letter: str) -> str:
    name = unicodedata.name(letter, "a control character").lower()
    return f"U+{ord(letter):04X} ({name})"


def _shown(header: str) -> str:
    """Return a header for a message; what cannot be seen is written as a number."""
    text = "".join(f"<U+{ord(each):04X}>" if _is_odd(each) else each for each in header)
    return clean(f"[{text[:80]}]") if text == text.strip() else f"[{text[:80]}]"


def _text(path: str) -> str:
    """Return a file's text; "" if it cannot be read."""
    try:
        return system.read(path, MOST).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""
