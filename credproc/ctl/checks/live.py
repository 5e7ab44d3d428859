"""The providers, called as a run would call them, and each role of a chain."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from credproc import credentials, request
from credproc.ctl import explaining, sessions
from credproc.ctl.checks import FAIL, OK, WARN, Check
from credproc.ctl.output import span
from credproc.errors import (
    NO_INSTANCE,
    CodeNotGiven,
    CredprocError,
    ProviderUnavailable,
    masked,
)
from credproc.providers import imds, provider
from credproc.variables import CONTAINER_IDENTITIES
from credproc.windows import SIGNING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from credproc.credentials import Credentials
    from credproc.ctl.checks import Case
    from credproc.ctl.sessions import ProviderRequest
    from credproc.run import Run


def containers(case: Case) -> Iterator[Check]:
    """Check whether this is a container with an identity of its own."""
    for name in CONTAINER_IDENTITIES:
        value = case.environ.get(name)
        if not value:
            continue
        requested = case.target.request.providers if case.target else []
        if any(isinstance(each, request.Imds) and not each.role for each in requested):
            yield Check(WARN, "container", f"{name} is set: this container has an identity of its "
                        "own, and --imds without a role is unavailable",
                        "name the role (--imds ROLE) to use the node's, or start a chain at "
                        "--source container or web-identity")  # fmt: skip
        else:
            yield Check(OK, "container", f"{name} is set: this container has an identity of its "
                        "own")  # fmt: skip


def providers(case: Case) -> Iterator[Check]:
    """Try every provider of the command line, in order, and say which one a run would use."""
    if case.target is None:
        return
    requested = case.target.request.providers
    answered, ended = "", False
    for number, each in enumerate(requested, 1):
        name = explaining.name(each)
        recorder = Recorder(case, number)
        found, error = _tried(case, each, recorder)
        moves_on = isinstance(error, ProviderUnavailable)
        # A run does not try providers after the first that works; their errors are warnings here.
        bad = WARN if answered or ended or isinstance(error, CodeNotGiven) else FAIL
        if moves_on and number < len(requested):
            bad = OK
        yield from recorder.checks(bad)
        if found is not None:
            yield _good(name, found)
            if not answered and not ended:
                case.long_term = not found.expiration
            answered = answered or ("" if ended else name)
        elif error is not None:  # pragma: no branch - if nothing was found
            yield _failed(case, name, error, recorder, bad)
            ended = ended or not moves_on
    if answered:
        yield Check(OK, "answer", f"comes from {answered}")


def _failed(case: Case, name: str, error: CredprocError, recorder: Recorder, bad: str) -> Check:
    """Return the check of a provider without credentials; a reported error is not repeated."""
    text = case.shown(error)
    if isinstance(error, CodeNotGiven):
        text = f"not checked, because {recorder.failed} needs an MFA code"
    elif recorder.reported and recorder.reported in text:
        text = f"no credentials, because {recorder.failed} failed"
    advice = _elsewhere(case) if bad == FAIL and NO_INSTANCE in text else ""
    return Check(bad, name, f"does not apply here: {text}" if bad == OK else text, advice)


def _elsewhere(case: Case) -> str:
    """Return what to do if the last provider is the instance's role, and there is no instance."""
    profile = case.target.profile if case.target else ""
    if not profile:
        return "to check a profile: `credprocctl doctor PROFILE`"
    return (
        "on other machines, credproc needs another provider: `credprocctl profile add "
        f"{profile} --replace -- --imds --profile NAME`"
    )


def _tried(
    case: Case, requested: ProviderRequest, recorder: Recorder
) -> tuple[Credentials | None, CredprocError | None]:
    """Try one provider; the recorder gets the results of its sessions."""
    run = case.run()
    found: Credentials | None = None
    error: CredprocError | None = None
    try:
        recorder.expect(run, requested)
        run.resolver = recorder
        found = provider(requested).retrieve(run)
    except CredprocError as raised:
        error = raised
    imds = run.shared.get("imds")
    if imds is not None:
        case.dated("IMDS", imds.connection.headers.get("date", ""))
        if found is not None and isinstance(requested, request.Imds):
            recorder.add(Check(
                OK, "metadata", f"{imds.settings.url} returns tokens (IMDSv2), so the hop limit "
                f"is high enough here; the role is {run_role(run)}",
            ))  # fmt: skip
    return found, error


def run_role(run: Run) -> str:
    """Return the name of the instance's role, "?" if it has been detached in the meantime."""
    try:
        return imds.role_name(run)
    except CredprocError:
        return "?"


def _good(name: str, found: Credentials) -> Check:
    """Return the check of credentials that were fetched."""
    if not found.expiration:
        return Check(OK, name, f"long-term keys {masked(found.access_key)}, which are never "
                     "cached")  # fmt: skip
    left = found.expiration - time.time()
    until = credentials.write_time(found.expiration)
    distance = f"in {span(left)}" if left > 0 else f"{span(left)} ago"
    text = f"key {masked(found.access_key)}, valid until {until} ({distance})"
    if found.account_id:
        text += f", account {found.account_id}"
    if found.arn:
        text += f", {found.arn}"
    if left <= 0:
        return Check(WARN, name, text, "this machine's clock is wrong, or IMDS cannot renew them "
                     "at the moment")  # fmt: skip
    if left < SIGNING:
        return Check(WARN, name, text, "botocore runs credproc at every request while less than "
                     "15 min are left: request longer sessions")  # fmt: skip
    return Check(OK, name, text)


class Recorder:
    """Records the result of each session of a chain; it caches nothing."""

    def __init__(self, case: Case, number: int) -> None:
        self.case = case
        self.number = number
        #: The results by the name of the session: the credentials, or the error.
        self._steps: dict[str, Credentials | CredprocError] = {}
        self._expected: dict[bytes, sessions.Step] = {}
        self._others: list[Check] = []
        #: The error that has been reported, and the session that it is from.
        self.reported = self.failed = ""

    def expect(self, run: Run, requested: ProviderRequest) -> None:
        """Note the sessions of a chain; the environment's keys are not fetched by __call__."""
        if isinstance(requested, request.Imds):
            return
        from credproc.providers.chain import described  # botocore, 150 ms

        roles = described(run, requested)
        if not roles.hops:
            return  # the provider's own line is enough
        self._expected = {step.key: step for step in sessions.steps(run, roles)}
        if roles.source.kind == "env":
            try:
                self._steps["source"] = roles.source.retrieve(run)
            except CredprocError as error:
                self._steps["source"] = error
                raise

    def __call__(
        self, run: Run, key: bytes, fetch: Callable[[Run], Credentials], force: bool, _: bool
    ) -> Credentials:
        """Fetch, unless that takes an MFA code and the session is cached."""
        step = self._expected.get(key)
        if step is None:
            return fetch(run)
        try:
            found = None if force else self._cached(step)
            if found is None:
                found = fetch(run)
                self.case.assumed.add((self.number, step.number))
        except CredprocError as error:
            # Sessions that are made from a failed one fail, too, and need no line of their own.
            if not any(isinstance(step, CredprocError) for step in self._steps.values()):
                self._steps[step.name] = error
            raise
        self._steps[step.name] = found
        return found

    def add(self, check: Check) -> None:
        """Add another finding."""
        self._others.append(check)

    def checks(self, bad: str) -> Iterator[Check]:
        """Yield the findings; a failure has the status ``bad``."""
        for name, step in self._steps.items():
            if isinstance(step, CredprocError):
                self.reported, self.failed = self.case.shown(step), name
                yield Check(bad, name, self.reported)
            else:
                yield _good(name, step)
        yield from self._others

    def _cached(self, step: sessions.Step) -> Credentials | None:
        takes_code = step.parts.get("serial_number") or "mfa_session" in step.parts
        if not takes_code or self.case.store is None:
            return None
        entry = self.case.store.read(step.key)
        if entry is None or not entry.is_valid(time.time()):
            return None
        return credentials.from_document(entry.document, entry.provider)
