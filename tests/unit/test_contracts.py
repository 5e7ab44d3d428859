"""What a hit decides without the libraries that decide it on a miss: both must agree."""

from __future__ import annotations

import os
import string

import platformdirs
import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from credproc import __main__ as command
from credproc import answer, cache, location, options
from credproc.errors import RequestError, TextRequested
from credproc.invocation import plain
from credproc.log import Log
from credproc.request import Request
from tests.harness import environment

#: Words that an operating system can hand over: bytes that are not UTF-8 are surrogates.
LETTERS = st.one_of(
    st.characters(codec="utf-8", exclude_characters="\0"),
    st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"]),
    st.sampled_from("-= '\"" + string.digits),
)
WORDS = st.sampled_from(
    [
        *(
            "--cache-dir",
            "--cache-dir=/a",
            "--cache-dir=",
            "/a",
            "/b",
            "--imds",
            "--imds=--cache-dir",
        ),
        *(
            "--profile",
            "--profile=p",
            "p",
            "--cache-dir=/a=b",
            "--timeout",
            "5",
            "--cache-dirs",
            "",
        ),
        *("--mfa-command", "--cache-dir /c", "--external-id=--cache-dir", "-v", "--refresh", "--"),
    ]
)


@settings(max_examples=500)
@given(st.lists(WORDS, max_size=6))
@example(["--cache-dir", "/a", "--cache-dir=/b"])
@example(["--mfa-command", "--cache-dir /c"])
def test_options_that_a_hit_reads_are_the_parser_s(argv: list[str]) -> None:
    try:
        parsed = options.parse(argv)
    except (RequestError, TextRequested):
        return  # it never gets an answer that could be printed
    assert answer.option(argv, "--cache-dir") == parsed.cache_dir
    assert float(answer.option(argv, "--timeout") or command.TIMEOUT) == parsed.timeout


@given(st.lists(st.lists(WORDS, max_size=4), min_size=2, max_size=2))
def test_different_arguments_have_different_keys(pair: list[list[str]]) -> None:
    one, two = ([word for word in argv if word not in answer.ONCE] for argv in pair)

    assert (answer.key(one, {}) == answer.key(two, {})) == (one == two)
    assert answer.words(answer.key(one, {"HOME": "/h"})) == one


# The cache directory.

FOLDERS = st.one_of(
    st.sampled_from(
        [
            *(
                "",
                " ",
                "/",
                "//",
                "///",
                "/home/u",
                "/home/u/",
                "/home/u//",
                "//home//u",
                "/home/u/..",
            ),
            *(
                " /x",
                "/x ",
                "/x\t",
                "\n/x",
                "/a b",
                "/\N{LATIN SMALL LETTER E WITH ACUTE}",
                "/\udce9",
                ".",
            ),
            *(
                "relative",
                "./x",
                "~",
                "~/c",
                "~root",
                "$HOME/x",
                "/$HOME",
                "C:\\x",
                "/x/credproc",
                "-",
            ),
        ]
    ),
    st.text(LETTERS, max_size=6).map("/".__add__),
    st.text(LETTERS, max_size=6),
)
ENVIRONS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("HOME", "XDG_CACHE_HOME", "CREDPROC_CACHE_DIR"), FOLDERS),
)


@settings(max_examples=1500)
@given(ENVIRONS, st.one_of(st.just(""), FOLDERS.map("/".__add__)))
def test_quick_rule_for_the_cache_directory_never_disagrees(
    environ: dict[str, str], chosen: str
) -> None:
    quick = cache.directory(environ, chosen)
    request = Request()
    request.cache_dir = chosen

    with environment(environ):
        if quick:
            explicit = chosen or environ.get("CREDPROC_CACHE_DIR")
            assert quick == (explicit or platformdirs.user_cache_dir("credproc", appauthor=False))
        used = location.directory(request, environ, Log("", float))
    event("quick" if quick else "declined" if used else "off")
    homeless = not os.path.isdir(environ.get("HOME", ""))
    assert used == quick or not quick or (homeless and not used)
    assert not used or os.path.isabs(used)


@pytest.mark.parametrize(
    ("environ", "chosen", "expected"),
    [
        ({"HOME": "/home/u"}, "", "/home/u/.cache/credproc"),
        ({"HOME": "/"}, "", "/.cache/credproc"),
        ({"HOME": "/home/u", "XDG_CACHE_HOME": "/var/c"}, "", "/var/c/credproc"),
        ({"HOME": "/home/u", "XDG_CACHE_HOME": ""}, "", "/home/u/.cache/credproc"),
        ({"HOME": "/home/u", "CREDPROC_CACHE_DIR": "/c"}, "", "/c"),
        ({"HOME": "/home/u", "CREDPROC_CACHE_DIR": "/c"}, "/d", "/d"),
        ({"CREDPROC_CACHE_DIR": "/c"}, "", "/c"),
        ({}, "/d", "/d"),
    ],
)
def test_ordinary_cache_directory_is_known_quickly(
    environ: dict[str, str], chosen: str, expected: str
) -> None:
    assert cache.directory(environ, chosen) == expected


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"HOME": ""},
        {"HOME": "relative"},
        {"HOME": "/home/u", "XDG_CACHE_HOME": "relative"},
        {"HOME": "/home/u", "XDG_CACHE_HOME": " /x"},
        {"HOME": "/home/u", "XDG_CACHE_HOME": "/x "},
        {"HOME": "/home/u", "CREDPROC_CACHE_DIR": "relative"},
        {"HOME": "/home/u", "CREDPROC_CACHE_DIR": " /x"},
        {"HOME": "/home/u", "ANDROID_DATA": "/data"},
    ],
    ids=str,
)
def test_cache_directory_that_needs_thought_is_declined(environ: dict[str, str]) -> None:
    assert cache.directory(environ) == ""


@pytest.mark.parametrize("environ", [{}, {"HOME": "relative"}], ids=str)
def test_without_a_home_the_cache_is_off(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", nobody)
    log = Log("", float)
    with environment(environ):
        assert location.directory(Request(), environ, log) == ""
    assert "cache: off" in log.latest


@pytest.mark.parametrize("argv", [[], ["--imds"]])
def test_command_line_without_a_parser_is_read_as_with_one(argv: list[str]) -> None:
    assert plain(argv) == options.parse(argv)
    assert plain([*argv, "app"]) is None
