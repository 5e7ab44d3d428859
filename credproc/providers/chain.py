"""A role chain: AssumeRole from source credentials, hop by hop, every hop kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc import limits, recursion, request
from credproc.errors import CredprocError, ProviderFailed, RequestError, SourceRejected, apart
from credproc.identity import join
from credproc.providers import imds
from credproc.providers.profile import Way, way
from credproc.providers.refusals import SessionTooLong
from credproc.providers.source import Source
from credproc.providers.sts import (
    Sts,
    checked_region,
    configured_region,
    default_name,
    new_session,
)
from credproc.regions import home_region

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from credproc.credentials import Credentials
    from credproc.providers.session import Session
    from credproc.request import Hop
    from credproc.run import Run

#: What a profile may say of the way to STS, besides the region.
SETTINGS = (
    "endpoint_url",
    "ignore_configured_endpoint_urls",
    "services",
    "sts_regional_endpoints",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
)


class Chain:
    """The explicit chain of the command line."""

    name = "chain"

    def __init__(self, chain: request.Chain) -> None:
        self.hops = chain.hops
        self.source = chain.source

    def retrieve(self, run: Run) -> Credentials:
        """Return the credentials of the last hop; roles that a profile describes come first."""
        source = Source(self.source)
        session = new_session(source.name if source.kind == "profile" else "")
        if source.kind == "profile":
            found = _described(run, session, source.name)
        else:
            found = Way()
            found.source = Source(self.source, session)
        found.hops += self.hops
        found.regions += [""] * len(self.hops)
        return Roles(run, found, session).last()


class Profile:
    """What a profile of the shared config describes."""

    def __init__(self, name: str) -> None:
        self.name = f"profile {name}"
        self.profile = name

    def retrieve(self, run: Run) -> Credentials:
        """Return the credentials of the last role on the way, or the profile's own."""
        session = new_session(self.profile)
        found = _described(run, session, self.profile)
        if not found.hops:
            return found.source.retrieve(run)
        return Roles(run, found, session, self.profile).last()


def _described(run: Run, session: Session, name: str) -> Way:
    """Return the way that the profile describes, unless a run above this one is on it."""
    found = way(session, name)
    # Now, because waiting for a lock that the run above holds would take its whole time.
    recursion.check_way(found.profiles, run.environ)
    run.profiles = list(dict.fromkeys([*run.profiles, *found.profiles]))
    return found


class Roles:
    """The roles of one chain in one run, each assumed with the credentials of the one before.

    ``profile`` is the profile that they are for, "" if the command line names them.
    """

    def __init__(self, run: Run, found: Way, session: Session, profile: str = "") -> None:
        self.hops = found.hops
        self.source = found.source
        self.profile = profile
        self.session = session
        self.sts = Sts(session)
        self.run = run
        self._asked_region: str | None = None
        self.regions = [
            self._region(run, hop, own) for hop, own in zip(found.hops, found.regions, strict=True)
        ]
        self.names = [hop.role_session_name or default_name() for hop in self.hops]

    def last(self) -> Credentials:
        """Return the credentials of the last role."""
        return self._role(self.run, len(self.hops))

    def _role(self, run: Run, number: int, anew: bool = False) -> Credentials:
        """Return the credentials of role ``number``; those of 0 are the source's.

        Locks are taken from the last role towards the first by every chain, so that chains with a
        common beginning wait for each other but never in a circle.
        """
        if not number:
            try:
                return self.source.retrieve(run, anew)
            except (ProviderFailed, RequestError) as error:
                who = f"source {self.source.text}: "
                if isinstance(error, RequestError) and self.source.kind == "profile":
                    who = ""  # it names the profile
                raise type(error)(f"{who}{error}") from error

        def fetch(run: Run) -> Credentials:
            return self._assume(run, number)

        return run.kept(self._identity(number), fetch, anew)

    def _identity(self, number: int) -> bytes:
        """Return what a hop's entry is kept under: all that the hops up to it depend on."""
        parts = beginning(self.source, self.run.environ)
        scoped = self.session.get_scoped_config()
        parts += [f"{key}={scoped[key]}" for key in SETTINGS if key in scoped]
        for hop, region, name in zip(self.hops[:number], self.regions, self.names, strict=False):
            parts += [*hop.identity(), region, name]
        return join(parts)

    def _assume(self, run: Run, number: int) -> Credentials:
        """Assume role ``number``; its source is got anew, once, if STS no longer accepts it."""
        caller = self._role(run, number - 1)
        try:
            return self._call(run, number, caller)
        except SourceRejected as error:
            run.log(f"role {number}: {error}")
            newer = self._role(run, number - 1, anew=True)
            if newer.access_key == caller.access_key:
                raise
            return self._call(run, number, newer)

    def _call(self, run: Run, number: int, caller: Credentials) -> Credentials:
        """Assume one role; whatever goes wrong names it."""
        hop = self.hops[number - 1]
        parameters = self._parameters(
            run, number, is_role=number > 1 or self.source.is_role(caller)
        )
        run.secrets += apart(hop.external_id, f"{hop.role_arn} {self.names[number - 1]}")
        try:
            if hop.serial_number:
                found = self._assumed_with_code(run, number, parameters, caller)
            else:
                found = self._assumed(run, number, parameters, caller)
        except ProviderFailed as error:
            message = f"role {number} of {len(self.hops)}, {hop.role_arn}: {error}"
            if isinstance(error, SourceRejected):
                origin = f"role {number - 1}" if number > 1 else self.source.text
                message += f" (they come from {origin})"
            raise type(error)(message) from error
        found.person = caller.person or bool(hop.serial_number and run.mfa.needs_person)
        run.log(f"role {number} of {len(self.hops)}: {hop.role_arn}: {found!r}")
        return found

    def _assumed_with_code(
        self, run: Run, number: int, parameters: dict[str, Any], caller: Credentials
    ) -> Credentials:
        """Assume one role that demands an MFA code."""
        hop = self.hops[number - 1]
        purpose = f"role {hop.role_arn}"
        if self.profile:
            purpose = f"profile {self.profile}" + (f", {purpose}" if len(self.hops) > 1 else "")

        def use(code: str) -> Credentials:
            run.secrets.append(code)
            given = {**parameters, "SerialNumber": hop.serial_number, "TokenCode": code}
            return self._assumed(run, number, given, caller)

        return run.mfa.with_code(hop.serial_number, purpose, run.deadline, use)

    def _assumed(
        self, run: Run, number: int, parameters: dict[str, Any], caller: Credentials
    ) -> Credentials:
        """Assume one role; for an hour if it turns out that AWS allows no more."""
        region = self.regions[number - 1]
        run.log(f"role {number} of {len(self.hops)}: asking STS in {region}")
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
        hop = self.hops[number - 1]
        seconds = hop.duration_seconds
        if is_role and seconds > limits.CHAINED_MAXIMUM:
            _tell_capped(run, number, seconds)
            seconds = limits.CHAINED_MAXIMUM
        tags = [item.partition("=") for item in hop.tag]
        parameters = {
            "RoleArn": hop.role_arn,
            "RoleSessionName": self.names[number - 1],
            "ExternalId": hop.external_id,
            "DurationSeconds": seconds,
            "Policy": hop.policy,
            "PolicyArns": [{"arn": arn} for arn in hop.policy_arn],
            "Tags": [{"Key": key, "Value": value} for key, _, value in tags],
            "TransitiveTagKeys": hop.transitive_tag_key,
            "SourceIdentity": hop.source_identity,
        }
        return {name: value for name, value in parameters.items() if value}

    def _region(self, run: Run, hop: Hop, own: str) -> str:
        """Return the region whose STS is asked, from the most explicit to the least."""
        region = (
            hop.sts_region
            or configured_region(run.environ, self.session, own)
            or self._instance_region(run)
        )
        if not region:
            region = home_region(hop.role_arn)
            run.log(f"sts: no region is configured: {region}")
        return checked_region(region)

    def _instance_region(self, run: Run) -> str:
        if self.source.kind != "imds":
            return ""
        if self._asked_region is None:
            try:
                self._asked_region = imds.region(run)
            except CredprocError as error:
                run.log(f"sts: the instance's region is not to be had: {error}")
                self._asked_region = ""
        return self._asked_region


def beginning(source: Source, environ: Mapping[str, str]) -> list[str]:
    """Return the parts with which the identities of all hops from this source begin."""
    return ["hop", *source.parts(environ)]


def _tell_capped(run: Run, number: int, seconds: int) -> None:
    run.log(
        f"role {number}: {seconds} s asked for, but AWS allows {limits.CHAINED_MAXIMUM} s for a "
        "role that is assumed with a role's credentials"
    )
