"""What a provider is: its inputs and retrieve(), and the run that it is asked in.

A provider has three outcomes: credentials; ProviderUnavailable (it does not apply here, the next
one is asked); ProviderFailed (it applies, and refused or broke; nobody else is asked).
"""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Protocol

from credproc import hidden, request
from credproc.errors import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from credproc.credentials import Credentials
    from credproc.log import Log
    from credproc.mfa import Mfa
    from credproc.providers.imds import Service

    Keeper = Callable[["Run", bytes, Callable[["Run"], Credentials], bool], Credentials]


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
        log: Log,
        mfa: Mfa,
        profiles: Sequence[str] = (),
    ) -> None:
        self.environ = environ
        self.deadline = deadline
        self.log = log
        self.mfa = mfa
        #: The profiles that the request names.
        self.profiles = profiles
        #: Processes that were started, and must not outlive the run.
        self.children = mfa.children
        #: Whatever must not be shown, should it turn up in somebody's error message.
        self.secrets = log.secrets
        self.secrets += hidden.of_environment(environ)
        self.keeper: Keeper | None = None
        #: IMDS, once it was asked for something.
        self.imds: Service | None = None

    def until(self, deadline: Deadline) -> Run:
        """Return the same run with another deadline."""
        run = copy.copy(self)
        run.deadline = deadline
        return run

    def kept(
        self, identity: bytes, fetch: Callable[[Run], Credentials], anew: bool = False
    ) -> Credentials:
        """Return what the cache keeps under the identity, or fetch it; with ``anew``, fetch it.

        So whatever lies on the way to an answer has an entry and a lock of its own.
        """
        if self.keeper is None:
            return fetch(self)
        return self.keeper(self, identity, fetch, anew)


def provider(asked: request.Imds | request.Chain | request.Profile) -> Provider:
    """Return the provider that is asked for; botocore is loaded only for those that need it."""
    if isinstance(asked, request.Imds):
        from credproc.providers.imds import Imds

        return Imds(asked.role)
    from credproc.providers.chain import Chain, Profile  # 150 ms

    return Chain(asked) if isinstance(asked, request.Chain) else Profile(asked.name)
