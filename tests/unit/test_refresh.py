"""What a run does with cached credentials and with the result of a provider."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from credproc import answer, credentials, refresh, result
from credproc.deadline import Deadline
from credproc.errors import (
    CodeNotGiven,
    CredprocError,
    DeadlineExceeded,
    ProviderFailed,
    RequestError,
)
from credproc.store import Store
from tests.refreshing import HOUR, LEFT, Caches, Gives, World, failure, rows

if TYPE_CHECKING:
    from credproc.cache import Entry
    from credproc.credentials import Credentials
    from credproc.run import Run


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# The answer: `cached` credentials without a call; else, after one call, `new` credentials, the
# cached ones with a later retry (`served`), or an `error`. An entry for which a person typed a code
# (`typed`) has no window for refreshing ahead.
DECISIONS = rows("""
state   run        success nothing unavailable certain failed rejected no-code config mistake
fresh   plain      cached  cached  cached      cached  cached cached   cached  cached cached
fresh   typed      cached  cached  cached      cached  cached cached   cached  cached cached
fresh   background cached  cached  cached      cached  cached cached   cached  cached cached
fresh   force      new     served  error       error   error  error    error   error  error
ahead   plain      cached  cached  cached      cached  cached cached   cached  cached cached
ahead   typed      cached  cached  cached      cached  cached cached   cached  cached cached
ahead   background new     served  served      served  served served   served  served served
ahead   force      new     served  error       error   error  error    error   error  error
now     plain      new     served  served      served  served served   served  served served
now     typed      new     served  served      served  served served   served  served served
now     background new     served  served      served  served served   served  served served
now     force      new     served  error       error   error  error    error   error  error
expired plain      new     error   error       error   error  error    error   error  error
expired typed      new     error   error       error   error  error    error   error  error
expired background new     error   error       error   error  error    error   error  error
expired force      new     error   error       error   error  error    error   error  error
absent  plain      new     -       error       error   error  error    error   error  error
absent  background new     -       error       error   error  error    error   error  error
absent  force      new     -       error       error   error  error    error   error  error
""")
SAYS = ["success", "nothing", "unavailable", "certain", "failed", "rejected", "no-code", "config"]
SAYS += ["mistake"]


@pytest.mark.parametrize(
    ("state", "kind", "word", "expected"),
    [
        (state, kind, word, expected)
        for state, kind, *cells in DECISIONS
        for word, expected in zip(SAYS, cells, strict=True)
        if expected != "-"
    ],
)
def test_decision(world: World, state: str, kind: str, word: str, expected: str) -> None:
    cached = world.put(state, person=kind == "typed")
    provider = Gives(world.says(cached, word))

    def answer() -> Entry:
        return world.answer(provider, force=kind == "force", background=kind == "background")

    if expected == "error":
        with pytest.raises((CredprocError, ZeroDivisionError)):
            answer()
    else:
        answered = answer()
        is_new = not cached or answered.document != cached.document
        assert is_new == (expected == "new")
        assert answered == (cached if expected == "cached" else world.cached())
    assert provider.calls == (expected != "cached")
    _check_next_look(world, cached, expected)


def _check_next_look(world: World, cached: Entry | None, expected: str) -> None:
    now = world.clock.now
    after = world.cached()
    if expected == "served":
        assert cached
        assert after
        assert after.document == cached.document
        assert 45 <= after.look - now <= 75
    if expected == "new":
        assert after
        assert after.look == 0
        assert after.failure == ""


@pytest.mark.parametrize(
    "word", ["failed", "unavailable", "certain", "no code", "config", "mistake"]
)
def test_failed_explicit_refresh_leaves_the_valid_entry(world: World, word: str) -> None:
    cached = world.put("now")
    with pytest.raises((CredprocError, ZeroDivisionError)):
        world.answer(Gives(failure(word)), force=True)

    after = world.cached()
    assert cached
    assert after
    assert after.document == cached.document
    assert "it broke" in after.failure or "ZeroDivisionError" in after.failure


@pytest.mark.parametrize("state", ["now", "expired", "absent"])
def test_answer_is_an_entry_with_both_windows(world: World, state: str) -> None:
    world.put(state)
    entry = world.answer(Gives(world.credentials()))

    assert entry == world.cached()
    assert entry.issued == world.clock.now
    assert entry.expiration == world.clock.now + HOUR
    assert 1620 <= entry.expiration - entry.ahead <= 1800
    assert entry.expiration - entry.now == 900


# The next look.


@pytest.mark.parametrize(("state", "background"), [("ahead", True), ("now", False)])
def test_no_run_fetches_again_before_the_next_look(
    world: World, state: str, background: bool
) -> None:
    world.put(state)
    provider = Gives(ProviderFailed("it broke"))
    world.answer(provider, background=background)
    after = world.cached()
    assert after
    world.clock.now = after.look - 0.5
    assert world.answer(provider) == after
    assert provider.calls == 1

    world.clock.now = after.look
    world.answer(provider, background=background)
    assert provider.calls == 2


def test_success_forgets_the_failure(world: World) -> None:
    world.put("now")
    provider = Gives(ProviderFailed("it broke"), world.credentials())
    assert "it broke" in world.answer(provider).failure
    world.clock.now += 80
    assert world.answer(provider).failure == ""


def test_nothing_newer_forgets_the_failure(world: World) -> None:
    cached = world.put("now")
    same = world.says(cached, "nothing")
    provider = Gives(ProviderFailed("it broke"), same)
    assert "it broke" in world.answer(provider).failure
    world.clock.now += 80
    after = world.answer(provider)
    assert after.failure == ""
    assert after.look > world.clock.now


def test_next_look_is_sooner_when_little_remains(world: World) -> None:
    cached = world.put("now")
    assert cached
    world.clock.now = cached.expiration - 100
    after = world.answer(Gives(ProviderFailed("it broke")))
    assert after.look == cached.expiration - 75


def test_answer_never_looks_before_its_last_hop_does(world: World) -> None:
    for _ in range(20):
        hop = world.put("now", b"hop")
        assert hop
        role = Gives(ProviderFailed("it broke"))
        same = Caches("hop", role)
        world.store.write(_copied(hop, world.key))
        answered = world.answer(same)
        after = world.cached(b"hop")
        assert role.calls == 1
        assert after
        assert answered.document == hop.document
        assert answered.look == after.look


def _copied(entry: Entry, identity: bytes) -> Entry:
    """Return the same answer as another request's."""
    got = credentials.from_document(entry.document, entry.provider)
    got.issued = entry.issued
    return result.fetched(identity, None, got, entry.issued, print)


def test_background_refresh_ignores_the_retry_time(world: World) -> None:
    entry = world.put("ahead")
    assert entry
    entry.look = int(world.clock.now) + 60  # put off by the run that started it
    world.store.write(entry)
    provider = Gives(world.credentials())
    assert world.answer(provider) == entry
    assert world.answer(provider, background=True) != entry
    assert provider.calls == 1


# The memory of a failure.


@pytest.mark.parametrize("state", ["absent", "expired"])
def test_loop_of_failing_runs_calls_once_in_some_seconds(world: World, state: str) -> None:
    world.put(state)
    provider = Gives(ProviderFailed("it broke"))
    with pytest.raises(ProviderFailed, match=r"^chain: it broke$"):
        world.answer(provider)
    begin = world.clock.now
    while provider.calls == 1:
        world.clock.now += 0.25
        with pytest.raises(ProviderFailed, match="it broke"):
            world.answer(provider)
    assert 2 <= world.clock.now - begin <= 6


def test_cached_failure_says_so(world: World) -> None:
    provider = Gives(ProviderFailed("it broke"))
    for words in ("^chain: it broke$", "cached failure; retried in [1-6] s, .* --refresh"):
        with pytest.raises(ProviderFailed, match=words):
            world.answer(provider)
    assert provider.calls == 1


def test_reason_for_a_miss_is_logged_and_a_hit_is_not(world: World) -> None:
    world.answer(Gives(world.credentials()))
    world.answer()
    (entry,) = Path(world.store.path).glob("*.entry")
    entry.write_bytes(b"something else")
    world.answer(Gives(world.credentials()))

    said = [line for line in world.log.lines if line.startswith("cache: ")]
    place = f"({world.store.path})"
    assert said[:2] == [f"cache: not cached {place}", f"cache: fresh {place}"]
    assert said[2].startswith(f"cache: not cached {place}: not an entry of this version")


def test_refresh_option_ignores_a_cached_failure(world: World) -> None:
    provider = Gives(ProviderFailed("it broke"), world.credentials())
    with pytest.raises(ProviderFailed):
        world.answer(provider)
    assert world.answer(provider, force=True).document
    assert provider.calls == 2


@pytest.mark.parametrize("kind", [RequestError, CodeNotGiven])
def test_failure_that_a_user_can_fix_at_once_is_not_cached(
    world: World, kind: type[Exception]
) -> None:
    provider = Gives(kind("you can fix that"), world.credentials())
    with pytest.raises(kind, match="fix that"):
        world.answer(provider)
    assert world.answer(provider).document


def test_configuration_error_is_not_written_down(world: World) -> None:
    with pytest.raises(RequestError):
        world.answer(Gives(RequestError("wrong")))
    assert world.cached() is None


def test_failure_of_the_future_is_not_believed(world: World) -> None:
    provider = Gives(ProviderFailed("it broke"), world.credentials())
    with pytest.raises(ProviderFailed):
        world.answer(provider)
    world.clock.now -= 60
    assert world.answer(provider).document


def test_reporting_a_cached_hop_failure_does_not_extend_it(world: World) -> None:
    role = Gives(ProviderFailed("it broke"))
    with pytest.raises(ProviderFailed):
        world.answer(Caches("hop", role))
    begin = world.clock.now
    world.key = answer.key(["--imds", "other"], {})  # another answer with the same hop
    while role.calls == 1:
        world.clock.now += 0.25
        with pytest.raises(ProviderFailed) as caught:
            world.answer(Caches("hop", role))
        assert str(caught.value).count("cached failure") <= 1
    assert world.clock.now - begin <= 6


def test_secret_in_a_message_is_not_written_down(world: World) -> None:
    refresher = world.refresher()
    refresher.run.secrets.append("hunter2-hunter2")
    with pytest.raises(ProviderFailed):
        refresher.answer(
            world.key, [Gives(ProviderFailed("no hunter2-hunter2 here"))], credentials.document
        )
    after = world.cached()
    assert after
    assert "hunter2" not in after.failure


# Those who have valid credentials in hand do not wait long.


def test_run_in_a_hurry_gives_providers_less_time(world: World) -> None:
    seen: list[float] = []

    class Looks(Gives):
        def retrieve(self, run: Run) -> Credentials:
            seen.append(run.deadline.left())
            return super().retrieve(run)

    provider = Looks(ProviderFailed("it broke"))
    for state, options in (
        ("now", {}),
        ("now", {"background": True}),
        ("now", {"force": True}),
        ("absent", {}),
    ):
        world.store = Store(f"{world.store.path}-{len(seen)}")
        world.put(state)
        try:
            world.answer(provider, **options)
        except ProviderFailed:
            assert options == {"force": True} or state == "absent"
    assert [left <= refresh.ATTEMPT for left in seen] == [True, False, False, False]


def test_prompt_for_a_code_has_no_short_limit(world: World) -> None:
    world.put("now", person=True)
    seen: list[float] = []

    class Looks(Gives):
        def retrieve(self, run: Run) -> Credentials:
            seen.append(run.deadline.left())
            return super().retrieve(run)

    world.answer(Looks(world.credentials()))
    assert seen[0] > refresh.PATIENCE


def test_cached_entry_is_served_when_a_provider_hangs(
    world: World,
) -> None:
    world.hurry.faster = 30
    cached = world.put("now")
    ended = threading.Event()

    class Hangs(Gives):
        def retrieve(self, run: Run) -> Credentials:
            ended.wait(20)  # as the resolver does, whatever the deadline
            return super().retrieve(run)

    try:
        entry = world.answer(Hangs(world.credentials()))
    finally:
        ended.set()
    assert cached
    assert entry.document == cached.document
    assert entry.look > world.clock.now
    assert f"timed out after {refresh.ATTEMPT:g} s" in entry.failure


def test_waiters_have_more_time_than_the_run_they_wait_for() -> None:
    assert refresh.PATIENCE >= refresh.ATTEMPT + 0.5


# Clocks.


@pytest.mark.parametrize("step", [-1, -600, -86400])
def test_entry_of_the_future_is_a_miss(world: World, step: int) -> None:
    first = world.answer(Gives(world.credentials()))
    world.clock.now += step
    later = world.answer(Gives(world.credentials()))
    assert later.document != first.document
    assert world.cached() == later
    assert later.issued == world.clock.now


def test_clock_that_is_put_right_again_leaves_one_more_miss(world: World) -> None:
    provider = Gives(*(world.credentials() for _ in range(3)))
    world.answer(provider)
    world.clock.now += 7200  # wrong: everything has expired
    with pytest.raises(ProviderFailed, match="check this machine's clock"):
        world.answer(provider)
    world.clock.now -= 7200  # right again: the failure is of the future
    assert world.answer(provider).judge(world.clock.now) == "fresh"
    assert provider.calls == 3


def test_next_look_of_the_future_does_not_stop_refreshes(world: World) -> None:
    world.put("now")
    provider = Gives(ProviderFailed("it broke"), world.credentials())
    after = world.answer(provider)
    after.look = int(world.clock.now) + 3600
    world.store.write(after)
    world.answer(provider)
    assert provider.calls == 2


# Mistakes of our own.


def test_internal_error_says_nothing_about_the_data(world: World) -> None:
    world.put("now")
    entry = world.answer(Gives(ZeroDivisionError("hunter2")))
    assert "hunter2" not in entry.failure
    assert "ZeroDivisionError" in entry.failure
    assert not any("hunter2" in line for line in world.log.lines)


def test_state_names_match_the_states(world: World) -> None:
    names = {"ahead": "fresh, to be refreshed in the background", "now": "to be refreshed now"}
    for state in LEFT:
        cached = world.put(state)
        assert cached
        assert cached.judge(world.clock.now) == names.get(state, state)


def test_cached_entry_is_served_after_the_deadline(world: World) -> None:
    cached = world.put("now")
    run = world.refresher(seconds=0)

    def retrieve(run: Run) -> Credentials:
        run.deadline.remaining()
        raise AssertionError

    provider = Gives(world.credentials())
    provider.retrieve = retrieve  # type: ignore[method-assign]
    assert cached
    assert run.answer(world.key, [provider], credentials.document).document == cached.document
    with pytest.raises(DeadlineExceeded):
        Deadline(0).remaining()
