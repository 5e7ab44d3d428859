"""The request: what the quick reader makes of a command line, and where the config files are."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from unittest import mock

import botocore.configloader
import botocore.session
import pytest
from botocore.exceptions import ConfigNotFound
from hypothesis import given, settings
from hypothesis import strategies as st

from credproc import limits, request
from credproc.request import Chain, Hop, Imds, Profile, Request, Value

if TYPE_CHECKING:
    from pathlib import Path

A = "arn:aws:iam::111122223333:role/a"
B = "arn:aws:iam::444455556666:role/b"


def read(*argv: str) -> Request:
    """Return what the quick reader makes of a command line, which it must not decline."""
    asked = request.read(argv)
    assert asked is not None, argv
    return asked


# Reading.


def test_no_words_mean_the_instance_role_and_defaults() -> None:
    asked = read()

    assert asked.providers == [Imds()]
    assert vars(asked) == {
        "providers": [Imds()],
        "format": "process",
        "field": "",
        "mfa_command": "",
        "refresh": False,
        "no_cache": False,
        "cache_dir": "",
        "timeout": 45.0,
        "verbose": False,
    }


def test_providers_stand_in_the_order_written() -> None:
    asked = read("--profile", "a", "--imds", "--role-arn", A, "--imds=app", "--source=env")

    kinds = [type(provider) for provider in asked.providers]
    assert kinds == [Profile, Imds, Chain, Imds]
    assert asked.providers[3] == Imds("app")


def test_options_of_a_hop_belong_to_the_role_before_them() -> None:
    asked = read(
        *("--role-arn", A, "--external-id", "1", "--tag", "a=1", "--tag=b=2", "--source", "env"),
        *("--role-arn", B, "--duration-seconds", "900", "--sts-region", "eu-central-1"),
    )
    (chain,) = asked.providers
    assert isinstance(chain, Chain)
    one, two = chain.hops

    assert (one.role_arn, one.external_id, one.tag, one.duration_seconds) == (
        A,
        "1",
        ["a=1", "b=2"],
        0,
    )
    assert (two.role_arn, two.external_id, two.tag, two.duration_seconds) == (B, "", [], 900)
    assert (one.sts_region, two.sts_region, chain.source) == ("", "eu-central-1", "env")


def test_options_of_the_run_are_read() -> None:
    asked = read("--timeout=5", "--cache-dir", "/tmp/c", "--mfa-command", "oathtool -b x")

    assert (asked.timeout, asked.cache_dir, asked.mfa_command) == (5.0, "/tmp/c", "oathtool -b x")
    assert isinstance(asked.timeout, float)


def test_reader_leaves_the_words_alone() -> None:
    words = ["--imds", "app", "--timeout", "5"]
    read(*words)

    assert words == ["--imds", "app", "--timeout", "5"]


@pytest.mark.parametrize("option", sorted(set(limits.HOP_CHECKS) - {"--policy"}))
def test_every_option_of_a_hop_is_read_quickly(option: str) -> None:
    value = "900" if option == "--duration-seconds" else "value"
    (chain,) = read("--role-arn", A, option, value, "--source", "env").providers
    assert isinstance(chain, Chain)

    held = vars(chain.hops[0])[option[2:].replace("-", "_")]
    assert held in (value, [value], 900)


# Values.


def test_values_are_equal_when_their_fields_are() -> None:
    assert Imds("a") == Imds("a")
    assert Imds("a") != Imds("b")
    assert Imds("a") != Profile("a")
    assert Hop(A) == Hop(A)
    assert Hop(A) != Hop(B)
    assert read("--imds") == read()
    assert read("--imds") != read("--imds", "--timeout", "5")


@pytest.mark.parametrize("value", [Imds("app"), Profile("secret"), Hop(A), Chain(), Request()])
def test_value_shows_nothing_and_is_no_key(value: Value) -> None:
    assert repr(value) == f"<{type(value).__name__}>"
    with pytest.raises(TypeError):
        hash(value)


@pytest.mark.parametrize(
    "option",
    [
        *("--role-arn", "--imds", "--hops", "--role_session_name", "role-session-name", "xxtag"),
        *("", "tag", "-tag", "--", "--__class__", "--set", "--identity"),
    ],
)
def test_hop_takes_its_own_options_only(option: str) -> None:
    hop = Hop(A)

    assert hop.set(option, "x") == "is no option of a --role-arn"
    assert hop == Hop(A)


def test_hop_takes_a_value_once_and_a_list_s_values_all() -> None:
    hop = Hop(A)

    assert hop.set("--external-id", "1") == hop.set("--tag", "a=1") == hop.set("--tag", "b=2") == ""
    assert hop.set("--external-id", "2") == "is given twice for the same --role-arn"
    assert (hop.external_id, hop.tag) == ("1", ["a=1", "b=2"])


# Where the config files are.

PATHS = st.one_of(
    st.sampled_from(
        [
            *(
                "",
                "/x/config",
                "x",
                "./x",
                "../x",
                "~",
                "~/",
                "~/x",
                "~//x",
                "~nobody-by-that-name/x",
            ),
            *(
                "$HOME/x",
                "${HOME}/x",
                "$UNSET/x",
                "$",
                "~$HOME",
                "/$X",
                "$X",
                " ",
                " ~/x",
                "~/x ",
                "//x",
            ),
        ]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
    st.text("~$/{}HOMEx. ", max_size=8),
)
HOMES = st.sampled_from(
    ["/nowhere/u", "/nowhere/u/", "//nowhere", "/", "", "relative", "/a b", "~"]
)


@pytest.mark.parametrize(
    ("variable", "name", "default"),
    [
        ("AWS_CONFIG_FILE", "config_file", "~/.aws/config"),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials_file", "~/.aws/credentials"),
    ],
)
@settings(max_examples=300, deadline=None)
@given(
    path=st.one_of(st.none(), PATHS),
    environ=st.fixed_dictionaries({}, optional={"HOME": HOMES, "X": PATHS}),
)
def test_config_file_is_the_one_that_botocore_reads(
    variable: str, name: str, default: str, path: str | None, environ: dict[str, str]
) -> None:
    if path is not None:
        environ[variable] = path
    with mock.patch.dict(os.environ, environ, clear=True):
        found = request.config_path(environ, variable, default)
        given = botocore.session.Session().get_config_variable(name)
        with (
            mock.patch("os.path.isfile", return_value=False),
            pytest.raises(ConfigNotFound) as read,
        ):
            botocore.configloader.raw_config_parse(given)
    expected = read.value.kwargs["path"]

    if not os.path.isabs(expected):
        # botocore would read a folder named ~ where it stands; and nothing is at an empty path.
        expected = os.path.abspath(expected) if expected and path is not None else ""
    assert found == expected


def test_config_file_is_found_in_the_environment_that_is_given(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}

    found = request.config_path(environ, "AWS_CONFIG_FILE", "~/.aws/config")
    assert found == str(tmp_path / ".aws" / "config")


@pytest.mark.parametrize("variable", [None, "", "relative"])
def test_no_home_and_no_folder_mean_no_config_file(
    variable: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> str:
        raise FileNotFoundError("the working directory was removed")

    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr("os.getcwd", nowhere)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    environ = {} if variable is None else {"AWS_CONFIG_FILE": variable}
    with mock.patch.dict(os.environ, environ, clear=True):
        assert request.config_path(environ, "AWS_CONFIG_FILE", "~/.aws/config") == ""
        assert request.identity(read(), environ)


def test_stamp_is_path_time_and_size(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"12345")
    os.utime(path, ns=(0, 1_700_000_000_123_456_789))

    assert request._stamp(str(path)) == f"{path} 1700000000123456789 5"


@pytest.mark.parametrize(
    "path", ["", "/nowhere/config", "/dev/null/config", "/x\0y", "/" + "x" * 5000]
)
def test_stamp_of_what_is_not_there_is_its_path(path: str) -> None:
    assert request._stamp(path) == f"{path} -"


def test_start_of_the_machine_is_part_of_the_instance() -> None:
    mark = request._instance()

    assert re.fullmatch(rf"instance:{re.escape(os.uname().nodename)} [0-9a-f-]{{36}}", mark)
