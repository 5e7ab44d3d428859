"""The request: what the quick reader makes of a command line."""

from __future__ import annotations

import pytest

from credproc import limits, request
from credproc.request import Chain, Hop, Imds, Profile, Request, Value

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


def test_longest_time_out_is_read_quickly() -> None:
    assert read("--timeout", "3600").timeout == 3600
    assert request.read(["--timeout", "3601"]) is None


@pytest.mark.parametrize(
    ("source", "kind", "named", "profile"),
    [
        ("", "", "", ""),
        ("env", "env", "", ""),
        ("imds", "imds", "", ""),
        ("imds:app", "imds", "app", ""),
        ("profile:laptop", "profile", "laptop", "laptop"),
        ("profile:a:b", "profile", "a:b", "a:b"),
    ],
)
def test_source_of_a_chain_is_taken_apart(source: str, kind: str, named: str, profile: str) -> None:
    chain = Chain(source)

    assert (chain.kind, chain.named, chain.profile) == (kind, named, profile)
