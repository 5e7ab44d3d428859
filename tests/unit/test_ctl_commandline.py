"""A credential_process line means the same with and without a shell, and shows no secret."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest
from botocore.compat import compat_shell_split
from hypothesis import given, settings
from hypothesis import strategies as st

from credproc.ctl import commandline
from credproc.errors import RequestError

#: Everything that a config file can hold on one line.
WORDS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=12),
    min_size=1,
    max_size=4,
)

AWKWARD = [
    "plain",
    "",
    "with blank",
    "it's",
    'say "so"',
    "$HOME",
    "`id`",
    "back\\slash",
    "a!b",
    "~/bin/credproc",
    "#hash",
    ";semi",
    "*",
    "(x)",
    "a&&b",
    "%PATH%",
    '{"Version":"2012-10-17","Statement":[]}',
    "'\"$`\\",
    "é",
]


def by_shell(line: str) -> list[str]:
    """Return the words that a POSIX shell makes of a line."""
    script = f"set -- {line}\nfor word do printf '%s\\0' \"$word\"; done"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True)
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize("word", AWKWARD)
def test_word_reaches_the_program_with_a_shell_and_without(word: str) -> None:
    line = commandline.join(["/bin/credproc", "--x", word])

    assert compat_shell_split(line) == ["/bin/credproc", "--x", word]
    assert by_shell(line) == ["/bin/credproc", "--x", word]


@given(WORDS)
@settings(deadline=None, max_examples=300)
def test_line_is_split_into_its_words_or_refused(words: list[str]) -> None:
    try:
        line = commandline.join(words)
    except RequestError:
        assert any(re.search(r"\s[#;]", word) or not word.isprintable() for word in words)
        return

    assert shlex.split(line) == words
    assert compat_shell_split(line) == words


@given(WORDS)
@settings(deadline=None, max_examples=30)
def test_shell_splits_a_line_into_the_same_words(words: list[str]) -> None:
    try:
        line = commandline.join(words)
    except RequestError:
        return

    assert by_shell(line) == words


def test_plain_words_are_not_quoted() -> None:
    arn = "arn:aws:iam::123456789012:role/app"

    assert commandline.join(["/usr/bin/credproc", "--role-arn", arn]) == (
        f"/usr/bin/credproc --role-arn {arn}"
    )


def test_path_with_blanks_stands_in_single_quotes() -> None:
    assert commandline.join(["/my tools/credproc"]) == "'/my tools/credproc'"


@pytest.mark.parametrize("word", ["two\nlines", "\x1b[31m", "\x7f", "\u2028"])
def test_control_character_is_refused(word: str) -> None:
    with pytest.raises(RequestError, match="control characters"):
        commandline.join(["credproc", word])


@pytest.mark.parametrize("word", ["a #b", "a ;b"])
def test_what_some_sdks_take_for_a_comment_is_refused(word: str) -> None:
    with pytest.raises(RequestError, match="comment"):
        commandline.join(["credproc", "--external-id", word])


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("credproc", []),
        ("/usr/bin/credproc --imds app", ["--imds", "app"]),
        ("/home/ada/bin/credproc-fast --imds", ["--imds"]),
        ("env A=1 B='2 3' /usr/bin/credproc --imds", ["--imds"]),
        ("/usr/bin/env credproc", []),
        ("/venv/bin/python3.12 -m credproc --imds", ["--imds"]),
        ("/usr/bin/credprocctl cache", None),
        ("aws-vault exec app", None),
        ("env A=1", None),
        ("/usr/bin/mycredproc", None),
        ("python -m json.tool", None),
        ("", None),
    ],
)
def test_arguments_of_credproc_are_found(line: str, arguments: list[str] | None) -> None:
    assert commandline.credproc_arguments(commandline.split(line)) == arguments


def test_open_quotes_are_a_usage_error_that_shows_nothing_of_the_line() -> None:
    with pytest.raises(RequestError, match=r"no closing quotation") as caught:
        commandline.split("helper --password 'geheim")

    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["credproc", "--imds", "app"], "credproc --imds app"),
        (["credproc", "--external-id", "geheim", "--imds"], "credproc --external-id ... --imds"),
        (["credproc", "--external-id=geheim"], "credproc --external-id=..."),
        (["credproc", "--mfa-command", "oath geheim"], "credproc --mfa-command ..."),
        (["credproc", "--tag", "a=geheim", "--tag", "b=geheim"], "credproc --tag ... --tag ..."),
        (["credproc", "--policy", "geheim"], "credproc --policy ..."),
        (["/x y/credproc", "--profile", "my lap"], "'/x y/credproc' --profile 'my lap'"),
        (["helper", "--password", "geheim"], "helper ..."),
        (["helper"], "helper"),
        (["env", "TOKEN=geheim", "credproc", "--imds"], "env TOKEN=... credproc --imds"),
    ],
)
def test_discreet_values_are_not_shown(words: list[str], shown: str) -> None:
    assert commandline.shown(words) == shown
    assert "geheim" not in commandline.shown(words)


def test_word_that_cannot_be_written_is_shown_all_the_same() -> None:
    assert commandline.shown(["credproc", "--profile", "a\nb"]) == "credproc --profile 'a\nb'"
