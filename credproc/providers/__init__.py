"""What a provider is: its inputs and retrieve(), and the run that it is asked in.

A provider has three outcomes: credentials; ProviderUnavailable (it does not apply here, the next one
is asked); ProviderFailed (it applies, and refused or broke; nobody else is asked).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from credproc.errors import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from credproc.credentials import Credentials
    from credproc.mfa import Mfa


class Provider(Protocol):
    """A way to get credentials."""

    name: str

    def retrieve(self, run: Run) -> Credentials:
        """Return credentials, or raise ProviderUnavailable or ProviderFailed."""


class Deadline:
    """A moment that work must not outlast, on the clock that no one sets."""

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

    def within(self, seconds: float) -> Deadline:
        """Return a deadline ``seconds`` from now, or this one's end if that is sooner."""
        left = self.end - time.monotonic()
        return self if left <= seconds else Deadline(seconds)


class Run:
    """What a provider may know and use of the run that it is asked in."""

    def __init__(
        self,
        environ: Mapping[str, str],
        deadline: Deadline,
        log: Callable[[str], None],
        keeper: Callable[[Run, bytes, Callable[[Run], Credentials], bool], Credentials],
        mfa: Mfa,
        secrets: list[str],
    ) -> None:
        self.environ = environ
        self.deadline = deadline
        self.log = log
        self.keeper = keeper
        self.mfa = mfa
        #: Whatever must not be shown, should it turn up in somebody's error message.
        self.secrets = secrets

    def until(self, deadline: Deadline) -> Run:
        """Return the same run with another deadline."""
        return Run(self.environ, deadline, self.log, self.keeper, self.mfa, self.secrets)

    def kept(
        self, identity: bytes, fetch: Callable[[Run], Credentials], anew: bool = False
    ) -> Credentials:
        """Return what the cache keeps under the identity, or fetch it; with ``anew``, fetch it.

        So whatever lies on the way to an answer has an entry and a lock of its own.
        """
        return self.keeper(self, identity, fetch, anew)
