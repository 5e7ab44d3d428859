"""Retries of a call: their number, the pauses between them, and the deadline."""

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

#: Tries of a call that fails in a way that may pass. If a service is starting or busy and no valid
#: credentials are cached, the call is retried until the deadline.
ATTEMPTS = 4
#: Seconds. The longest pause, unless the service requests a longer one.
LONGEST_PAUSE = 10.0
#: Seconds that must be left after a pause, for another try.
LAST_TRY = 0.5


def tried(run: Run, what: str, once: Callable[[], Result | Fault], limit: int = 0) -> Result:
    """Call ``once`` until it does not return a Fault, and return the result; raise the last fault.

    ``what`` names the call in the log. ``limit`` is the user's number of tries, 0 if not set.
    """
    attempt = 1
    while True:
        found = once()
        if not isinstance(found, Fault):
            return found
        if not found.pause or attempt >= _most(run, found, limit):
            raise found.error()
        left = run.deadline.left()
        drawn = min(LONGEST_PAUSE, found.pause * 2 ** min(attempt - 1, 10)) * windows.jitter()
        pause = max(min(drawn, left / 2), found.least)
        if left - pause < LAST_TRY:
            raise _out_of_time(found, attempt)
        run.log(f"{what}: {found.message}; retrying in {pause:.2f} s")
        run.deadline.clock.sleep(pause)
        attempt += 1


def _most(run: Run, fault: Fault, limit: int) -> float:
    """Return the maximum number of tries."""
    if not run.patient:
        return min(limit or ATTEMPTS, ATTEMPTS)
    return limit or (math.inf if fault.busy else ATTEMPTS)


def _out_of_time(fault: Fault, attempt: int) -> DeadlineExceeded:
    words = [f"{fault.message}; no time is left to try again"]
    if fault.least:
        words.append(f" after the pause of {fault.least:g} s that it requests")
    elif attempt > 1:
        words.append(f" ({attempt} tries)")
    return DeadlineExceeded("".join(words) + (f": {fault.hint}" if fault.hint else ""))
