"""What the doctor looks at: a check is a line about one thing, and what to do about it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from credproc import hidden, recursion
from credproc.deadline import Deadline
from credproc.errors import CodeNotGiven, clean
from credproc.mfa import Mfa
from credproc.run import Run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

    from credproc.ctl.shared import Shared, Target
    from credproc.log import Log
    from credproc.store import Store

OK, WARN, FAIL = "ok", "warn", "fail"


class Check:
    """One finding: what was looked at, how it is, in words, and what to do (empty if nothing)."""

    def __init__(self, status: str, name: str, text: str, advice: str = "") -> None:
        self.status = status
        self.name = name
        self.text = text
        self.advice = advice


class Case:
    """What is examined: an environment, its config files, and a command line if there is one."""

    def __init__(
        self,
        environ: Mapping[str, str],
        log: Log,
        shared: Shared | None,
        patience: float = 20,
        slow: float = 0.5,
    ) -> None:
        self.environ = environ
        #: Seconds that another program may run, and that credproc may take to start.
        self.patience = patience
        self.slow = slow
        self.log = log
        #: None if a config file cannot be read.
        self.shared = shared
        self.target: Target | None = None
        self.store: Store | None = None
        #: The roles that were assumed just now: the place of the provider, and of the role, from 1.
        self.assumed: set[tuple[int, int]] = set()
        #: Other machines' times as their answers stated them, and when they came (epoch seconds).
        self.dates: dict[str, tuple[str, float]] = {}

    def run(self) -> Run:
        """Return a run of the providers that prompts for no MFA code, and caches nothing."""
        seconds = self.target.request.timeout if self.target else 10
        profiles = recursion.profiles(self.target.request) if self.target else []
        mfa = Unasked("", self.environ)
        made = Run(self.environ, Deadline(seconds), self.log, mfa, profiles)
        made.mfa_session = self.target.request.mfa_session if self.target else 0
        made.patient = False  # a person wants to know what is wrong now
        return made

    def said(self, error: Exception) -> str:
        """Return an error in one line, without the secrets that were at hand."""
        return clean(str(error), [*self.log.secrets, *hidden.of_files(self.environ)])

    def dated(self, who: str, date: str) -> None:
        """Take note of a service's time, if it said one."""
        if date:
            self.dates[who] = (date, time.time())


class Unasked(Mfa):
    """No code is got: one that was used up here would be missed a moment later."""

    def with_code(self, serial: str, purpose: str, *_: object) -> NoReturn:
        """Refuse."""
        raise CodeNotGiven(f"not checked, because {purpose} needs an MFA code of {serial}")
