"""The quick readers and the real ones: the quick may decline, and never answers differently."""

from __future__ import annotations

import os
import string
from typing import TYPE_CHECKING
from unittest import mock

import platformdirs
import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from credproc import cache, cli, options, request
from credproc.errors import RequestError
from credproc.log import Log
from credproc.request import Chain, Imds, Profile, Request

if TYPE_CHECKING:
    from collections.abc import Sequence

A = "arn:aws:iam::111122223333:role/a"
B = "arn:aws-us-gov:iam::444455556666:role/path/b"
NAMES = sorted(options.parser().options)

#: Values that each option takes.
GOOD = {
    "--imds": ["app", "a.b_c+=,@-d", "r" * 64],
    "--profile": ["laptop", "with blank", "a=b", "\N{LATIN SMALL LETTER E WITH ACUTE}"],
    "--role-arn": [A, B],
    "--source": ["env", "imds", "imds:app", "container", "web-identity", "profile:laptop"],
    "--role-session-name": ["me", "me@example.com"],
    "--external-id": ["42", "a:b/c=d"],
    "--duration-seconds": ["900", "00900", "3600", "43200"],
    "--policy": ["{}", '{"Version": "2012-10-17"}'],
    "--policy-arn": ["arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::aws:policy/Other"],
    "--tag": ["team=blue", "empty=", "a=b=c", "\N{CYRILLIC SMALL LETTER ZHE}=1"],
    "--transitive-tag-key": ["team", "Cost Center"],
    "--source-identity": ["alice", "bob"],
    "--serial-number": ["arn:aws:iam::111122223333:mfa/me", "GAHT12345678"],
    "--sts-region": ["eu-central-1", "us-gov-west-1"],
    "--format": ["env", "process"],
    "--field": ["AccessKeyId"],
    "--mfa-command": ["oathtool --totp -b x", "/bin/code"],
    "--cache-dir": ["/var/cache/a", "/"],
    "--timeout": ["1", "5", "0045", "3600", "1.5"],
}
QUICK = sorted(set(GOOD) - {"--policy", "--format", "--field", "--source"})
#: And values that no option, or not every reader, may like.
ODD = [
    *(
        "",
        " ",
        "-",
        "--",
        "---",
        "-1",
        "-1.5",
        "-1 a",
        "-v",
        "--imds",
        "--imds=x",
        "=",
        "==",
        "a=b",
    ),
    *(
        "0",
        "00",
        "899",
        "43201",
        "+900",
        "9_00",
        "9e2",
        "1e1",
        "nan",
        "0x384",
        "0.5",
        "3601",
        "9999",
    ),
    *("\N{ARABIC-INDIC DIGIT NINE}00", "\N{SUPERSCRIPT TWO}", "9" * 5000, "x" * 3000),
    *(
        "\t",
        "a\nb",
        "\x1b[31m",
        "\N{NO-BREAK SPACE}",
        "\N{RIGHT-TO-LEFT OVERRIDE}x",
        "\udce9",
        "'x",
    ),
    *("file:///dev/null", "@/etc/passwd", "~", "relative/path", "profile:", "env:x", "imds:", "*"),
    *('"x"', "\\", "a'b", "x y", "app extra", "process", "default", "1", "\u200b"),
]
#: Words that an operating system can hand over: bytes that are no UTF-8 are surrogates.
LETTERS = st.one_of(
    st.characters(codec="utf-8", exclude_characters="\0"),
    st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"]),
    st.sampled_from("-= '\"" + string.digits),
)
TEXT = st.one_of(st.sampled_from(ODD), st.text(LETTERS, max_size=8))


@st.composite
def good_option(draw: st.DrawFn, names: list[str]) -> list[str]:
    """Draw one of these options with a value that it takes, in either form."""
    name = draw(st.sampled_from(names))
    value = draw(st.sampled_from(GOOD[name]))
    return [f"{name}={value}"] if draw(st.booleans()) else [name, value]


@st.composite
def odd_option(draw: st.DrawFn) -> list[str]:
    """Draw an option, or nearly one, with any value or none."""
    name = draw(st.sampled_from(NAMES))
    name = draw(
        st.sampled_from(
            [
                *[name] * 6,
                name[: draw(st.integers(1, len(name)))],
                name.replace("-", "_"),
                "--" + name[2:].replace("-", "_"),
                name.upper(),
                name + " ",
                name[1:],
                "-" + name,
            ]
        )
    )
    value = draw(
        st.one_of(TEXT, st.sampled_from([each for values in GOOD.values() for each in values]))
    )
    return draw(st.sampled_from([[f"{name}={value}"], [name, value], [name], [value]]))


CHAIN = st.sampled_from(
    [
        ["--role-arn", A, "--source", "env"],
        [f"--source={GOOD['--source'][-1]}", "--role-arn", A],
        ["--role-arn", A, "--role-arn", B, "--source=imds"],
        ["--role-arn", A],
        ["--imds"],
        [],
    ]
)
#: Mostly what is written in earnest, with a flaw somewhere or none.
PARTS = st.one_of(
    st.lists(good_option(QUICK), max_size=5),
    st.lists(st.one_of(good_option(QUICK), good_option(QUICK), odd_option()), max_size=5),
    st.lists(st.one_of(good_option(sorted(GOOD)), odd_option()), max_size=7),
)
ARGV = st.builds(
    lambda head, parts, tail: head + [word for part in parts for word in part] + tail,
    st.one_of(CHAIN, CHAIN, st.just([])),
    PARTS,
    st.one_of(CHAIN, st.just([])),
)


def written(asked: Request) -> list[str]:
    """Return the providers of a request as a command line that says nothing else."""
    words: list[str] = []
    for provider in asked.providers:
        if isinstance(provider, Imds):
            words.append(f"--imds={provider.role}" if provider.role else "--imds")
        elif isinstance(provider, Profile):
            words.append(f"--profile={provider.name}")
        else:
            words += _written(provider)
    return words


def _written(chain: Chain) -> list[str]:
    words = [f"--source={chain.source}"] if chain.source else []
    for hop in chain.hops:
        for name, value in vars(hop).items():
            option = "--" + name.replace("_", "-")
            values = value if isinstance(value, list) else [value] * bool(value)
            words += [f"{option}={each}" for each in values]
    return words


def may_be_held(asked: Request) -> bool:
    """Whether some command line gets an entry that would answer this request.

    Entries are kept for the providers alone, so the plainest command line with the same providers
    is the one to ask.
    """
    try:
        return options.parse(written(asked)).providers == asked.providers
    except RequestError:
        return False


def check_argv(argv: Sequence[str]) -> str:
    """Compare the two readers of a command line; return which of the permitted cases it was."""
    quick = request.read(argv)
    if quick is None:
        return "declined"
    try:
        full = options.parse(argv)
    except RequestError:
        assert not may_be_held(quick), f"{argv} is refused, and could be answered from the cache"
        return "refused, and answered by no entry"
    assert vars(quick) == vars(full)
    assert may_be_held(quick)
    return "read alike"


@settings(max_examples=500, deadline=None)
@given(ARGV)
@example(["--duration-seconds", "0"])
def test_quick_reader_of_the_command_line_never_disagrees(argv: list[str]) -> None:
    event(check_argv(argv))


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--imds"],
        ["--imds", "app"],
        ["--imds=app", "--profile", "laptop"],
        ["--imds", "--role-arn", A, "--source", "profile:laptop", "--timeout", "5"],
        [
            "--source=web-identity",
            f"--role-arn={A}",
            "--external-id=42",
            "--tag",
            "a=b",
            "--tag=c=",
        ],
        ["--role-arn", A, "--duration-seconds", "900", "--role-arn", B, "--source", "imds"],
        ["--profile", "p", "--mfa-command", "oathtool --totp -b x", "--cache-dir", "/tmp/c"],
    ],
)
def test_ordinary_command_line_is_read_quickly(argv: list[str]) -> None:
    assert check_argv(argv) == "read alike"


#: What argparse reads in a way of its own, what belongs to nobody, and what was once misread.
DECLINED = [
    *(["--imds", ""], ["--imds="], ["--imds", "app", "extra"], ["--imds", "--", "app"], ["--"]),
    *(["--imds=--"], ["--imds=-5"], ["--imds", "-5"], ["--profile", "--imds"], ["--profile=-x"]),
    *(["--profil", "x"], ["--PROFILE", "x"], ["-profile", "x"], ["---profile", "x"], ["app"]),
    *(
        ["--role-arn", A, "--source", "env", "--source", "env"],
        ["--external-id", "x"],
        ["--tag=a=b"],
    ),
    ["--external-id", "x", "--role-arn", A, "--source", "env"],
    ["--role-arn", A, "--external_id", "42", "--source", "env"],
    ["--role-arn", A, "--source", "env", "--external-id", "a", "--external-id", "b"],
    ["--role-arn", A, "--source", "env", "--duration-seconds", "0"],
    ["--role-arn", A, "--source", "env", "--duration-seconds", "9" * 5000],
    ["--role-arn", A, "--source", "env", "--duration-seconds", "\N{ARABIC-INDIC DIGIT NINE}00"],
    *(
        ["--role-arn", A, "--source", "env", "--policy", value]
        for value in ("{}", '{"Action": "s3:GetObject", "Action": "*"}', '{"a": NaN}')
    ),
    ["--role-arn", A, "--source", "env", "--hops", "x"],
    *(
        ["--mfa-command", " "],
        ["--mfa-command", "a 'b"],
        ["--mfa-command", "a \\"],
        ["--mfa-command"],
    ),
    *(["--timeout", "0"], ["--timeout", "3601"], ["--timeout", "1.5"], ["--timeout", "\u0665"]),
    *(["--cache-dir", "x"], ["--cache-dir", "~/x"], ["--cache-dir="], ["--profile", "\udce9"]),
    *([name] for name in NAMES if name not in GOOD),
    *([name, "--imds"] for name in NAMES if name not in GOOD),
    *([name, GOOD[name][0]] for name in ("--format", "--field")),
]


@pytest.mark.parametrize(
    "argv", DECLINED, ids=lambda argv: " ".join(argv)[:40].encode("ascii", "replace").decode()
)
def test_what_needs_thought_is_declined(argv: list[str]) -> None:
    assert request.read(argv) is None


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


@settings(max_examples=1500, deadline=None)
@given(ENVIRONS, st.one_of(st.just(""), FOLDERS.map("/".__add__)))
def test_quick_rule_for_the_cache_directory_never_disagrees(
    environ: dict[str, str], chosen: str
) -> None:
    quick = cache.directory(environ, chosen)
    asked = Request()
    asked.cache_dir = chosen

    with mock.patch.dict(os.environ, environ, clear=True):
        if quick:
            explicit = chosen or environ.get("CREDPROC_CACHE_DIR")
            assert quick == (explicit or platformdirs.user_cache_dir("credproc", appauthor=False))
        used = cli.directory(asked, environ, Log("", float))
    event("quick" if quick else "declined" if used else "off")
    assert used == quick or not quick
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
    with mock.patch.dict(os.environ, environ, clear=True):
        assert cli.directory(Request(), environ, log) == ""
    assert "cache: off" in log.latest
