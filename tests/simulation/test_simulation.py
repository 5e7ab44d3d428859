"""The simulated fleet obeys the rules of the product, and what is quoted of it is what it does."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from credproc import windows
from tests.simulation.__main__ import comparison, report
from tests.simulation.fleet import SETTLED, Fleet, Plan, Result

SMALL = Plan(300, processes=5, boot=10)


def simulated(**changes: object) -> Result:
    """Return what a small fleet does."""
    return Fleet(dataclasses.replace(SMALL, **changes), seed=7).run()  # type: ignore[arg-type]


def test_simulation_is_repeatable() -> None:
    first, second = simulated(), simulated()
    assert first.calls == second.calls
    assert first.later == second.later
    assert Fleet(SMALL, seed=8).run().calls != first.calls


def test_every_host_calls_once_a_renewal() -> None:
    result = simulated()
    sessions = (SMALL.duration - SMALL.boot) / (3600 - 0.95 * windows.REFRESH_AHEAD)
    assert result.start.failed == result.later.failed == 0
    assert sum(result.calls.values()) == pytest.approx(SMALL.hosts * sessions, rel=0.2)


@pytest.mark.parametrize("jitter", [False, True])
def test_renewals_come_when_the_windows_open(jitter: bool) -> None:
    result = simulated(jitter=jitter)
    renewals = [second for second in result.calls if SETTLED < second < 3600]
    boot, gap = SMALL.boot, 60 / SMALL.processes
    begin, end = (1800, 1980) if jitter else (1890, 1890)
    assert begin - 2 <= min(renewals)
    assert max(renewals) <= end + boot + gap + 2


def test_no_run_waits_for_a_renewal_ahead_of_time() -> None:
    assert simulated(ahead=False).later.waited > 0
    assert simulated(ahead=True).later.waited == 0


def test_jitter_spreads_the_renewals() -> None:
    even, spread = simulated(jitter=False), simulated(jitter=True)
    begin, end = SETTLED, SMALL.duration
    assert spread.peak(begin, end) < even.peak(begin, end) / 2


def test_outage_shorter_than_the_window_fails_no_run() -> None:
    down = (5400, 5400 + 1500)
    ahead, without = simulated(down=down), simulated(down=down, ahead=False)
    assert ahead.refusals(*down) == sum(ahead.calls[second] for second in range(*down)) > 0
    assert ahead.later.failed == 0
    assert without.later.failed > 0


def test_sts_refuses_calls_beyond_its_limit() -> None:
    result = simulated(limit=5)
    answered = result.calls - result.refused
    assert max(answered.values()) == 5
    assert result.start.failed > 0
    assert result.later.failed == 0


def test_failing_fleet_calls_no_more_often_than_its_cached_failures_allow() -> None:
    result = simulated(down=(0, 600))
    # Four tries, pauses between them, and then some seconds of memory.
    assert result.mean(60, 600) < SMALL.hosts * 4 / 5


def test_aligned_runs_call_at_the_full_minute() -> None:
    result = simulated(aligned=True, boot=120)
    assert {second % 60 for second in result.calls} == {0}


def test_report_is_a_document_of_tables() -> None:
    parts: list[str] = []
    report([50, 100], 1, parts.append)
    text = "\n".join(parts)
    assert text.count("\n==") >= 13  # a title, and four tables
    assert "100 hosts would make 33 calls a second" in text


def test_quoted_results_are_those_of_the_rules() -> None:
    quoted = (Path(__file__).parent / "results.rst").read_text("ascii")
    (row,) = [line for line in quoted.splitlines() if line.startswith("10,000   ahead, jitter")]
    counted = comparison([Fleet(Plan(10_000), seed=1).run()])
    assert row.split() in [line.split() for line in counted.splitlines()]
