"""The checks of the doctor: each is a line about one thing, and what to do about it."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

from credproc import knownsecrets, recursion
from credproc.deadline import Deadline
from credproc.errors import CodeNotGiven, CredprocError, clean
from credproc.mfa import Mfa
from credproc.request import Imds
from credproc.run import Run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import NoReturn

    from credproc.ctl.shared import Shared, Target
    from credproc.log import Log
    from credproc.providers.roles import Roles
    from credproc.store import Store

OK, WARN, FAIL = "ok", "warn", "fail"


class Check:
    """One finding: its status, what was checked, the result, and what to do ("" if nothing)."""

    def __init__(self, status: str, name: str, text: str, advice: str = "") -> None:
        self.status = status
        self.name = name
        self.text = text
        self.advice = advice


class Case:
    """What to check: an environment, its config files, and a command line if there is one."""

    def __init__(
        self,
        environ: Mapping[str, str],
        log: Log,
        shared: Shared | None,
        patience: float = 20,
        slow: float = 0.5,
    ) -> None:
        self.environ = environ
        #: Seconds that another program may run, and that credproc should take to start.
        self.patience = patience
        self.slow = slow
        self.log = log
        #: None if a config file cannot be read.
        self.shared = shared
        self.target: Target | None = None
        self.store: Store | None = None
        #: The roles that were just assumed: the numbers of the provider and of the role, from 1.
        self.assumed: set[tuple[int, int]] = set()
        #: Whether a run would print long-term keys, which are never cached.
        self.long_term = False
        #: The times in responses of services, and when they arrived (epoch seconds).
        self.dates: dict[str, tuple[str, float]] = {}

    def run(self) -> Run:
        """Return a run of the providers that prompts for no MFA code, and caches nothing."""
        seconds = self.target.request.timeout if self.target else 10
        profiles = recursion.profiles(self.target.request) if self.target else []
        mfa = NoPrompt("", self.environ)
        made = Run(self.environ, Deadline(seconds), self.log, mfa, profiles)
        made.mfa_session = self.target.request.mfa_session if self.target else 0
        made.patient = False  # report an error at once, instead of waiting for a service
        return made

    def chains(self) -> Iterator[tuple[int, Run, Roles]]:
        """Yield each role chain: the number of its provider, from 1, a run, and its roles.

        A provider that would fail is left out, because the check of the providers reports it.
        """
        for number, each in enumerate(self.target.request.providers if self.target else [], 1):
            if isinstance(each, Imds):
                continue
            from credproc.providers.chain import described  # botocore, 150 ms

            run = self.run()
            try:
                roles = described(run, each)
            except CredprocError:
                continue
            yield number, run, roles

    def started(self, words: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end, as a tool would; OSError, subprocess.TimeoutExpired."""
        return subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=self.patience,
            check=False,
            env=dict(self.environ),
        )

    def shown(self, error: Exception) -> str:
        """Return an error in one line, without the secrets that are known."""
        return clean(str(error), [*self.log.secrets, *knownsecrets.of_files(self.environ)])

    def dated(self, who: str, date: str) -> None:
        """Record a service's time, if its response contained one."""
        if date:
            self.dates[who] = (date, time.time())


class NoPrompt(Mfa):
    """Never gets a code: a code works once, and the next run would lack the one used here."""

    def with_code(self, serial: str, purpose: str, *_: object) -> NoReturn:
        """Refuse."""
        raise CodeNotGiven(f"not checked, because {purpose} needs an MFA code of {serial}")
