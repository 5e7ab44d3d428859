"""The one line that a person reads, whatever a server put into it."""

from __future__ import annotations

import errno
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credproc import errors, result
from credproc.errors import HIDDEN, MAX_LINE, ProviderFailed, clean, is_own, masked, mistake

TOKEN = "IQoJb3JpZ2luX2VjEPz//////////wEaCXVzLWVhc3Qt"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzzzzzzzKEY"
ANYTHING = st.text(st.characters(exclude_categories=[]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AccessDenied: no", "AccessDenied: no"),
        ("Zug\N{LATIN SMALL LETTER A WITH DIAERESIS}nglich \N{EM DASH} na\u00efve", None),
        ("two\nlines\r\nand\vmore\f", "two lines and more"),
        ("  blanks \t and\u00a0more\u2003 ", "blanks and more"),
        ("\x1b[31mred\x1b[0m \x1b]0;title\x07", "[31mred [0m ]0;title"),
        ("back\bspace\x7f \x00nul \x9b31m", "back space nul 31m"),
        ("line\u2028paragraph\u2029next\x85end", "line paragraph next end"),
        ("left\u202eright\u202c\u2066isolated\u2069\u200f", "left right isolated"),
        ("zero\u200bwidth\u200djoiner\ufefforder\u2060mark", "zero width joiner order mark"),
        ("soft\u00adhyphen \U000e0041tag", "soft hyphen tag"),
        ("surrogate \udce9 \ud83d", "surrogate ? ?"),
        ("private \ue000 and \U0010ffff nothing", "private and nothing"),
        ("", ""),
        ("\n", ""),
    ],
)
def test_text_is_fit_for_one_line_of_a_terminal(text: str, expected: str | None) -> None:
    assert clean(text) == (text if expected is None else expected)


@given(ANYTHING)
def test_whatever_comes_is_one_printable_line_of_utf_8(text: str) -> None:
    line = clean(text)

    assert line.isprintable()
    assert line == line.strip()
    assert len(line) <= MAX_LINE
    assert line.encode("utf-8").decode() == line
    assert not {unicodedata.category(letter) for letter in line} & {"Cc", "Cf", "Cs", "Co", "Zl"}
    assert clean(line) == line


@pytest.mark.parametrize("length", [MAX_LINE - 1, MAX_LINE])
def test_line_that_is_not_too_long_is_whole(length: int) -> None:
    assert clean("x y" * (length // 3) + "z" * (length % 3)).endswith(("y", "z"))
    assert len(clean("x" * length)) == length


@pytest.mark.parametrize("length", [MAX_LINE + 1, 10 * MAX_LINE, 1_000_000])
def test_essay_is_cut_and_shows_it(length: int) -> None:
    line = clean("x" * length)

    assert len(line) == MAX_LINE
    assert line.endswith("x...")


@pytest.mark.parametrize("secret", [SECRET, TOKEN, "123456"])
@pytest.mark.parametrize("text", ["{}", "the key {} is wrong", "a{0}b{0}c", "'{}'\n", "\x1b{}\x1b"])
def test_secret_is_never_shown(secret: str, text: str) -> None:
    line = clean(text.format(secret), [TOKEN, SECRET, "123456", "", "short"])

    assert secret not in line
    assert HIDDEN in line


def test_part_of_a_secret_is_not_shown_either() -> None:
    for cut in (TOKEN[:20], TOKEN[10:], TOKEN[:-5] + "%2F"):
        assert cut not in clean(f"the token {cut} is malformed", [TOKEN])
    # What is short gives nothing away, and is part of ordinary words.
    assert clean(f"near {SECRET[:5]}", [SECRET]) == f"near {SECRET[:5]}"
    assert clean("a role of the account", ["role"]) == "a role of the account"


def test_secret_within_a_secret_leaves_no_rest() -> None:
    line = clean(f"x {TOKEN}{SECRET} y", [SECRET, TOKEN + SECRET])

    assert not any(part in line for part in (TOKEN, SECRET, TOKEN[:8], SECRET[-8:]))


def test_secret_at_the_cut_is_not_shown() -> None:
    for start in range(MAX_LINE - len(SECRET) - 4, MAX_LINE + 2):
        line = clean("x" * start + SECRET + "y" * 100, [SECRET])
        assert not any(SECRET[i : i + 6] in line for i in range(len(SECRET) - 5)), start


def test_access_key_is_shown_by_its_end() -> None:
    assert masked("ASIAIOSFODNN7EXAMPLE") == "...MPLE"
    assert masked("short") == "..."
    assert masked("") == "..."


@pytest.mark.parametrize(
    ("error", "status", "cacheable"),
    [
        (errors.ProviderFailed, 1, True),
        (errors.ProviderUnavailable, 1, True),
        (errors.SourceRejected, 1, True),
        (errors.DeadlineExceeded, 1, True),
        (errors.CodeNotGiven, 1, False),
        (errors.RequestError, 2, False),
        (errors.UsageError, 2, False),
    ],
)
def test_status_and_memory_of_each_error(
    error: type[errors.CredprocError], status: int, cacheable: bool
) -> None:
    raised = error("words")

    assert (raised.status, raised.cacheable, str(raised)) == (status, cacheable, "words")


def test_certainty_is_the_exception() -> None:
    assert not errors.ProviderUnavailable("x").certain
    assert errors.ProviderUnavailable("x", certain=True).certain


def test_internal_error_is_shown_by_type_and_place_without_its_message() -> None:
    try:
        raise ValueError("canary")
    except ValueError as raised:
        said = errors.mistake(raised, "credprocctl")

    assert said.startswith("internal error in credprocctl: ValueError at test_errors.py:")
    assert said.endswith("; please report it with the output of -v")
    assert errors.mistake(KeyError("canary")).startswith("internal error in credproc: KeyError; ")
    assert result.words(ValueError("canary")).startswith("internal error in credproc: ValueError; ")
    assert "canary" not in said


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "there is not enough memory (see ulimit -v, or the container's limit)"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files (see ulimit -n)"),
        (
            ImportError("libssl.so.3: failed to map segment from shared object"),
            "or the library is on a file system that is mounted noexec",
        ),
    ],
)
def test_limit_that_was_reached_is_named(error: Exception, words: str) -> None:
    assert mistake(error).endswith(words)
    assert is_own(error)


def test_failure_is_a_runs_own_whatever_was_made_of_it() -> None:
    failure = ProviderFailed("cannot be run")
    failure.__context__ = BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
    assert is_own(failure)
    assert not is_own(ProviderFailed("no"))
    assert not is_own(FileNotFoundError(errno.ENOENT, "no"))
