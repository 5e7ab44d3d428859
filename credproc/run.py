"""One run of credproc as providers see it: environment, deadline, log, and the cache."""

from __future__ import annotations

import copy
import sys

from credproc import __version__, knownsecrets, system
from credproc.answer import Witnesses
from credproc.variables import PROFILES, are_relative, expanded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from credproc.credentials import Credentials
    from credproc.deadline import Deadline
    from credproc.log import Log
    from credproc.mfa import Mfa

    Resolver = Callable[["Run", bytes, Callable[["Run"], Credentials], bool, bool], Credentials]


class Run:
    """What a provider may use of the run that calls it."""

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
        #: The deadline of the whole run, which that of a part may precede (see until).
        self.whole = deadline
        self.log = log
        self.mfa = mfa
        #: Seconds of the MFA session that roles are assumed with, 0 without one.
        self.mfa_session = 0
        #: The profiles that the request names, and those that they refer to.
        self.profiles = list(profiles)
        #: Processes that the run has started, and that must not outlive it.
        self.children = mfa.children
        #: Secrets, which are removed from every message.
        self.secrets = log.secrets
        self.secrets += knownsecrets.of_environment(environ)
        #: Whether to retry until the deadline if a service is only starting or busy: not if valid
        #: credentials are cached.
        self.patient = True
        self.resolver: Resolver | None = None
        #: What the answer depends on.
        self.witnesses = Witnesses(environ)
        #: The keys of the sessions that the run used, each before the sessions that issued it.
        self.sessions: list[bytes] = []
        #: What providers share within the run, by name: the IMDS connection and its token.
        self.shared: dict[str, Any] = {}

    def introduce(self) -> None:
        """Log the versions and the profile."""
        if not (self.log.verbose or self.log.path):
            return
        python = ".".join(map(str, sys.version_info[:3]))
        whose = f"profile {', '.join(self.profiles)}" if self.profiles else "no profile"
        named = next((name for name in PROFILES if self.environ.get(name)), "")
        if named:
            whose += f", {named}={self.environ[named]}"
        self.log(f"credproc {__version__}, Python {python}, {whose}")

    def witness_paths(self) -> None:
        """Record what the paths of the shared files depend on."""
        for variable in expanded(self.environ):
            self.witnesses.variable(variable)
        if are_relative(self.environ):
            self.witnesses.directory()

    def until(self, deadline: Deadline) -> Run:
        """Return the same run with another deadline."""
        run = copy.copy(self)
        run.deadline = deadline
        return run

    def contents(self, path: str, again: bool = False) -> bytes:
        """Return what a small file contained when this run first read it; OSError or ValueError.

        So a session is never cached under the key of another token, even if the file is replaced
        meanwhile. If a file that is read ``again`` has changed, nothing is cached.
        """
        name = f"file {path}"
        before = self.shared.get(name)
        if again or before is None:
            self.witnesses.file(path)
            try:
                self.shared[name] = system.read(path)
            except (OSError, ValueError) as error:
                self.shared[name] = error
            if before is not None and before != self.shared[name]:
                self.witnesses.changed = path
        found = self.shared[name]
        if isinstance(found, Exception):
            raise found
        return bytes(found)

    def session(
        self,
        key: bytes,
        fetch: Callable[[Run], Credentials],
        force: bool = False,
        person: bool = False,
    ) -> Credentials:
        """Return the credentials of a session from the cache, or fetch them; with ``force``, fetch.

        Each session has its own entry and lock, so that only one process fetches it for all
        invocations that need it. ``person`` says that fetching may need a person.
        """
        self.sessions.append(key)
        if self.resolver is None:
            return fetch(self)
        return self.resolver(self, key, fetch, force, person)
