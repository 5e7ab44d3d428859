"""Providers in their order, doubts, hops, and an instance role that is no longer renewed."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from credproc import credentials
from credproc.credentials import read_time
from credproc.errors import (
    ProviderFailed,
    ProviderUnavailable,
    SourceRejected,
)
from tests.refreshing import HOUR, Caches, Gives, World, failure, rows

if TYPE_CHECKING:
    from pathlib import Path

    from credproc.credentials import Credentials
    from credproc.run import Run


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_only_an_unavailable_provider_moves_on(world: World) -> None:
    first, second = Gives(ProviderUnavailable("not here"), name="imds"), Gives(world.credentials())
    assert world.answer(first, second).document
    assert (first.calls, second.calls) == (1, 1)


def test_failed_provider_ends_the_run(world: World) -> None:
    second = Gives(world.credentials())
    with pytest.raises(ProviderFailed, match=r"^imds: it broke$"):
        world.answer(Gives(ProviderFailed("it broke"), name="imds"), second)
    assert second.calls == 0


def test_every_reason_is_reported(world: World) -> None:
    one = Gives(ProviderUnavailable("not here"), name="imds")
    two = Gives(ProviderUnavailable("nor here"))
    with pytest.raises(ProviderFailed, match=r"^imds: not here; chain: nor here$"):
        world.answer(one, two)


def test_library_of_a_provider_that_is_not_tried_is_not_loaded(world: World) -> None:
    def providers() -> Any:
        yield Gives(world.credentials())
        raise AssertionError("the second was made")

    assert world.refresher().answer(world.key, providers(), credentials.document).document


# An identity is not changed on a doubt: what is cached as the session of the instance's role, what
# IMDS says, and whose credentials the run then prints.
DOUBTS = rows("""
state    imds-says    answers
now      unavailable  cached
now      certain      new
expired  unavailable  new
absent   unavailable  new
""")


@pytest.mark.parametrize(("state", "word", "expected"), DOUBTS)
def test_ambiguous_failure_never_changes_the_identity(
    world: World, state: str, word: str, expected: str
) -> None:
    cached = world.put(state, b"session", provider="imds")
    chain = Gives(world.credentials())
    imds = Caches("session", Gives(failure(word), name="imds"))
    entry = world.answer(imds, chain)

    assert chain.calls == (expected == "new")
    assert (cached is not None and entry.document == cached.document) == (expected == "cached")


def test_ambiguous_failure_ends_an_explicit_refresh(world: World) -> None:
    world.put("fresh", b"session", provider="imds")
    chain = Gives(world.credentials())
    imds = Caches("session", Gives(failure("unavailable"), name="imds"))
    with pytest.raises(ProviderFailed, match="it broke"):
        world.answer(imds, chain, force=True)
    assert chain.calls == 0


# The hops of a chain.


def test_hop_is_cached_and_shared(world: World) -> None:
    role = Gives(world.credentials())
    world.answer(Caches("hop", role))
    world.remove()
    world.answer(Caches("hop", role))
    assert role.calls == 1


# The hop's credentials: `cached` ones without a call; else `new` ones, or the cached ones if the
# call failed (`served`).
HOPS = rows("""
state    success  failed
fresh    cached   cached
ahead    cached   cached
now      new      served
expired  new      error
absent   new      error
""")


@pytest.mark.parametrize(
    ("state", "word", "expected"),
    [
        (row[0], word, cell)
        for row in HOPS
        for word, cell in zip(("success", "failed"), row[1:], strict=True)
    ],
)
def test_hop(world: World, state: str, word: str, expected: str) -> None:
    cached = world.put(state, b"hop")
    role = Gives(world.says(cached, word))
    if expected == "error":
        with pytest.raises(ProviderFailed):
            world.answer(Caches("hop", role))
    else:
        entry = world.answer(Caches("hop", role))
        assert (cached is not None and entry.document == cached.document) == (expected != "new")
    assert role.calls == (expected != "cached")


def test_answer_has_the_windows_of_its_last_hop(world: World) -> None:
    hop = world.put("fresh", b"hop")
    entry = world.answer(Caches("hop", Gives(world.credentials())))
    assert hop
    assert (entry.issued, entry.ahead, entry.now) == (hop.issued, hop.ahead, hop.now)


def test_every_hop_is_fetched_again_with_refresh(world: World) -> None:
    world.put("fresh", b"hop")
    role = Gives(world.credentials())
    world.answer(Caches("hop", role), force=True)
    assert role.calls == 1


def test_rejected_source_is_fetched_again(world: World) -> None:
    old = world.put("fresh", b"source")
    source = Gives(world.credentials())
    entry = world.answer(Caches("source", source, force=True))
    assert old
    assert source.calls == 1
    assert entry.document != old.document
    after = world.cached(b"source")
    assert after
    assert after.document == entry.document


def test_source_that_cannot_be_fetched_again_is_not_reused(world: World) -> None:
    world.put("fresh", b"source")
    with pytest.raises(SourceRejected):
        world.answer(Caches("source", Gives(SourceRejected("unknown")), force=True))


def test_long_term_keys_are_not_cached(world: World) -> None:
    keys = credentials.Credentials("AKIAIOSFODNN7EXAMPLE", "secret-of-me", "", 0, provider="keys")
    source = Gives(keys)
    for _ in range(2):
        document = world.answer(Caches("source", source)).document
        assert b"AKIAIOSFODNN7EXAMPLE" in document
    assert source.calls >= 2
    assert not any(name.endswith(".entry") for name in os.listdir(world.store.path))


class Assumes(Caches):
    """A role that is assumed with what is served, as a chain does it."""

    def __init__(self, world: World, source: Caches) -> None:
        super().__init__("source", source.source)
        self.world = world

    def retrieve(self, run: Run) -> Credentials:
        caller = super().retrieve(run)
        found = self.world.credentials()
        found.person = caller.person
        return found


@pytest.mark.parametrize("person", [False, True])
def test_role_after_a_typed_code_is_not_refreshed_ahead(world: World, person: bool) -> None:
    session = world.credentials()
    session.person = person
    source = Caches("source", Gives(session))
    for _ in range(2):  # got, and then cached
        entry = world.answer(Assumes(world, source), force=not _)
        assert (entry.ahead == entry.now) == person
        assert entry.person == person


def test_role_of_long_term_keys_is_refreshed_ahead(world: World) -> None:
    keys = credentials.Credentials("AKIAIOSFODNN7EXAMPLE", "secret-of-me", "", 0, provider="keys")
    entry = world.answer(Assumes(world, Caches("source", Gives(keys))))
    assert entry.ahead < entry.now


# IMDS's static stability.


def test_instance_role_that_is_not_renewed_is_served_past_its_end(world: World) -> None:
    imds = Gives(world.credentials(-100, "imds"), name="imds")
    for _ in range(3):
        entry = world.answer(Caches("session", imds))
        shown = read_time(json.loads(entry.document)["Expiration"], "the document")
        assert 900 < shown - world.clock.now <= 1201
    assert imds.calls == 1
    assert world.cached() is None, "what has expired is not an answer for others"

    session = world.cached(b"session")
    assert session
    assert session.expiration == world.clock.now - 100
    world.clock.now = session.look
    world.answer(Caches("session", imds))
    assert imds.calls == 2


def test_source_that_is_not_renewed_is_used_past_its_end(world: World) -> None:
    imds = Gives(world.credentials(-100, "imds"), name="imds")
    for _ in range(2):
        world.answer(Assumes(world, Caches("source", imds)), force=False)
        world.remove()
    assert imds.calls == 1


def test_renewed_instance_role_ends_static_stability(world: World) -> None:
    imds = Gives(world.credentials(-100, "imds"), world.credentials(HOUR, "imds"), name="imds")
    world.answer(Caches("session", imds))
    session = world.cached(b"session")
    assert session
    world.clock.now = session.look
    assert world.answer(Caches("session", imds)).expiration > world.clock.now


@pytest.mark.parametrize("provider", ["chain", "sso"])
@pytest.mark.parametrize("seconds", [0, -1, -4000])
def test_credentials_of_others_that_arrive_expired_are_an_error(
    world: World, seconds: int, provider: str
) -> None:
    with pytest.raises(ProviderFailed, match=f"expired {-seconds} s before .* clock"):
        world.answer(Gives(world.credentials(seconds, provider)))
