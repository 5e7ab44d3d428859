"""The refresh windows: the numbers of the design, and what holds for every lifetime."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credproc import cache, windows
from credproc.cache import AHEAD, EXPIRED, FRESH, NOW, Entry

ISSUED = 1_800_000_000

TIMES = st.integers(0, 4_000_000_000)
DRAWS = st.floats(0, 1, exclude_max=True)


#: Lifetime; seconds before its end at which it is refreshed ahead, and before printing.
TABLE = {
    900: (450, 225),
    1800: (900, 450),
    3600: (1800, 900),
    3840: (1800, 960),
    21600: (1800, 960),
    43200: (1800, 960),
    129600: (1800, 960),
}


@pytest.mark.parametrize("lifetime", TABLE)
def test_windows_are_those_of_the_design(lifetime: int) -> None:
    ahead, now = TABLE[lifetime]
    end = ISSUED + lifetime

    assert windows.windows(ISSUED, end, 0) == (end - ahead, end - now)
    # A tenth less at most, and no other window than the first.
    assert windows.windows(ISSUED, end, 1) == (end - ahead * 9 // 10, end - now)


@pytest.mark.parametrize("lifetime", TABLE)
def test_entry_is_judged_by_its_windows(lifetime: int) -> None:
    ahead, now = TABLE[lifetime]
    entry = Entry(b"request")
    entry.document = b"{}\n"
    entry.issued, entry.expiration = ISSUED, ISSUED + lifetime
    entry.ahead, entry.now = windows.windows(entry.issued, entry.expiration, 0)

    def remaining(seconds: float) -> str:
        return entry.judge(entry.expiration - seconds)

    assert remaining(lifetime) == remaining(ahead + 0.1) == FRESH
    assert remaining(ahead) == remaining(now + 0.1) == AHEAD
    assert remaining(now) == remaining(0.1) == NOW
    assert remaining(0) == remaining(-1) == EXPIRED
    assert remaining(lifetime + 1) == EXPIRED


@pytest.mark.parametrize("lifetime", [3840, 21600, 43200])
def test_consumers_get_15_minutes_whenever_that_is_possible(lifetime: int) -> None:
    # botocore runs the process again at every signing while less remains.
    assert ISSUED + lifetime - windows.windows(ISSUED, ISSUED + lifetime, 1)[1] > 900


@given(TIMES, st.integers(4, windows.LONGEST), DRAWS)
def test_windows_come_in_order_and_leave_half_of_the_life(
    issued: int, lifetime: int, draw: float
) -> None:
    expiration = issued + lifetime
    ahead, now = windows.windows(issued, expiration, draw)

    assert issued < ahead <= now < expiration
    assert ahead >= issued + lifetime // 2
    assert expiration - ahead <= windows.REFRESH_AHEAD + 1
    assert expiration - now <= windows.REFRESH_NOW + 1


@given(TIMES, st.integers(4, 200_000), DRAWS, DRAWS)
def test_draw_moves_the_first_window_alone_and_by_a_tenth(
    issued: int, lifetime: int, one: float, two: float
) -> None:
    first = windows.windows(issued, issued + lifetime, one)
    second = windows.windows(issued, issued + lifetime, two)

    assert first[1] == second[1]
    assert abs(first[0] - second[0]) <= min(windows.REFRESH_AHEAD, lifetime / 2) / 10 + 1
    assert (first[0] - second[0]) * (one - two) >= 0


@given(TIMES, st.integers(-1000, 200_000), DRAWS)
def test_next_look_is_in_a_minute_or_in_a_quarter_of_what_remains(
    now: int, remaining: int, draw: float
) -> None:
    pause = windows.retry_at(now, now + remaining, draw) - now

    assert 0 <= pause <= 75 <= cache.MAX_PAUSE
    assert pause <= max(remaining, 0) / 4
    assert pause >= min(45, max(remaining, 0) / 4) - 1


@pytest.mark.parametrize(
    ("remaining", "draw", "pause"),
    [(3600, 0, 45), (3600, 0.5, 60), (3600, 1, 75), (100, 0.5, 25), (3, 0.5, 0), (-5, 0.5, 0)],
)
def test_next_look(remaining: int, draw: float, pause: int) -> None:
    assert windows.retry_at(ISSUED, ISSUED + remaining, draw) == ISSUED + pause


@given(TIMES.map(float), DRAWS)
def test_failure_answers_for_some_seconds(now: float, draw: float) -> None:
    assert now + 1 < windows.failure_expiry(now, draw) <= now + 1.5 * windows.FAILURE_TTL + 1


@given(TIMES.map(float), DRAWS)
def test_static_stability_gives_15_to_20_minutes(now: float, draw: float) -> None:
    assert now + 900 < windows.static_stability(now, draw) <= now + 1201


@pytest.mark.parametrize(
    ("draw", "failure", "credentials"), [(0, 2, 901), (0.5, 4, 1051), (0.99, 5, 1198)]
)
def test_draw_spreads_both_evenly(draw: float, failure: int, credentials: int) -> None:
    assert windows.failure_expiry(ISSUED, draw) == ISSUED + failure
    assert windows.static_stability(ISSUED, draw) == ISSUED + credentials


def test_what_claims_to_live_for_ever_is_renewed_like_the_longest_session() -> None:
    year_9999 = 253_402_300_799

    assert windows.windows(1000, year_9999, 0.5) == windows.windows(1000, 1000 + 129_600, 0.5)
    assert windows.windows(1000, 1000 + 129_599, 0.5)[1] == 1000 + 129_599 - 960


def test_jitter_is_spread_over_the_whole_unit() -> None:
    drawn = [windows.jitter() for _ in range(400)]

    assert all(0 <= number < 1 for number in drawn)
    assert {int(number * 4) for number in drawn} == {0, 1, 2, 3}
