"""Section headers of the shared config that nearly name a profile, and how to correct them."""

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

#: Bytes. The most that is read; config files have a few thousand.
MOST = 4 * 2**20

_HEADER = re.compile(r"(?P<comment>[#;]?)\s*\[(?P<header>.+)\]")
_QUOTES = "\"'\u2018\u2019\u201c\u201d"


class Near:
    """A header that nearly names a profile: its file, its line (from 1), and what is wrong.

    ``same`` says that the header is certainly for this profile; else it is for another one, or
    commented out.
    """

    def __init__(self, path: str, line: int, problem: str, same: bool) -> None:
        self.path = path
        self.line = line
        self.problem = problem
        self.same = same

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.problem}"


def near(config: str, credentials: str, profile: str) -> Near | None:
    """Return the header in the two files (paths) that comes nearest to a profile, None without one.

    Only for a profile that neither file has.
    """
    found = [
        each
        for path, is_config in ((config, True), (credentials, False))
        for each in _in_text(system.text(path, MOST), path, profile, is_config)
    ]
    return min(found, key=lambda each: each[0])[1] if found else None


def _in_text(text: str, path: str, profile: str, is_config: bool) -> Iterator[tuple[int, Near]]:
    """Yield the headers that come near the profile, each with its distance."""
    for number, line in enumerate(text.split("\n"), 1):
        match = _HEADER.match(line.strip())
        if match is None:
            continue
        header, is_comment, is_indented = match["header"], match["comment"], line[0].isspace()
        rank, problem = _problem(header, profile, is_config)
        if problem and is_comment:
            rank, problem = 3, f"{_shown(header)} is commented out"
        elif not rank and is_indented:
            problem = f"{_shown(header)} is indented, which makes it part of the value above it"
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
    return words[1] if len(words) == 2 else None  # whatever follows "profile" in the first word


def credentials_profile(header: str) -> str | None:
    """Return the profile that a header names in the credentials file, as botocore reads it."""
    return header if header != "DEFAULT" else None


def bare(profile: str, known: Iterable[str]) -> str:
    """Return the known profile in a name with extra quotes, or with the word profile, or ""."""
    word, _, rest = _bare(profile).partition(" ")
    names = (_bare(profile), _bare(rest) if word == "profile" else "")
    return next((name for name in names if name in known), "")


def similar(profile: str, known: Sequence[str]) -> str:
    """Return the known profile that the user probably meant, "" if none is similar."""
    return bare(profile, known) or next(
        iter(difflib.get_close_matches(profile, known, 1, 0.75)), ""
    )


def right(profile: str, is_config: bool) -> str:
    """Return the header that names a profile in one of the two files."""
    if not is_config:
        return f"[{profile}]"
    return "[default]" if profile == "default" else f"[profile {shlex.quote(profile)}]"


def _problem(header: str, profile: str, is_config: bool) -> tuple[int, str]:
    """Return the distance of a header from the profile (0 is nearest), and what is wrong, or ""."""
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
    """Yield the profile names that the user may have meant by the header."""
    yield plain
    word, blank, rest = plain.partition(" ")
    if blank and difflib.SequenceMatcher(None, word.casefold(), "profile").ratio() > 0.8:
        yield rest
    elif plain[:7].casefold() == "profile":
        yield plain[7:].lstrip(" :=.-_/")


def _plain(header: str) -> str:
    """Return a header with single plain spaces, and without invisible characters."""
    seen = (" " if letter.isspace() else letter for letter in header)
    return " ".join("".join(letter for letter in seen if not _is_hidden(letter)).split())


def _bare(name: str) -> str:
    """Return a name without surrounding quotes, one of which may be missing."""
    return name.strip(_QUOTES).strip()


def _is_hidden(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cf", "Cc")


def _is_odd(letter: str) -> bool:
    """Whether a character is not what it looks like, or is invisible."""
    return _is_hidden(letter) or (letter.isspace() and letter != " ") or letter in _QUOTES[2:]


def _named(letter: str) -> str:
    name = unicodedata.name(letter, "a control character").lower()
    return f"U+{ord(letter):04X} ({name})"


def _shown(header: str) -> str:
    """Return a header for a message, with odd characters written as code points."""
    text = "".join(f"<U+{ord(each):04X}>" if _is_odd(each) else each for each in header)
    return clean(f"[{text[:80]}]") if text == text.strip() else f"[{text[:80]}]"
