"""The identities that credproc writes are read back as what they are for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credproc import options, request
from credproc.ctl import identity
from credproc.identity import join, of_request
from credproc.providers.chain import beginning
from credproc.providers.source import Source
from credproc.request import Chain, Hop, Imds, Profile

if TYPE_CHECKING:
    from collections.abc import Mapping

ENVIRON: dict[str, str] = {"HOME": "/proc/nowhere", "AWS_REGION": "eu-central-1"}
ARN = "arn:aws:iam::123456789012:role/app"

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
SOURCES = st.sampled_from(["env", "imds", "imds:app", "container", "profile:lap top"])


def hop(values: Mapping[str, object]) -> Hop:
    """Return a hop with these fields."""
    made = Hop("")
    vars(made).update(values)
    return made


HOPS = st.builds(
    hop,
    st.fixed_dictionaries(
        {
            name: st.lists(TEXT, max_size=2) if isinstance(value, list) else
            st.integers(0, 43200) if isinstance(value, int) else TEXT
            for name, value in vars(Hop("")).items()
        }
    ),
)  # fmt: skip


def chain(hops: list[Hop], source: str) -> Chain:
    """Return a chain."""
    made = Chain()
    made.hops, made.source = hops, source
    return made


PROVIDERS = st.lists(
    st.one_of(
        st.builds(Imds, TEXT),
        st.builds(Profile, TEXT),
        st.builds(chain, st.lists(HOPS, min_size=1, max_size=3), SOURCES),
    ),
    min_size=1,
    max_size=3,
)


@given(PROVIDERS)
@settings(deadline=None, max_examples=150)
def test_request_is_read_back(providers: list[Imds | Chain | Profile]) -> None:
    asked = request.Request()
    asked.providers = providers

    purpose = identity.read(of_request(asked, ENVIRON))

    assert purpose.kind == identity.REQUEST
    assert purpose.providers == providers
    assert "AWS_REGION=eu-central-1" in purpose.rest or all(
        isinstance(each, Imds) for each in providers
    )


@given(st.lists(HOPS, min_size=1, max_size=3), SOURCES)
@settings(deadline=None, max_examples=80)
def test_role_on_the_way_is_read_back(hops: list[Hop], source: str) -> None:
    for each in hops:
        each.role_arn = ARN
    parts = beginning(Source(source), ENVIRON)
    for each in hops:
        parts += [*each.identity(), "eu-central-1", "me"]

    purpose = identity.read(join(parts))

    assert (purpose.kind, purpose.source, purpose.hops) == (identity.HOP, source, hops)
    assert (purpose.region, purpose.session_name) == ("eu-central-1", "me")


@pytest.mark.parametrize("source", ["imds", "imds:app", "container", "profile:lap", "web-identity"])
def test_source_is_read_back(source: str) -> None:
    purpose = identity.read(Source(source).identity(ENVIRON))

    assert (purpose.kind, purpose.source, purpose.hops) == (identity.SOURCE, source, [])


@pytest.mark.parametrize(
    "argv",
    [
        ["--imds"],
        ["--imds", "app", "--profile", "lap top"],
        ["--role-arn", ARN, "--tag", "a=b", "--tag", "c=", "--source", "imds"],
        ["--imds", "--role-arn", ARN, "--external-id", "42", "--duration-seconds", "3600",
         "--role-arn", ARN + "2", "--policy-arn", "arn:aws:iam::aws:policy/ReadOnlyAccess",
         "--source", "profile:laptop"],
    ],
)  # fmt: skip
def test_words_ask_for_the_same_again(argv: list[str]) -> None:
    asked = options.parse(argv)

    words = identity.words(identity.read(of_request(asked, ENVIRON)).providers)

    assert options.parse(words) == asked


@pytest.mark.parametrize(
    "parts",
    [
        [],
        ["0", "imds", ""],
        ["1"],
        ["1", ""],
        ["1", "what"],
        ["1", "chain", "env"],
        ["1", "chain", "env", "two"],
        ["1", "chain", "env", "1", "role_arn:1"],
        ["1", "hop", "imds", ""],
        ["1", "hop", "chain", "env", "0", "role_arn:1", "x"],
        ["1", "source", "imds", ""],
        ["\udcff", "\udcff"],
    ],
)
def test_anything_else_is_unknown(parts: list[str]) -> None:
    assert identity.read(os.fsencode("\0".join(parts))).kind == identity.UNKNOWN


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    identity.read(data)
    identity.read(b"1\0" + data)


def test_profiles_are_those_that_are_named() -> None:
    def named(*argv: str) -> list[str]:
        return identity.read(of_request(options.parse(argv), ENVIRON)).profiles()

    assert named("--imds") == []
    assert named("--profile", "a", "--role-arn", ARN, "--source", "profile:b") == ["a", "b"]
    assert identity.read(Source("profile:c").identity(ENVIRON)).profiles() == ["c"]


def test_hop_of_another_version_is_unknown() -> None:
    parts = ["chain", "env", "1", "role_arn:1", "arn", "role_name:1", "x"]

    assert identity.read(join(parts)).kind == identity.UNKNOWN
