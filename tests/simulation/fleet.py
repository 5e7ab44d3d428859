"""A fleet of hosts whose runs share a cache each, and the one STS that all of them call.

The rules are the product's: when an entry is refreshed, ahead or before printing, when a failure is
looked at again, how often and after which pauses a call is repeated. What is simplified: the runs
of a host are evenly spread, and a host keeps one set of credentials.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter
from dataclasses import dataclass

from credproc import cache, refresh, windows
from credproc.providers import faults, patience
from credproc.request import DEFAULT_TIMEOUT

#: Seconds: of a run before it calls, of an answer, from one run of a process to the next.
STARTUP, ANSWER, EVERY = 0.25, 0.15, 60.0
#: Seconds after which the start of the fleet is over.
SETTLED = 900


@dataclass(frozen=True)
class Plan:
    """A fleet and how its hosts behave; times are in seconds.

    ``boot`` is how long it takes until all have started, ``limit`` how many calls STS answers in a
    second, ``down`` when it answers none. ``aligned`` runs everything at the full minute, as cron
    does.
    """

    hosts: int
    processes: int = 20
    lifetime: int = 3600
    duration: int = 3 * 3600
    boot: float = 60.0
    limit: int = 600
    jitter: bool = True
    ahead: bool = True
    aligned: bool = False
    down: tuple[int, int] = (0, 0)


@dataclass
class Tally:
    """The effects on runs: how many waited, how long in all and at most, how many failed."""

    waited: int = 0
    waits: float = 0.0
    longest: float = 0.0
    failed: int = 0

    @property
    def mean(self) -> float:
        """The average waiting time in seconds of the runs that waited."""
        return self.waits / self.waited if self.waited else 0.0


class Result:
    """What happened: calls in each second, refused calls; runs at the start and afterwards."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.calls: Counter[int] = Counter()
        self.refused: Counter[int] = Counter()
        self.start, self.later = Tally(), Tally()

    def tally(self, came: float) -> Tally:
        """Return where a run that came then is counted."""
        return self.start if came < SETTLED else self.later

    def runs(self, begin: int, end: int) -> int:
        """Return how many runs there were in that time, about."""
        return int(self.plan.hosts * self.plan.processes * (end - begin) / EVERY)

    def peak(self, begin: int, end: int) -> int:
        """Return the most calls in one second of that time."""
        return max((self.calls[second] for second in range(begin, end)), default=0)

    def mean(self, begin: int, end: int) -> float:
        """Return the calls per second of that time."""
        return sum(self.calls[second] for second in range(begin, end)) / (end - begin)

    def refusals(self, begin: int, end: int) -> int:
        """Return how many calls were refused in that time."""
        return sum(self.refused[second] for second in range(begin, end))


class Sts:
    """Answers so many calls a second, and refuses all others."""

    def __init__(self, plan: Plan, result: Result) -> None:
        self.plan = plan
        self.result = result
        self._answered: Counter[int] = Counter()

    def answers(self, now: float) -> bool:
        """Take a call; whether it is answered with credentials."""
        second = int(now)
        self.result.calls[second] += 1
        is_down = self.plan.down[0] <= now < self.plan.down[1]
        if is_down or self._answered[second] >= self.plan.limit:
            self.result.refused[second] += 1
            return False
        self._answered[second] += 1
        return True


class Host:
    """One host: when its runs come, and what its cache holds."""

    __slots__ = ("entry", "first", "gap", "together")

    def __init__(self, plan: Plan, boot: float) -> None:
        self.entry = cache.Entry(b"")
        self.first = EVERY * math.ceil(boot / EVERY) if plan.aligned else boot
        self.gap = EVERY if plan.aligned else EVERY / plan.processes
        self.together = plan.processes if plan.aligned else 1

    def arrival(self, moment: float) -> float:
        """Return when the first run from that moment on comes."""
        return self.first + max(0, math.ceil((moment - self.first) / self.gap)) * self.gap

    def arrivals(self, begin: float, end: float) -> int:
        """Return how many times runs come from ``begin`` to before ``end``."""
        return max(0, math.ceil((end - begin) / self.gap - 1e-9))

    def due(self, moment: float) -> float:
        """Return when the first run comes that does not just print the cached credentials."""
        entry = self.entry
        looks = (moment, entry.look, entry.ahead) if entry.document else (moment, entry.look)
        return self.arrival(max(looks))


@dataclass
class Attempt:
    """One refresh: of which host, by the run that came when, until when, in which way.

    It is patient if nothing valid is cached.
    """

    host: Host
    came: float
    deadline: float
    waits: bool
    patient: bool
    tries: int = 0


class Fleet:
    """The simulation: one event for each call."""

    def __init__(self, plan: Plan, seed: int = 1) -> None:
        self.plan = plan
        self.random = random.Random(seed)
        self.result = Result(plan)
        self.sts = Sts(plan, self.result)
        self._events: list[tuple[float, int, Attempt]] = []
        self._count = 0

    def run(self) -> Result:
        """Let the time pass."""
        for _ in range(self.plan.hosts):
            host = Host(self.plan, self.random.uniform(0, self.plan.boot))
            self._begin(host, host.first)
        while self._events:
            now, _, attempt = heapq.heappop(self._events)
            self._call(attempt, now)
        return self.result

    def _draw(self) -> float:
        return self.random.random() if self.plan.jitter else 0.5

    def _push(self, attempt: Attempt, moment: float) -> None:
        if moment < self.plan.duration:
            self._count += 1
            heapq.heappush(self._events, (moment, self._count, attempt))

    def _begin(self, host: Host, moment: float) -> None:
        """Let the next run that has to do something do it."""
        came = host.due(moment)
        verdict = host.entry.judge(came)
        limit = refresh.ATTEMPT if verdict == cache.NOW else DEFAULT_TIMEOUT
        if verdict == cache.AHEAD:
            host.entry.look = windows.retry_at(came, host.entry.expiration, self._draw())
        attempt = Attempt(
            host,
            came,
            came + limit,
            waits=verdict != cache.AHEAD,
            patient=not host.entry.is_valid(came),
        )
        self._push(attempt, came + STARTUP)

    def _call(self, attempt: Attempt, now: float) -> None:
        attempt.tries += 1
        answered = self.sts.answers(now)
        now += ANSWER
        if not answered and (attempt.patient or attempt.tries < patience.ATTEMPTS):
            longest = min(patience.LONGEST_PAUSE, faults.THROTTLED_PAUSE * 2 ** (attempt.tries - 1))
            pause = longest * self._draw()
            if now + pause < attempt.deadline:
                self._push(attempt, now + pause)
                return
        self._end(attempt, now, answered)

    def _end(self, attempt: Attempt, now: float, answered: bool) -> None:
        host = attempt.host
        if attempt.waits:
            self._count_waits(attempt, now)
        if answered:
            self._renew(host.entry, now)
        elif host.entry.is_valid(now):
            host.entry.look = windows.retry_at(now, host.entry.expiration, self._draw())
        else:
            host.entry = cache.Entry(b"")
            host.entry.look = windows.failure_expiry(now, self._draw())
            runs = host.arrivals(attempt.came, host.arrival(host.entry.look))
            self.result.tally(attempt.came).failed += runs * host.together
        self._begin(host, now)

    def _count_waits(self, attempt: Attempt, now: float) -> None:
        """Runs that come while another one refreshes before printing wait for it to end."""
        host, tally = attempt.host, self.result.tally(attempt.came)
        times = host.arrivals(attempt.came, now)
        first = now - attempt.came
        tally.waited += times * host.together
        tally.waits += (times * first - host.gap * times * (times - 1) / 2) * host.together
        tally.longest = max(tally.longest, first)

    def _renew(self, entry: cache.Entry, now: float) -> None:
        entry.document = b"credentials"
        entry.issued, entry.look = int(now), 0
        entry.expiration = entry.issued + self.plan.lifetime
        entry.ahead, entry.now = windows.windows(entry.issued, entry.expiration, self._draw())
        if not self.plan.ahead:
            entry.ahead = entry.now
