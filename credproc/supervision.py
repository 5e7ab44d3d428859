"""Work that must not outlast its deadline or a signal, wherever it hangs.

A name lookup, a hung file system or a helper's child cannot be interrupted. So the work is done in
a thread, and the main thread, which gets the signals, waits for it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading

from credproc import processes
from credproc.errors import DeadlineExceeded, ProviderFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from credproc.deadline import Deadline
    from credproc.log import Log

    Result = TypeVar("Result")

#: Seconds that work may take after its deadline to report its own error.
GRACE = 0.25
#: Seconds between two checks for signals and of the memory.
POLL = 0.1

#: Seconds to end helpers and to write a line when a signal ends the run.
CLEANUP = 1.0

#: The signals that end a run.
ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)

_before_end: list[Callable[[str], None]] = []
_after_stop: list[Callable[[], None]] = []


def on_signals() -> None:
    """Let SIGHUP, SIGINT and SIGTERM end the run at once, with the statuses 129, 130 and 143.

    Nothing is raised, because an exception may be swallowed, or end in a traceback. A signal that
    the caller has ignored (`nohup`, `&` in a script) stays ignored, except SIGCHLD: a process that
    ignores it never learns how its helpers ended.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGCONT, _resumed)
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


@contextlib.contextmanager
def calling(before_end: Callable[[str], None], after_stop: Callable[[], None]) -> Iterator[None]:
    """Within the context, call ``before_end`` before a signal ends the run, with the signal's name,
    and ``after_stop`` when the process is resumed (Ctrl-Z, then fg)."""
    _before_end.append(before_end)
    _after_stop.append(after_stop)
    try:
        yield
    finally:
        _before_end.remove(before_end)
        _after_stop.remove(after_stop)


def _resumed(*_: object) -> None:
    for each in _after_stop:
        each()


def _end(number: int, _: object) -> None:
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)  # a second signal does not cut the cleanup short
    signal.signal(signal.SIGALRM, lambda *_: os._exit(128 + number))
    signal.setitimer(signal.ITIMER_REAL, CLEANUP)
    try:
        for call in _before_end:
            call(signal.Signals(number).name)
    finally:
        os._exit(128 + number)


def supervised(
    work: Callable[[], Result],
    deadline: Deadline,
    log: Log,
    grace: float = GRACE,
    most: int = 0,
) -> Result:
    """Return what ``work`` returns, or raise what it raises; DeadlineExceeded if it hangs.

    Work that hangs stays in its thread until the process ends. With ``most``, ProviderFailed if the
    process grows by more bytes than that: libraries read a whole response, even an endless one.
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
    except RuntimeError:  # no thread for lack of memory or processes: better unsupervised than not
        return work()
    if not _is_done(done, deadline, grace, most):
        doing = f" (last step: {log.latest})" if log.latest else ""
        raise DeadlineExceeded(f"timed out after {deadline.seconds:g} s{doing}")
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _is_done(done: threading.Event, deadline: Deadline, grace: float, most: int) -> bool:
    """Wait until ``grace`` seconds after the deadline, which the work may extend.

    ProviderFailed if the process grows by more than ``most`` bytes, if not 0. Each wait is short:
    the system may deliver a signal to another thread, and then nothing would wake the main thread,
    which alone handles it.
    """
    clock = deadline.clock
    started = clock.monotonic()
    least = 0

    def left() -> float:
        return max(deadline.end, started) + grace - clock.monotonic()

    while not done.wait(min(POLL, max(left(), 0))):
        if left() <= 0:
            return False
        peak = processes.peak_memory() if most else 0
        least = least or peak
        if peak > least + most:
            raise ProviderFailed(f"the response does not end (over {most >> 20} MiB so far)")
    return True
