"""One run of credproc, as providers see it: environment, deadline, log, and how to cache."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from credproc import hidden

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from credproc.credentials import Credentials
    from credproc.deadline import Deadline
    from credproc.log import Log
    from credproc.mfa import Mfa

    Keeper = Callable[["Run", bytes, Callable[["Run"], Credentials], bool], Credentials]


class Run:
    """What a provider may know and use of the run that it works in."""

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
        #: The deadline of the whole run, whatever that of a part of it is (see until).
        self.whole = deadline
        self.log = log
        self.mfa = mfa
        #: The profiles that the request names.
        self.profiles = profiles
        #: Processes that were started, and must not outlive the run.
        self.children = mfa.children
        #: Whatever must not be shown, should it turn up in somebody's error message.
        self.secrets = log.secrets
        self.secrets += hidden.of_environment(environ)
        #: Whether a service that is only starting or busy is waited for until the deadline: not
        #: where valid credentials are cached.
        self.patient = True
        self.keeper: Keeper | None = None
        #: What providers share within the run, by their names: IMDS's connection and token.
        self.shared: dict[str, Any] = {}

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
