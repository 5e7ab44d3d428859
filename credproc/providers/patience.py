"""How long a call is tried: its pauses, its tries, and the deadline."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

from credproc import windows
from credproc.errors import DeadlineExceeded
from credproc.providers.reply import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from credproc.run import Run

    Result = TypeVar("Result")

#: Tries of a call that fails in a way which may pass; a service that is only starting or busy gets
#: as many as fit into the deadline, unless valid credentials are cached.
ATTEMPTS = 4
#: Seconds. A pause is not longer than this, unless the service asks for more.
LONGEST_PAUSE = 10.0


def tried(run: Run, what: str, once: Callable[[], Result | Fault], limit: int = 0) -> Result:
    """Return what ``once`` returns when it returns no Fault; raise the fault that is final.

    ``what`` names the call in the log. ``limit`` is the number of tries where the user has set one.
    """
    attempt = 1
    while True:
        outcome = once()
        if not isinstance(outcome, Fault):
            return outcome
        if not outcome.pause or attempt >= _most(run, outcome, limit):
            raise outcome.error()
        drawn = min(LONGEST_PAUSE, outcome.pause * 2 ** min(attempt - 1, 10)) * windows.jitter()
        pause = max(drawn, outcome.least)
        if run.deadline.left() <= pause:
            raise _out_of_time(outcome, attempt)
        run.log(f"{what}: {outcome.message}; again in {pause:.2f} s")
        run.deadline.clock.sleep(pause)
        attempt += 1


def _most(run: Run, fault: Fault, limit: int) -> float:
    """Return how many tries there are at most."""
    if not run.patient:
        return min(limit or ATTEMPTS, ATTEMPTS)
    return limit or (math.inf if fault.busy else ATTEMPTS)


def _out_of_time(fault: Fault, attempt: int) -> DeadlineExceeded:
    words = [f"{fault.message}; no time is left to try again"]
    if fault.least:
        words.append(f" after the {fault.least:g} s that it asks to wait")
    elif attempt > 1:
        words.append(f" ({attempt} tries)")
    return DeadlineExceeded("".join(words) + (f": {fault.hint}" if fault.hint else ""))
