"""The moment by which work must end."""

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
    """A moment on the monotonic clock, which does not change when the time of day is set."""

    def __init__(self, seconds: float, clock: Clock = time) -> None:
        self.seconds = seconds
        self.clock = clock
        self.end = clock.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds left; DeadlineExceeded if there are none."""
        left = self.left()
        if left <= 0:
            raise DeadlineExceeded(f"timed out after {self.seconds:g} s")
        return left

    def left(self) -> float:
        """Return the seconds left, negative after the deadline."""
        return self.end - self.clock.monotonic()

    def timeout(self, most: float = float("inf")) -> float:
        """Return the seconds left, at most ``most``; TimeoutError if there are none."""
        left = self.left()
        if left <= 0:
            raise TimeoutError("timed out")
        return min(left, most)

    def extend(self, other: Deadline) -> None:
        """Move the end to that of the other, if later: for work that must not be interrupted."""
        self.end = max(self.end, other.end)

    def within(self, seconds: float) -> Deadline:
        """Return a deadline ``seconds`` from now, or this one's end if that is sooner."""
        return self if self.left() <= seconds else Deadline(seconds, self.clock)
