"""Work that must not outlast its deadline or a signal, whatever it is stuck in.

A name that is being resolved, a file system that hangs or a helper's helper cannot be interrupted.
So the work is done in a thread, and the main thread, which gets the signals, waits for it.
"""

from __future__ import annotations

import os
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

#: What is done before a signal ends the run; each is told the signal's name.
farewells: list[Callable[[str], None]] = []


def on_signals() -> None:
    """Let SIGINT and SIGTERM end the run at once, with the statuses 130 and 143.

    Nothing is raised, since an exception might arrive where it is swallowed, or ends in a
    traceback. A signal that the caller has ignored (`nohup`, `&` in a script) stays ignored.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)


def _leave(number: int, _: object) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, _leave_now)
    try:
        for farewell in farewells:
            farewell(signal.Signals(number).name)
    finally:
        os._exit(128 + number)


def _leave_now(number: int, _: object) -> None:
    os._exit(128 + number)


def supervised(work: Callable[[], Result], deadline: Deadline, log: Log) -> Result:
    """Return what ``work`` returns, or raise what it raises; DeadlineExceeded if it is stuck.

    What is stuck goes on in its thread until the process ends.
    """
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
    try:
        thread.start()
    except RuntimeError:  # no memory for one, or too many processes: better unsupervised than not
        return work()
    if not done.wait(max(deadline.left(), 0) + GRACE):
        doing = f" (the last that was heard: {log.latest})" if log.latest else ""
        raise DeadlineExceeded(f"no answer within {deadline.seconds:g} s{doing}")
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
