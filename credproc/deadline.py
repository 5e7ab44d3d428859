"""A moment that work must not outlast."""

from __future__ import annotations

import time

from credproc.errors import DeadlineExceeded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Clock(Protocol):
        """What the time module has of the monotonic clock."""

        def monotonic(self) -> float: ...
        def sleep(self, seconds: float, /) -> None: ...


class Deadline:
    """A moment on the monotonic clock, which setting the time of day does not move."""

    def __init__(self, seconds: float, clock: Clock = time) -> None:
        self.seconds = seconds
        self.clock = clock
        self.end = clock.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds left; DeadlineExceeded if there are none."""
        left = self.left()
        if left <= 0:
            raise DeadlineExceeded(f"no answer within {self.seconds:g} s")
        return left

    def left(self) -> float:
        """Return the seconds left, negative if it has passed."""
        return self.end - self.clock.monotonic()

    def extend(self, other: Deadline) -> None:
        """Move the end to the other's, if that is later: for work that must not be cut off."""
        self.end = max(self.end, other.end)

    def within(self, seconds: float) -> Deadline:
        """Return a deadline ``seconds`` from now, or this one's end if that is sooner."""
        return self if self.left() <= seconds else Deadline(seconds, self.clock)
