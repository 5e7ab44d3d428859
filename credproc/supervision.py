"""Work that must not outlast its deadline or a signal, whatever it is stuck in.

A name that is being resolved, a file system that hangs or a helper's helper cannot be interrupted.
So the work is done in a thread, and the main thread, which gets the signals, waits for it.
"""

from __future__ import annotations

import signal
import threading

from credproc.errors import DeadlineExceeded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from credproc.log import Log
    from credproc.providers import Deadline

    Result = TypeVar("Result")

#: Seconds that work may take after its deadline to say so in its own words.
GRACE = 0.25


class Terminated(BaseException):
    """SIGTERM came."""


def on_sigterm() -> None:
    """Make SIGTERM raise Terminated in the main thread."""
    signal.signal(signal.SIGTERM, _terminated)


def _terminated(*_: object) -> None:
    raise Terminated


def supervised(work: Callable[[], Result], deadline: Deadline, log: Log) -> Result:
    """Return what ``work`` returns, or raise what it raises; DeadlineExceeded if it is stuck."""
    results: list[Result] = []
    errors: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    if not done.wait(max(deadline.left(), 0) + GRACE):
        doing = f" (the last that was heard: {log.latest})" if log.latest else ""
        raise DeadlineExceeded(f"no answer within {deadline.seconds:g} s{doing}")
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
