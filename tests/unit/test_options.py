"""The command line: what binds to what, what is refused before anything happens, and the manual."""

from __future__ import annotations

import json
import os
import re
import shlex
from typing import TYPE_CHECKING

import pytest

from credproc import __version__, helptext, limits, options
from credproc.errors import RequestError, TextRequested, UsageError
from credproc.hop import OPTIONS, Hop
from credproc.request import Chain, Imds, Profile

if TYPE_CHECKING:
    from pathlib import Path

A = "arn:aws:iam::111122223333:role/a"
B = "arn:aws:iam::444455556666:role/path/b"
CHAIN = ["--role-arn", A, "--source", "env"]
SECRET = "geheim42/wJalrXUtnFEMI"

#: Each hop option with two values that it takes.
HOP_VALUES = {
    "--role-session-name": ("one", "two@example.com"),
    "--external-id": ("first:id", "second/id"),
    "--duration-seconds": ("900", "43200"),
    "--policy": ('{"Version":"1"}', '{"Version":"2"}'),
    "--policy-arn": (
        "arn:aws:iam::aws:policy/ReadOnlyAccess",
        "arn:aws-cn:iam::123456789012:policy/x/y",
    ),
    "--tag": ("team=blue", "Cost Center="),
    "--transitive-tag-key": ("team", "Cost Center"),
    "--source-identity": ("alice", "alice"),
    "--serial-number": ("arn:aws:iam::111122223333:mfa/me", "GAHT12345678"),
    "--sts-region": ("eu-central-1", "us-gov-west-1"),
}


def refused(*argv: str) -> str:
    """Return the words with which a command line is refused."""
    with pytest.raises(RequestError) as caught:
        options.parse(argv)
    assert caught.value.status == 2
    return str(caught.value)


def hops(*argv: str) -> list[Hop]:
    """Return the hops of the one chain that a command line asks for."""
    (chain,) = options.parse(argv).providers
    assert isinstance(chain, Chain)
    return chain.hops


def printed(text: str) -> str:
    """Return what is printed instead of credentials."""
    with pytest.raises(TextRequested) as caught:
        options.parse([text])
    return str(caught.value)


# What binds to what.


def test_table_above_names_every_hop_option() -> None:
    assert set(HOP_VALUES) == {option.name for option in OPTIONS}


@pytest.mark.parametrize("option", HOP_VALUES)
@pytest.mark.parametrize("style", ["apart", "together"])
def test_hop_option_belongs_to_the_role_before_it(option: str, style: str) -> None:
    one, two = HOP_VALUES[option]
    words = [[f"{option}={one}"], [f"{option}={two}"]]
    if style == "apart":
        words = [[option, one], [option, two]]
    first, second = hops("--role-arn", A, *words[0], "--source", "env", "--role-arn", B, *words[1])

    expected = Hop(A), Hop(B)
    for hop, value in zip(expected, (one, two), strict=True):
        assert not hop.set(next(each for each in OPTIONS if each.name == option), value)
    assert (first, second) == expected


def test_hop_option_of_the_last_role_is_not_the_first_ones() -> None:
    first, second = hops("--role-arn", A, "--role-arn", B, "--external-id", "42", "--source", "env")

    assert (first.external_id, second.external_id) == ("", "42")


@pytest.mark.parametrize("option", HOP_VALUES)
def test_hop_option_without_a_role_before_it_is_refused(option: str) -> None:
    said = refused("--source", "env", option, HOP_VALUES[option][0], "--role-arn", A)

    assert said == f"{option}: must come after the --role-arn that it applies to"


@pytest.mark.parametrize(
    "option", [each.name for each in OPTIONS if each.most == 1]
)  # fmt: skip
def test_hop_option_that_holds_one_value_is_not_given_twice(option: str) -> None:
    value = HOP_VALUES[option][0]
    said = refused(*CHAIN, option, value, option, value)

    assert said == f"{option}: given twice for the same --role-arn"


def test_list_options_collect_in_order() -> None:
    (hop,) = hops(*CHAIN, "--tag", "b=2", "--tag", "a=1", "--transitive-tag-key", "a",
                  "--policy-arn", "arn:aws:iam::aws:policy/B", "--policy-arn",
                  "arn:aws:iam::aws:policy/A", "--transitive-tag-key", "b")  # fmt: skip

    assert hop.tag == ["b=2", "a=1"]
    assert hop.transitive_tag_key == ["a", "b"]
    assert hop.policy_arn == ["arn:aws:iam::aws:policy/B", "arn:aws:iam::aws:policy/A"]


def test_providers_are_tried_in_the_order_written() -> None:
    request = options.parse(["--profile", "p", "--imds", "app", *CHAIN, "--imds"])

    kinds = [type(provider) for provider in request.providers]
    assert kinds == [Profile, Imds, Chain, Imds]
    assert request.providers[1] == Imds("app")


def test_chain_has_the_place_of_its_first_option() -> None:
    request = options.parse(["--source", "env", "--imds", "--role-arn", A])

    assert [type(provider) for provider in request.providers] == [Chain, Imds]


def test_nothing_written_means_the_instance_role() -> None:
    assert options.parse([]) == options.parse(["--imds"])
    assert options.parse([]).providers == [Imds()]


def test_run_options_are_read() -> None:
    request = options.parse(
        ["--format=fish", "--refresh", "--cache-dir", "/c", "--timeout", "2.5", "-v",
         "--mfa-command", "oathtool 'a b'"]
    )  # fmt: skip

    assert (request.format, request.refresh, request.no_cache) == ("fish", True, False)
    assert (request.cache_dir, request.timeout, request.verbose) == ("/c", 2.5, True)
    assert request.mfa_command == "oathtool 'a b'"


# What is refused, in words that say which option, what is wrong and what is allowed.

REFUSED = [
    (["--imds", "a/b"], "--imds", "1 to 64 characters of A-Z a-z 0-9 _ + = , . @ -"),
    (["--imds", "r" * 65], "--imds", "1 to 64 characters"),
    (["--imds", ""], "--imds", "ROLE is empty"),
    (["--imds="], "--imds", "ROLE is empty"),
    (["--profile", ""], "--profile", "must be a profile name"),
    (["--profile", "a]b"], "--profile", "must be a profile name"),
    (["--role-arn", "app"], "--role-arn", "like arn:aws:iam::123456789012:role/NAME"),
    (["--role-arn", A + "\n"], "--role-arn", "must be a role's ARN"),
    (["--role-arn", A + "x" * 2048], "--role-arn", "must be a role's ARN"),
    (["--role-arn", A], "--role-arn", "needs --source, one of env, profile:NAME, imds, imds:ROLE"),
    (["--source", "env"], "--source", "needs at least one --role-arn"),
    (["--role-arn", A, "--source", "ec2"], "--source", "must be one of env, profile:NAME, imds"),
    (["--role-arn", A, "--source", "laptop"], "--source", "did you mean profile:laptop?"),
    (["--role-arn", A, "--source", "ec2"], "--source", "did you mean imds?"),
    (["--role-arn", A, "--source", "Ec2InstanceMetadata"], "--source", "did you mean imds?"),
    (["--role-arn", A, "--source", "EcsContainer"], "--source", "did you mean container?"),
    (["--role-arn", A, "--source", "Environment"], "--source", "did you mean env?"),
    (["--role-arn", A, "--source", "WEB_IDENTITY"], "--source", "did you mean web-identity?"),
    (["--role-arn", A, "--source", "profile:"], "--source", "must be one of env, profile:NAME"),
    (["--role-arn", A, "--source", "imds:a b"], "--source", "must be one of env, profile:NAME"),
    ([*CHAIN, "--source", "imds"], "--source", "given twice"),
    ([*CHAIN, "--role-session-name", "x"], "--role-session-name", "2 to 64 characters"),
    ([*CHAIN, "--role-session-name", "a b"], "--role-session-name", "A-Z a-z 0-9 _ + = , . @ -"),
    ([*CHAIN, "--external-id", "x"], "--external-id", "2 to 1224 characters"),
    ([*CHAIN, "--external-id", "x" * 1225], "--external-id", "2 to 1224 characters"),
    ([*CHAIN, "--duration-seconds", "899"], "--duration-seconds", "900 to 43200"),
    ([*CHAIN, "--duration-seconds", "43201"], "--duration-seconds", "900 to 43200"),
    ([*CHAIN, "--duration-seconds", "1h"], "--duration-seconds", "whole number of seconds"),
    ([*CHAIN, "--duration-seconds", "\N{ARABIC-INDIC DIGIT NINE}00"], "--duration-seconds", "900"),
    ([*CHAIN, "--policy", "{"], "--policy", "must be JSON or file://PATH"),
    ([*CHAIN, "--policy", "[]"], "--policy", "must be a JSON object"),
    ([*CHAIN, "--policy", "[" * 100_000], "--policy", "nested too deeply"),
    ([*CHAIN, "--policy", '{"a": 1, "b": 2, "a": 1}'], "--policy", "duplicate key 'a'"),
    ([*CHAIN, "--policy", '{"a": [{"b": 1, "\\u0062": 2}]}'], "--policy", "duplicate key 'b'"),
    ([*CHAIN, "--policy", '{"\\n": 1, "\\u000a": 2}'], "--policy", r"duplicate key '\n'"),
    *(
        ([*CHAIN, "--policy", f'{{"a": [{number}]}}'], "--policy", "NaN, infinite or too long")
        for number in ("NaN", "Infinity", "-Infinity", "1e999", "9" * 5000)
    ),
    ([*CHAIN, "--policy", json.dumps({"a": "x" * 2048})], "--policy", "at most 2048 characters"),
    ([*CHAIN, "--policy", '{"a": "\u2022"}'], "--policy", "U+0020 to U+00FF"),
    ([*CHAIN, "--policy-arn", A], "--policy-arn", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
    ([*CHAIN, *["--policy-arn", "arn:aws:iam::aws:policy/A"] * 11], "--policy-arn", "at most 10"),
    ([*CHAIN, "--tag", "x"], "--tag", "must be KEY=VALUE"),
    ([*CHAIN, "--tag", "=x"], "--tag", "key must be 1 to 128"),
    ([*CHAIN, "--tag", "k=" + "v" * 257], "--tag", "at most 256"),
    ([*CHAIN, "--tag", "k=a", "--tag", "K=b"], "--tag", "duplicate key"),
    ([*CHAIN, *[f"--tag=k{n}=" for n in range(51)]], "--tag", "at most 50"),
    ([*CHAIN, "--transitive-tag-key", "a;b"], "--transitive-tag-key", "1 to 128 letters"),
    ([*CHAIN, "--source-identity", "x"], "--source-identity", "2 to 256 characters"),
    (
        [*CHAIN, "--role-arn", B, "--source-identity", "me"],
        "--source-identity",
        "must follow the first --role-arn",
    ),
    (
        [*CHAIN, "--transitive-tag-key", "t", "--role-arn", B, "--tag", "T=2"],
        "--tag",
        "made transitive by role 1",
    ),
    ([*CHAIN, "--serial-number", "123"], "--serial-number", "9 to 256 characters"),
    ([*CHAIN, "--sts-region", "Frankfurt!"], "--sts-region", "like eu-central-1"),
    ([*CHAIN, "--sts-region", "evil.example.com"], "--sts-region", "like eu-central-1"),
    (
        ["--format", "json"],
        "--format",
        "process, env, env-no-export, powershell, windows-cmd, fish",
    ),
    (
        ["--field", "Token"],
        "--field",
        "AccessKeyId, SecretAccessKey, SessionToken, Expiration, Acc",
    ),
    (["--field", "Expiration", "--format", "env"], "--field and --format", "cannot be combined"),
    (["--refresh", "--no-cache"], "--refresh and --no-cache", "cannot be combined"),
    (["--cache-dir", "~/cache"], "--cache-dir", "must be an absolute path"),
    (["--timeout", "0"], "--timeout", "from 1 to 3600"),
    (["--timeout", "3601"], "--timeout", "from 1 to 3600"),
    (["--timeout", "nan"], "--timeout", "from 1 to 3600"),
    (["--timeout", "1e2"], "--timeout", "from 1 to 3600"),
    (["--mfa-command", " "], "--mfa-command", "the command is empty"),
    (["--mfa-command", "oathtool 'x"], "--mfa-command", "no closing quotation"),
    (["--imds", "--imds"], "--imds", "the same provider is given twice"),
    (["--imds", "--profile"], "--profile", "the value is missing"),
    (["--external-id"], "--external-id", "the value is missing"),
    ([*CHAIN, "--external-id", "-x"], "--external-id", "needs the form OPTION=VALUE"),
    (["--refresh=now"], "--refresh", "takes no value"),
    (["--versoin"], "unknown option --versoin", "did you mean --version?"),
    (["--region", "x"], "unknown option --region", ""),
    (["--role", A], "unknown option --role", "--role-arn"),
    (["-x"], "unknown option -x", ""),
    (["app"], "unexpected argument", "put a value with spaces in quotes"),
]


@pytest.mark.parametrize(("argv", "option", "allowed"), REFUSED)
def test_refusal_says_which_option_and_what_is_allowed(
    argv: list[str], option: str, allowed: str
) -> None:
    said = refused(*argv)

    assert said.startswith((f"{option}: ", option))
    assert allowed in said
    assert len(said) < 300
    assert said.isprintable()


ALLOWED = [
    ["--role-arn", "arn:aws-us-gov:iam::123456789012:role/a/b/c", "--source", "web-identity"],
    ["--imds", "r" * 64],
    ["--profile", "with blank"],
    [*CHAIN, "--external-id", "x" * 1224],
    [*CHAIN, "--external-id=-x"],
    [*CHAIN, "--role-session-name", "x" * 64],
    [*CHAIN, "--policy", json.dumps({"a": "x" * 2040})],
    [*CHAIN, "--policy", json.dumps({"a": "x" * 2000}, indent=50)],
    [*CHAIN, "--tag", "k=" + "v" * 256, "--tag", "ключ=значение"],
    [*CHAIN, *[f"--tag=k{n}=" for n in range(50)]],
    [*CHAIN, *["--policy-arn", "arn:aws:iam::aws:policy/A"] * 10],
    [*CHAIN, "--source-identity", "me", "--role-arn", B, "--source-identity", "me"],
    ["--timeout", "1"],
    ["--timeout", "3600"],
]


@pytest.mark.parametrize("argv", ALLOWED)
def test_limits_are_no_narrower_than_the_api(argv: list[str]) -> None:
    options.parse(argv)


@pytest.mark.parametrize(
    "argv",
    [
        [*CHAIN, "--external-id", SECRET + "*"],
        [*CHAIN, "--external-id", SECRET + "x" * 2000],
        [*CHAIN, "--policy", f'{{"Condition": "{SECRET}"'],
        [*CHAIN, "--policy", f'"{SECRET}"'],
        [*CHAIN, "--policy", f'{{"a": "{SECRET}", "a": "{SECRET}"}}'],
        [*CHAIN, "--policy", f'{{"{SECRET * 2}": 1, "{SECRET * 2}": 2}}'],
        [*CHAIN, "--tag", SECRET],
        [*CHAIN, "--tag", f"key={SECRET}*"],
        [*CHAIN, "--tag", f"{SECRET}*=value"],
        [*CHAIN, "--external-id", "42", SECRET],
        ["--mfa-command", f"oathtool '{SECRET}"],
        ["--refresh=" + SECRET],
        ["-v" + SECRET],
        ["-" + SECRET],
        ["--" + SECRET],
        ["--extrenal-id=" + SECRET],
        ["--version=" + SECRET],
        ["--field", SECRET + SECRET],
        [*CHAIN, "--sts-region", SECRET + SECRET],
        [*CHAIN, "--serial-number", SECRET + " " + SECRET],
    ],
)
def test_what_may_be_a_secret_is_not_echoed(argv: list[str]) -> None:
    said = refused(*argv)

    assert not any(SECRET[start : start + 8] in said for start in range(len(SECRET) - 7)), said


def test_short_value_that_is_not_secret_is_shown() -> None:
    assert refused("--timeout", "5m").endswith("to 3600, not '5m'")
    assert refused("--role-arn", A[:19]).endswith(f", not '{A[:19]}'")


# Policies.


def policy(value: str) -> str:
    """Return the policy as it is sent."""
    (hop,) = hops(*CHAIN, "--policy", value)
    return hop.policy


def test_policy_is_sent_without_blanks() -> None:
    assert policy('{ "a" : [1,\n 2], "b": "x  y \xfc" }') == '{"a":[1,2],"b":"x  y \xfc"}'


def test_policy_may_have_a_key_in_several_objects() -> None:
    assert policy('{"a": {"a": 1}, "b": [{"a": 1}, {"a": 1}]}').count('"a"') == 4


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_policy_is_read_from_a_file(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "policy.json"
    path.write_text('{\n  "a": "\xfc"\n}\n', encoding=encoding)

    assert policy(f"file://{path}") == '{"a":"\xfc"}'


def test_policy_file_may_be_named_from_here_or_from_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "policy.json").write_text("{}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    assert policy("file://policy.json") == policy("file://~/policy.json") == "{}"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff\xfe{\0}\0", "cannot be read: not UTF-8"),
        (b"", "must be JSON or file://PATH"),
        (b"{} " * 30_000, "is longer than 65536 bytes"),
    ],
)
def test_invalid_policy_file_is_refused(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "policy.json"
    if content is not None:
        path.write_bytes(content)

    assert reason in refused(*CHAIN, "--policy", f"file://{path}")


@pytest.mark.parametrize("kind", ["fifo", "directory", "device"])
def test_policy_file_that_may_never_end_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    path = str(tmp_path / "policy")
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        os.mkdir(path)
    else:
        path = "/dev/zero"

    assert re.search(
        "is not a regular file|Is a directory", refused(*CHAIN, f"--policy=file://{path}")
    )


# The manual.


def test_version_is_one_line() -> None:
    assert printed("--version") == f"credproc {__version__}\n"


@pytest.mark.parametrize("columns", ["20", "80", "200"])
def test_help_fits_a_terminal_of_80_columns(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    normal = printed("--help")
    monkeypatch.setenv("COLUMNS", columns)

    assert printed("-h") == normal
    assert max(map(len, normal.splitlines())) < 80
    assert normal.isascii()


def test_help_names_every_option_and_choice() -> None:
    words = set(re.findall(r"[\w:-]+", printed("--help")))

    assert words >= set(options.parser().options)
    assert words >= {*limits.FORMATS, *limits.FIELDS}
    assert words >= {"env", "profile:NAME", "imds:ROLE", "container", "web-identity"}


def examples() -> list[list[str]]:
    """Return the command lines that the manual shows."""
    text = re.sub(r"\n {6,}--", " --", helptext.EPILOG)
    found = re.findall(r"^.*[ (/]credproc((?: --.*?)?)(?:\).*)?\"?$", text, re.MULTILINE)
    return [shlex.split(line) for line in found]


def test_examples_of_the_manual_are_correct() -> None:
    found = [options.parse(argv) for argv in examples()]

    assert len(found) == 6
    assert [len(request.providers) for request in found] == [1, 2, 1, 1, 1, 1]
    assert {request.format for request in found} == {"process", "env"}


def test_usage_errors_are_told_from_others() -> None:
    with pytest.raises(UsageError):
        options.parse(["--format", "xml"])


def test_complaint_that_is_new_to_us_is_passed_on() -> None:
    with pytest.raises(UsageError, match=r"^--imds: is not wanted today$"):
        options.parser().error("argument --imds: is not wanted today")
