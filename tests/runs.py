"""Providers called in this process: the clock of a run, its log, and what a call returned."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from credproc.errors import CredprocError, clean
from credproc.log import Log

if TYPE_CHECKING:
    from collections.abc import Callable

    from credproc.credentials import Credentials
    from credproc.run import Run


class Clock:
    """A clock that the test moves."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Hurry:
    """A monotonic clock that jumps over pauses, and goes ``faster`` than time."""

    def __init__(self, faster: float = 1) -> None:
        self.faster = faster
        #: Seconds of each pause.
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.faster * time.monotonic() + sum(self.pauses)

    def sleep(self, seconds: float, /) -> None:
        self.pauses.append(seconds)


class RecordedLog(Log):
    """A log whose lines the test reads, as they would be printed."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        super().__init__("", now)
        self.lines: list[str] = []
        self._more = threading.Condition()

    def __call__(self, text: str) -> None:
        super().__call__(text)
        with self._more:
            self.lines.append(self.fit(text))
            self._more.notify_all()

    def wait_for(self, text: str) -> None:
        """Return when a line has the text; AssertionError if none has it in time."""
        with self._more:
            assert self._more.wait_for(lambda: any(text in line for line in self.lines), 10), text


class Outcome(NamedTuple):
    """What a call returned or raised, what it logged, and how long it took."""

    found: Credentials | None
    error: CredprocError | None
    log: str
    secrets: list[str]
    seconds: float

    @property
    def said(self) -> str:
        """The error's text as it would be printed."""
        return clean(str(self.error), self.secrets) if self.error else ""

    @property
    def kind(self) -> type[CredprocError] | None:
        """The class of the error."""
        return type(self.error) if self.error else None


def called(
    run: Run,
    retrieve: Callable[[Run], Credentials],
    caught: type[CredprocError] | tuple[type[CredprocError], ...] = CredprocError,
) -> Outcome:
    """Call a provider; errors that are not ``caught`` are raised."""
    assert isinstance(run.log, RecordedLog)
    started = time.monotonic()
    found = error = None
    try:
        found = retrieve(run)
    except caught as raised:
        error = raised
    seconds = time.monotonic() - started
    return Outcome(found, error, "\n".join(run.log.lines), run.secrets, seconds)
