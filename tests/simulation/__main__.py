"""Simulate fleets and print, as reStructuredText, what STS and the runs would see.

python -m tests.simulation [--hosts N ...] [--seed NUMBER] > tests/simulation/results.rst
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

from tests.simulation.fleet import EVERY, SETTLED, Fleet, Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tests.simulation.fleet import Result, Tally

HOSTS = (1_000, 10_000, 100_000)
#: What is compared: refreshing ahead, and jitter. The last is credproc.
WAYS = ((False, False), (False, True), (True, False), (True, True))
#: Seconds: the length of a column in the table of calls over time, and an outage.
SLOT, OUTAGE = 600, (5400, 7200)

HEAD = """\
A fleet, simulated
==================

Every host has {processes} processes that run credproc once a minute each, evenly spread; all are of
one account and region. STS answers {limit} calls a second and refuses the others as it does
(``Throttling``); sessions last {lifetime} s. The rules are imported from credproc; the command is
``python -m tests.simulation --seed {seed}``.

Without a cache every run calls: {hosts:,} hosts would make {rate:,.0f} calls a second.
"""

START = """
Cold start
----------

All hosts start without credentials within {boot:.0f} s; these are the first {settled:.0f} minutes.
Each host needs one call, and how fast STS answers so many is the limit, whatever the rules:
"""

RENEWALS = """
Renewals
--------

The {minutes:.0f} minutes after that. *Before printing* has the second window alone: a run waits
for each renewal. *Ahead* is in the background, started by the first run inside the first window.
The last row of each fleet is credproc.
"""

OVER_TIME = """
The most calls in one second of each ten minutes, {hosts:,} hosts:
"""

DOWN = """
An outage
---------

{hosts:,} hosts, and an STS that answers nothing from minute {begin:.0f} to minute {end:.0f}:
"""

CRON = """
Cron
----

{hosts:,} hosts, started within {boot:.0f} minutes, every process of which runs at the full minute:
"""


def table(rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """Return a simple table; the first row is its head, the first columns hold words."""
    cells = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    lines = [
        "  ".join(
            cell.ljust(width) if number < words else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule]) + "\n"


def way(plan: Plan) -> str:
    """Say how the hosts of a plan renew."""
    return f"{'ahead' if plan.ahead else 'before printing'}, {'' if plan.jitter else 'no '}jitter"


FIELDS = ("calls/s", "most in 1 s", "refused", "runs that waited", "longest", "runs that failed")


def fields(result: Result, begin: int, end: int, tally: Tally) -> list[str]:
    """Return the cells of the table for a fleet in a period."""
    share = tally.waited / result.runs(begin, end)
    return [
        f"{result.mean(begin, end):,.1f}",
        f"{result.peak(begin, end):,}",
        f"{result.refusals(begin, end):,}",
        f"1 of {1 / share:,.0f}" if share else "none",
        f"{tally.longest:.1f} s" if tally.waited else "-",
        f"{tally.failed:,}" if tally.failed else "none",
    ]


def comparison(results: Iterable[Result]) -> str:
    """Return the table of renewals in every way."""
    rows = []
    for result in results:
        plan = result.plan
        numbers = fields(result, SETTLED, plan.duration, result.later)
        rows.append([f"{plan.hosts:,}", way(plan), *numbers])
    return table([["hosts", "renewed", *FIELDS], *rows], words=2)


def compare(plan: Plan, seed: int) -> list[Result]:
    """Simulate a fleet in every way."""
    plans = [dataclasses.replace(plan, ahead=ahead, jitter=jitter) for ahead, jitter in WAYS]
    return [Fleet(each, seed).run() for each in plans]


def over_time(results: Sequence[Result]) -> str:
    """Return the table of calls over time."""
    slots = range(0, results[0].plan.duration, SLOT)
    head = ["minute", *(str(slot // 60) for slot in slots)]
    rows = [
        [way(result.plan), *(f"{result.peak(slot, slot + SLOT):,}" for slot in slots)]
        for result in results
    ]
    return table([head, *rows])


def report(hosts: Sequence[int], seed: int, say: Callable[[str], object]) -> None:
    """Simulate everything and print the results."""
    plan = Plan(hosts[0])
    rate = hosts[-1] * plan.processes / EVERY
    say(HEAD.format(**{**dataclasses.asdict(plan), "hosts": hosts[-1]}, seed=seed, rate=rate))
    fleets = [compare(dataclasses.replace(plan, hosts=count), seed) for count in hosts]

    say(START.format(boot=plan.boot, settled=SETTLED / 60))
    starts = [fleet[-1] for fleet in fleets]
    rows = [[f"{each.plan.hosts:,}", *fields(each, 0, SETTLED, each.start)] for each in starts]
    say(table([["hosts", *FIELDS], *rows]))
    say(RENEWALS.format(minutes=(plan.duration - SETTLED) / 60))
    say(comparison(result for fleet in fleets for result in fleet))
    say(OVER_TIME.format(hosts=hosts[-1]))
    say(over_time(fleets[-1]))

    few = min(hosts[-1], 3_000)
    say(DOWN.format(begin=OUTAGE[0] / 60, end=OUTAGE[1] / 60, hosts=few))
    say(comparison(compare(dataclasses.replace(plan, hosts=few, down=OUTAGE), seed)))

    crowd = dataclasses.replace(plan, hosts=min(hosts[-1], 5_000), boot=600, aligned=True)
    say(CRON.format(boot=crowd.boot / 60, hosts=crowd.hosts))
    say(comparison(compare(crowd, seed)))


def main() -> None:
    """Simulate what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--hosts", type=int, nargs="+", default=HOSTS)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    report(given.hosts, given.seed, lambda text: print(text.strip("\n") + "\n", flush=True))


if __name__ == "__main__":
    main()
