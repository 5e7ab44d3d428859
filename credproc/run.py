"""One run of credproc, as providers see it: environment, deadline, log, and how to cache."""

from __future__ import annotations

import copy
import sys

from credproc import __version__, hidden, system
from credproc.answer import Witnesses
from credproc.variables import are_relative, expanded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from credproc.credentials import Credentials
    from credproc.deadline import Deadline
    from credproc.log import Log
    from credproc.mfa import Mfa

    Keeper = Callable[["Run", bytes, Callable[["Run"], Credentials], bool, bool], Credentials]


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
        #: Seconds of the session with MFA that roles are assumed with, 0 without one.
        self.mfa_session = 0
        #: The profiles that the request names, and those that they lead to.
        self.profiles = list(profiles)
        #: Processes that were started, and must not outlive the run.
        self.children = mfa.children
        #: Whatever must not be shown, should it turn up in somebody's error message.
        self.secrets = log.secrets
        self.secrets += hidden.of_environment(environ)
        #: Whether a service that is only starting or busy is waited for until the deadline: not
        #: where valid credentials are cached.
        self.patient = True
        self.keeper: Keeper | None = None
        #: What the answer depends on.
        self.witnesses = Witnesses(environ)
        #: The keys of the sessions that it needed, each before those that it is made from.
        self.sessions: list[bytes] = []
        #: What providers share within the run, by their names: IMDS's connection and token.
        self.shared: dict[str, Any] = {}

    def introduce(self) -> None:
        """Tell the log what runs, and for which profile."""
        if not (self.log.verbose or self.log.path):
            return
        from credproc.providers.session import PROFILE_VARIABLES

        python = ".".join(map(str, sys.version_info[:3]))
        whose = f"profile {', '.join(self.profiles)}" if self.profiles else "no profile"
        named = next((name for name in PROFILE_VARIABLES if self.environ.get(name)), "")
        if named:
            whose += f", {named}={self.environ[named]}"
        self.log(f"credproc {__version__}, Python {python}, {whose}")

    def witness_paths(self) -> None:
        """Note what the paths of the shared files are made of."""
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

        So a session is never cached under the key of another token, whatever replaces the file
        meanwhile. What is read ``again``, and is not the same, lets nothing be cached.
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
        anew: bool = False,
        person: bool = False,
    ) -> Credentials:
        """Return the credentials of a session from the cache, or fetch them; with ``anew``, fetch.

        Each session has an entry and a lock of its own, so that whatever invocations need it, one
        process fetches it. ``person`` says that this may need a person.
        """
        self.sessions.append(key)
        if self.keeper is None:
            return fetch(self)
        return self.keeper(self, key, fetch, anew, person)
