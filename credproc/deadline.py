"""A moment that work must not outlast."""

from __future__ import annotations

import time

from credproc.errors import DeadlineExceeded


class Deadline:
    """A moment on the monotonic clock, which setting the time of day does not move."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds left; DeadlineExceeded if there are none."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded(f"no answer within {self.seconds:g} s")
        return left

    def left(self) -> float:
        """Return the seconds left, negative if it has passed."""
        return self.end - time.monotonic()

    def extend(self, other: Deadline) -> None:
        """Move the end to the other's, if that is later: for work that must not be cut off."""
        self.end = max(self.end, other.end)

    def within(self, seconds: float) -> Deadline:
        """Return a deadline ``seconds`` from now, or this one's end if that is sooner."""
        left = self.end - time.monotonic()
        return self if left <= seconds else Deadline(seconds)
