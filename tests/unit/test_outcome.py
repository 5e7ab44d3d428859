"""What is kept of an answer or a failure, and what is printed at the moment of printing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from credproc import cache, credentials, outcome, windows
from credproc.cache import MAX_PAUSE, Entry
from credproc.errors import (
    CodeNotGiven,
    DeadlineExceeded,
    NobodyToAsk,
    ProviderFailed,
    ProviderUnavailable,
    Remembered,
)
from tests.refreshing import LEFT, World, failure

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def expiration(document: bytes) -> int:
    """Return the expiration that a consumer reads."""
    return credentials.read_time(json.loads(document)["Expiration"], "the document")


@pytest.mark.parametrize("state", ["fresh", "ahead", "now"])
def test_valid_document_is_printed_with_its_true_expiration(world: World, state: str) -> None:
    held = world.hold(state)
    assert held
    printed = outcome.printed(held, world.clock.now, world.log)
    assert printed == held.document
    assert expiration(printed) == held.expiration


@pytest.mark.parametrize("late", [0, 0.001, 1, 86400])
@pytest.mark.parametrize("provider", ["chain", "imds", "sso"])
def test_document_that_expired_while_newer_was_asked_for_is_not_printed(
    world: World, provider: str, late: float
) -> None:
    held = world.hold("now", provider=provider)
    assert held
    assert outcome.printed(held, held.expiration - 0.001, world.log) == held.document
    with pytest.raises(ProviderFailed, match=r"expired while newer credentials were asked for$"):
        outcome.printed(held, held.expiration + late, world.log)


def test_why_nothing_newer_came_is_told_with_it(world: World) -> None:
    held = world.hold("now")
    kept = outcome.failed(world.identity, held, ProviderFailed("no network"), world.clock.now, ())
    with pytest.raises(ProviderFailed, match=r"asked for: no network$"):
        outcome.printed(kept, kept.expiration, world.log)


@pytest.mark.parametrize("ago", [0, 1, 3600, 86400])
def test_what_imds_hands_out_expired_is_printed_with_some_minutes(world: World, ago: int) -> None:
    got = world.credentials(-ago, "imds")
    entry = outcome.answered(world.identity, None, got, world.clock.now, world.log)
    for _ in range(50):
        printed = outcome.printed(entry, world.clock.now, world.log)
        assert 900 < expiration(printed) - world.clock.now <= 1201
    assert entry.expiration == got.expiration
    assert expiration(entry.document) == got.expiration
    assert any("past their expiration" in line for line in world.log.lines)


@pytest.mark.parametrize(
    ("provider", "came", "asked", "expected"),
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
    world: World, provider: str, came: int, asked: int, expected: bool
) -> None:
    got = world.credentials(-100, provider)
    moment = world.clock.now + came
    entry = outcome.answered(world.identity, None, got, moment, world.log)
    assert outcome.is_stable(entry, world.clock.now + asked) == expected


def test_look_beyond_what_a_pause_can_be_counts_for_nothing(world: World) -> None:
    """A clock that was put back would have it answer for as long as the clock was wrong."""
    now = int(world.clock.now)
    got = outcome.answered(world.identity, None, world.credentials(-1, "imds"), now, world.log)
    lost = outcome.failed(world.identity, None, ProviderFailed("x"), now, ())

    got.look, lost.look = now + MAX_PAUSE, windows.forgotten(now, 1)
    assert outcome.is_stable(got, now)
    with pytest.raises(Remembered, match=rf"asked again in {lost.look - now} s"):
        outcome.recall(lost, now, is_news=False)
    got.look += 1
    lost.look += 1
    assert not outcome.is_stable(got, now)
    outcome.recall(lost, now, is_news=False)


def test_typed_code_leaves_one_window(world: World) -> None:
    got = world.credentials()
    got.person = True
    entry = outcome.answered(world.identity, None, got, world.clock.now, world.log)
    assert entry.ahead == entry.now == entry.expiration - 900
    assert outcome.needs_person(entry)
    assert outcome.credentials_of(entry).person


@pytest.mark.parametrize("lifetime", [900, 1800, 3600, 21600, 43200])
def test_nobody_is_needed_where_no_code_was_typed(world: World, lifetime: int) -> None:
    got = world.credentials(lifetime)
    entry = outcome.answered(world.identity, None, got, world.clock.now, world.log)
    assert entry.ahead < entry.now
    assert not outcome.needs_person(entry)
    assert not outcome.needs_person(Entry(b"empty"))


def test_entries_of_one_set_have_the_same_windows(world: World) -> None:
    got = world.credentials()
    first = outcome.answered(b"hop", None, got, world.clock.now, world.log)
    again = outcome.credentials_of(first)
    second = outcome.answered(b"answer", None, again, world.clock.now + 1000, world.log)
    assert (first.issued, first.ahead, first.now) == (second.issued, second.ahead, second.now)
    assert first.document == second.document


@pytest.mark.parametrize(
    ("error", "provider", "is_remembered"),
    [
        (ProviderFailed("x"), "failed", True),
        (ProviderUnavailable("x"), "unavailable", True),
        (failure("doubt", "x"), "doubt", True),
        (KeyError("x"), "failed", True),
        (CodeNotGiven("x"), "failed", False),
        (Remembered("x"), "failed", False),
    ],
)
def test_failure_is_kept_with_its_kind(
    world: World, error: Exception, provider: str, is_remembered: bool
) -> None:
    entry = outcome.failed(world.identity, None, error, world.clock.now, ())
    assert (entry.document, entry.provider) == (b"", provider)
    assert (world.clock.now < entry.look <= world.clock.now + 6) == is_remembered
    kind = Remembered if provider == "failed" else ProviderUnavailable
    with pytest.raises(kind) as caught:
        outcome.recall(entry, world.clock.now, is_news=True)
    assert getattr(caught.value, "doubt", False) == (provider == "doubt")


@pytest.mark.parametrize(
    ("error", "can_ask", "seconds", "expected"),
    [
        (ProviderFailed("x"), True, 99, True),
        (CodeNotGiven("x"), True, 99, True),
        (failure("doubt", "x"), True, 99, True),
        (NobodyToAsk("x"), True, 30, False),
        (NobodyToAsk("x"), False, 30, True),
        (DeadlineExceeded("x"), True, 29.5, True),
        (DeadlineExceeded("x"), True, 30, True),
        (DeadlineExceeded("x"), True, 30.5, False),
    ],
)
def test_failure_concerns_those_who_have_no_other_means(
    world: World, error: Exception, can_ask: bool, seconds: float, expected: bool
) -> None:
    entry = outcome.failed(world.identity, None, error, world.clock.now, (), 30)
    assert outcome.concerns(entry, lambda: can_ask, seconds) == expected
    kept = cache.decode(cache.encode(entry))
    assert kept
    assert kept.provider == entry.provider
    with pytest.raises((Remembered, ProviderUnavailable)):
        outcome.recall(entry, world.clock.now, is_news=True)


@pytest.mark.parametrize("state", LEFT)
def test_failure_replaces_nothing_that_is_valid(world: World, state: str) -> None:
    held = world.hold(state)
    assert held
    entry = outcome.failed(world.identity, held, ProviderFailed("x"), world.clock.now, ())
    assert (entry.document == held.document) == (state != "expired")
    outcome.recall(held, world.clock.now, is_news=True)  # it says nothing about entries


def test_keys_that_never_end_are_good_for_an_hour_and_kept_nowhere(world: World) -> None:
    got = world.credentials(3600, "env")
    got.expiration = 0
    entry = outcome.answered(world.identity, None, got, world.clock.now, world.log)

    assert entry.request == b""
    assert expiration(entry.document) == entry.expiration == int(world.clock.now) + 3600
    assert outcome.credentials_of(entry).expiration == 0
