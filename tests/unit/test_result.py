"""What is cached of credentials or of a failure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from credproc import cache, credentials, result, windows
from credproc.cache import MAX_PAUSE
from credproc.errors import (
    CachedFailure,
    CodeNotGiven,
    DeadlineExceeded,
    NoPrompt,
    ProviderFailed,
    ProviderUnavailable,
)
from tests.refreshing import LEFT, World

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def expiration(document: bytes) -> int:
    """Return the expiration that a consumer reads."""
    return credentials.read_time(json.loads(document)["Expiration"], "the document")


@pytest.mark.parametrize(
    ("provider", "came", "later", "expected"),
    [
        ("imds", 0, 0, True),
        ("imds", 0, 44, True),
        ("imds", 0, 61, False),
        ("imds", 0, -1, False),
        ("chain", 0, 0, False),
        ("sso", 0, 0, False),
        ("imds", -200, -150, False),  # they came before their end
    ],
)
def test_static_stability_is_imds_own_and_lasts_to_the_next_look(
    world: World, provider: str, came: int, later: int, expected: bool
) -> None:
    got = world.credentials(-100, provider)
    moment = world.clock.now + came
    entry = result.fetched(world.key, None, got, moment, world.log)
    assert result.is_reusable_expired(entry, world.clock.now + later) == expected


def test_retry_time_too_far_ahead_is_ignored(world: World) -> None:
    """A clock that was put back would have it answer for as long as the clock was wrong."""
    now = int(world.clock.now)
    got = result.fetched(world.key, None, world.credentials(-1, "imds"), now, world.log)
    lost = result.failed(world.key, None, ProviderFailed("x"), now, ())

    got.look, lost.look = now + MAX_PAUSE, windows.failure_expiry(now, 1)
    assert result.is_reusable_expired(got, now)
    with pytest.raises(CachedFailure, match=rf"retried in {lost.look - now} s"):
        result.raise_cached_failure(lost, now, while_waiting=False)
    got.look += 1
    lost.look += 1
    assert not result.is_reusable_expired(got, now)
    result.raise_cached_failure(lost, now, while_waiting=False)


def test_typed_code_leaves_one_window(world: World) -> None:
    got = world.credentials()
    got.person = True
    entry = result.fetched(world.key, None, got, world.clock.now, world.log)
    assert entry.ahead == entry.now == entry.expiration - 900
    assert entry.person
    assert result.credentials_of(entry).person


@pytest.mark.parametrize("lifetime", [900, 1800, 3600, 21600, 43200])
def test_entry_needs_no_person_where_no_code_was_typed(world: World, lifetime: int) -> None:
    got = world.credentials(lifetime)
    entry = result.fetched(world.key, None, got, world.clock.now, world.log)
    assert entry.ahead < entry.now
    assert not entry.person


def test_entries_of_one_set_have_the_same_windows(world: World) -> None:
    got = world.credentials()
    first = result.fetched(b"hop", None, got, world.clock.now, world.log)
    again = result.credentials_of(first)
    second = result.fetched(b"answer", None, again, world.clock.now + 1000, world.log)
    assert (first.issued, first.ahead, first.now) == (second.issued, second.ahead, second.now)
    assert first.document == second.document


@pytest.mark.parametrize(
    ("error", "kind", "is_remembered"),
    [
        (ProviderFailed("x"), "failed", True),
        (ProviderUnavailable("x"), "unavailable", True),
        (KeyError("x"), "failed", True),
        (CodeNotGiven("x"), "no-code", False),
        (CachedFailure("x"), "failed", False),
    ],
)
def test_failure_is_cached_with_its_kind(
    world: World, error: Exception, kind: str, is_remembered: bool
) -> None:
    entry = result.failed(world.key, None, error, world.clock.now, ())
    assert (entry.document, entry.kind) == (b"", kind)
    assert (world.clock.now < entry.look <= world.clock.now + 6) == is_remembered
    raised = ProviderUnavailable if kind == "unavailable" else CachedFailure
    with pytest.raises(raised):
        result.raise_cached_failure(entry, world.clock.now, while_waiting=True)


@pytest.mark.parametrize(
    ("error", "code_from", "seconds", "expected"),
    [
        (ProviderFailed("x"), "terminal 2", 99, True),
        (ProviderUnavailable("x"), "terminal 2", 99, True),
        (CodeNotGiven("x"), "terminal 1", 30, True),
        (CodeNotGiven("x"), "terminal 1", 99, False),
        (CodeNotGiven("x"), "terminal 2", 30, False),
        (NoPrompt("x"), "", 30, False),
        (NoPrompt("x"), "terminal 1", 30, True),
        (DeadlineExceeded("x"), "", 29.5, True),
        (DeadlineExceeded("x"), "", 30, True),
        (DeadlineExceeded("x"), "", 30.5, False),
    ],
)
def test_failure_applies_to_runs_that_would_fail_alike(
    world: World, error: Exception, code_from: str, seconds: float, expected: bool
) -> None:
    entry = result.failed(world.key, None, error, world.clock.now, (), 30, lambda: "terminal 1")
    assert result.applies_to(entry, lambda: code_from, seconds) == expected
    kept = cache.decode(cache.encode(entry))
    assert kept
    assert (kept.kind, kept.allowed) == (entry.kind, entry.allowed)
    with pytest.raises((CachedFailure, ProviderUnavailable)):
        result.raise_cached_failure(entry, world.clock.now, while_waiting=True)


@pytest.mark.parametrize("state", LEFT)
def test_failure_never_replaces_a_valid_entry(world: World, state: str) -> None:
    cached = world.put(state)
    assert cached
    entry = result.failed(world.key, cached, ProviderFailed("x"), world.clock.now, ())
    assert (entry.document == cached.document) == (state != "expired")
    result.raise_cached_failure(
        cached, world.clock.now, while_waiting=True
    )  # it says nothing about entries


def test_keys_that_never_expire_are_valid_for_an_hour_and_not_cached(world: World) -> None:
    got = world.credentials(3600, "env")
    got.expiration = 0
    entry = result.fetched(world.key, None, got, world.clock.now, world.log)

    assert entry.key == b""
    assert expiration(entry.document) == entry.expiration == int(world.clock.now) + 3600
    assert result.credentials_of(entry).expiration == 0
