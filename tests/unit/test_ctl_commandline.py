"""A credential_process line means the same with and without a shell, and shows no secret."""

from __future__ import annotations

import configparser
import re
import shlex
import subprocess

import pytest
from botocore.compat import compat_shell_split
from hypothesis import given, settings
from hypothesis import strategies as st

from credproc.ctl import commandline
from credproc.errors import RequestError

#: Everything that a config file can hold on one line; the first word is the path of a program.
WORD = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=12)
#: What readers of config files and of command lines look at, rather often.
HARD = st.text(st.sampled_from(" '\"\\$`!~*a/"), max_size=8)
WORDS = st.builds(
    lambda path, rest: [f"/{path}", *rest], WORD | HARD, st.lists(WORD | HARD, max_size=3)
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


def by_newer_go(line: str) -> str:
    """Return what the newer SDK for Go hands to a shell: a pair of quotes around all is taken."""
    pair = len(line) > 1 and line[0] == line[-1] and line[0] in "'\""
    return line[1:-1] if pair else line


def by_config_file(line: str) -> str:
    """Return what botocore finds in a file that has the line."""
    parser = configparser.RawConfigParser()
    parser.read_string(f"[profile app]\ncredential_process = {line}\nregion = x\n")
    return parser["profile app"]["credential_process"]


def by_shell(line: str) -> list[str]:
    """Return the words that a POSIX shell makes of a line."""
    script = f"set -- {line}\nfor word do printf '%s\\0' \"$word\"; done"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True)
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize("word", AWKWARD)
def test_word_reaches_the_program_with_a_shell_and_without(word: str) -> None:
    words = [f"/bin/{word}/credproc", "--x", word]
    line = commandline.join(words)

    assert compat_shell_split(line) == words
    assert by_shell(line) == words


@given(WORDS)
@settings(max_examples=300)
def test_line_is_split_into_its_words_or_refused(words: list[str]) -> None:
    try:
        line = commandline.join(words)
    except RequestError:
        assert any(re.search(r"\s[#;]", word) or not word.isprintable() for word in words)
        return

    assert shlex.split(line) == words
    assert compat_shell_split(by_config_file(line)) == words
    assert by_newer_go(by_config_file(line)) == by_config_file(line)
    assert not line.startswith(("'", '"'))


@given(WORDS)
@settings(max_examples=30)
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


def test_path_has_backslashes_and_no_quotes() -> None:
    path = '/it\'s "my" $tools/credproc'

    assert commandline.join([path]) == r"/it\'s\ \"my\"\ \$tools/credproc"
    assert commandline.join(["/é/x "]) == "/é/x' '"


@pytest.mark.parametrize("word", ["two\nlines", "\x1b[31m", "\x7f", "\u2028"])
def test_control_character_is_refused(word: str) -> None:
    with pytest.raises(RequestError, match="control character"):
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
        (["/x y/credproc", "--profile", "my lap"], r"/x\ y/credproc --profile 'my lap'"),
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
