"""A role chain: AssumeRole hop by hop from source credentials, each hop cached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc import limits, recursion, request, session, slips
from credproc.errors import (
    CodeNotGiven,
    ProviderFailed,
    RequestError,
    SourceRejected,
    UsageError,
    WrongCode,
    apart,
)
from credproc.providers import mfasession, stsendpoint
from credproc.providers.denials import Denied
from credproc.providers.profile import roles
from credproc.providers.refusals import SessionTooLong
from credproc.providers.roles import Roles
from credproc.providers.source import Source
from credproc.providers.sts import Sts, load_config

if TYPE_CHECKING:
    from typing import Any

    from credproc.credentials import Credentials
    from credproc.providers.sharedconfig import SharedConfig
    from credproc.run import Run


class Chain:
    """The role chain on the command line."""

    name = "chain"

    def __init__(self, chain: request.Chain) -> None:
        self.chain = chain

    def retrieve(self, run: Run) -> Credentials:
        """Return the credentials of the last hop; the roles of a source profile come first."""
        return Assuming(run, described(run, self.chain)).last()


class Profile:
    """A profile of the shared config: its role chain, or credentials of its own."""

    def __init__(self, profile: request.Profile) -> None:
        self.name = f"profile {profile.name}"
        self.profile = profile

    def retrieve(self, run: Run) -> Credentials:
        """Return the credentials of the profile's last role, or else the profile's own."""
        found = described(run, self.profile)
        if not found.hops:
            return found.source.retrieve(run)
        return Assuming(run, found, self.profile.name).last()


def check(shared: SharedConfig, requested: request.Chain) -> None:
    """Raise UsageError for a role that the service of the chain cannot have."""
    wrong = stsendpoint.role_arn(shared)
    for hop in requested.hops:
        problem = wrong(hop.role_arn)
        if problem:
            raise UsageError(slips.wrong("--role-arn:", hop.role_arn, problem))


def described(run: Run, requested: request.Chain | request.Profile) -> Roles:
    """Return the requested roles; RequestError if a credproc that started this one is already
    resolving the same profile."""
    name = requested.name if isinstance(requested, request.Profile) else requested.profile
    shared = load_config(run, name)
    found = roles(shared, name) if name else Roles(Source("", shared), shared)
    # Checked now: waiting for the lock of the run that started this one would last to its deadline.
    recursion.check_path(found.profiles, run.environ)
    run.profiles[:] = dict.fromkeys([*run.profiles, *found.profiles])
    if isinstance(requested, request.Chain):
        check(shared, requested)
        if not name:
            found.source = Source(requested.source, shared)
        for hop in requested.hops:
            found.add(hop)
    if run.mfa_session:
        mfasession.check(run, found)
    return found


class Assuming:
    """Assumes the roles of one chain, each with the credentials of the role before it.

    ``profile`` is the profile that defines them, "" if the command line does.
    """

    def __init__(self, run: Run, roles: Roles, profile: str = "") -> None:
        self.profile = profile
        self.run = run
        self.roles = roles
        self.hops = roles.hops
        self.source = roles.source
        self.sts = Sts(roles.shared)
        for number in range(1, len(self.hops) + 1):
            roles.region(run, number)  # an invalid region is found before any call

    def last(self) -> Credentials:
        """Return the credentials of the last role."""
        return self._role(self.run, len(self.hops))

    def _role(self, run: Run, number: int, force: bool = False) -> Credentials:
        """Return the credentials of role ``number``; 0 is the source.

        Every chain takes its locks from the last role to the first, so chains that begin with the
        same roles wait for each other but never deadlock.
        """
        if not number:
            try:
                return self.source.retrieve(run, force)
            except (ProviderFailed, RequestError) as error:
                who = f"source {self.source.text}: "
                if isinstance(error, RequestError) and self.source.kind == "profile":
                    who = ""  # the message names the profile
                raise type(error)(f"{who}{error}") from error

        def fetch(run: Run) -> Credentials:
            return self._assume(run, number)

        key = session.key(self.roles.parts(run, number))
        person = bool(self.hops[number - 1].serial_number) or self.source.person
        return run.session(key, fetch, force, person)

    def _assume(self, run: Run, number: int) -> Credentials:
        """Assume role ``number``; fetch its source credentials again, once, if STS rejects them."""
        caller = self._caller(run, number)
        try:
            return self._call(run, number, caller)
        except SourceRejected as error:
            run.log(f"role {number}: {error}")
            newer = self._caller(run, number, force=True)
            if newer.access_key == caller.access_key:
                raise
            return self._call(run, number, newer)

    def _caller(self, run: Run, number: int, force: bool = False) -> Credentials:
        """Return the credentials with which to assume role ``number``."""
        if number > 1 or not self.roles.device(run):
            return self._role(run, number - 1, force)

        def fetch(run: Run) -> Credentials:
            source = self._role(run, 0)
            return mfasession.fetch(run, self.roles, self.sts, source, self._purpose())

        return run.session(session.key(self.roles.caller_parts(run)), fetch, force, person=True)

    def _call(self, run: Run, number: int, caller: Credentials) -> Credentials:
        """Assume one role; every error names it."""
        hop = self.hops[number - 1]
        parameters = self._parameters(
            run, number, is_role=number > 1 or self.source.is_role(caller)
        )
        run.secrets += apart(hop.external_id, f"{hop.role_arn} {parameters['RoleSessionName']}")
        try:
            found = self._called(run, number, parameters, caller)
        except ProviderFailed as error:
            message = f"role {number} of {len(self.hops)}, {hop.role_arn}: {error}"
            if isinstance(error, SourceRejected):
                origin = self.source.text if number == 1 else f"role {number - 1}"
                if number == 1 and self.roles.device(run):
                    origin = "the MFA session"
                message += f" (credentials from {origin})"
            raise type(error)(message) from error
        if caller.expiration <= found.expiration:  # else the same caller can refresh the role
            found.person = found.person or caller.person
        run.log(f"role {number} of {len(self.hops)}: {hop.role_arn}: {found}")
        return found

    def _called(
        self, run: Run, number: int, parameters: dict[str, Any], caller: Credentials
    ) -> Credentials:
        """Assume one role, with an MFA code if the MFA session does not satisfy it.

        Some trust policies require a code that is newer than the session
        (aws:MultiFactorAuthAge); the error does not say so.
        """
        hop = self.hops[number - 1]
        if not hop.serial_number:
            return self._assumed(run, number, parameters, caller)
        if hop.serial_number != self.roles.device(run):
            return self._assumed_with_code(run, number, parameters, caller)
        try:
            return self._assumed(run, number, parameters, caller)
        except Denied as denied:
            run.log(f"role {number}: {denied}: trying once with a new MFA code")
            if number == 1:
                caller = self._role(run, 0)
            try:
                return self._assumed_with_code(run, number, parameters, caller)
            except WrongCode:
                raise
            except CodeNotGiven as error:
                raise type(error)(f"{denied}; to try with a new MFA code: {error}") from error

    def _purpose(self, role: str = "") -> str:
        """Return what the prompt says the code is for; ``role`` is the role's ARN."""
        named = f"role {role or self.hops[-1].role_arn}"
        if not self.profile:
            return named
        return f"profile {self.profile}" + (f", {named}" if role and len(self.hops) > 1 else "")

    def _assumed_with_code(
        self, run: Run, number: int, parameters: dict[str, Any], caller: Credentials
    ) -> Credentials:
        """Assume one role that requires an MFA code."""
        hop = self.hops[number - 1]

        def use(code: str) -> Credentials:
            run.secrets.append(code)
            given = {**parameters, "SerialNumber": hop.serial_number, "TokenCode": code}
            return self._assumed(run, number, given, caller)

        purpose = self._purpose(hop.role_arn)
        found = run.mfa.with_code(hop.serial_number, purpose, run.deadline, use)
        found.person = run.mfa.needs_person
        return found

    def _assumed(
        self, run: Run, number: int, parameters: dict[str, Any], caller: Credentials
    ) -> Credentials:
        """Assume one role; for one hour if AWS turns out to allow no more."""
        region = self.roles.called_region(run, number)
        run.log(f"role {number} of {len(self.hops)}: calling STS in {region}")
        try:
            return self.sts.assume(run, region, parameters, caller)
        except SessionTooLong:
            seconds = parameters.get("DurationSeconds", 0)
            if seconds <= limits.CHAINED_MAXIMUM:
                raise
            _tell_capped(run, number, seconds)
            parameters["DurationSeconds"] = limits.CHAINED_MAXIMUM
            return self.sts.assume(run, region, parameters, caller)

    def _parameters(self, run: Run, number: int, is_role: bool) -> dict[str, Any]:
        """Return the parameters of AssumeRole for role ``number``."""
        found = self.hops[number - 1].parameters()
        found.pop("SerialNumber", None)  # only together with a code
        found["RoleSessionName"] = self.roles.session_name(number)
        seconds = found.get("DurationSeconds", 0)
        if is_role and seconds > limits.CHAINED_MAXIMUM:
            _tell_capped(run, number, seconds)
            found["DurationSeconds"] = limits.CHAINED_MAXIMUM
        return found


def _tell_capped(run: Run, number: int, seconds: int) -> None:
    run.log(
        f"role {number}: {seconds} s requested, but AWS allows {limits.CHAINED_MAXIMUM} s for a "
        "role that is assumed with a role's credentials"
    )
