"""A role chain: AssumeRole from source credentials, hop by hop, every hop kept."""

from __future__ import annotations

import getpass
import os
import socket
from typing import TYPE_CHECKING

from credproc import limits, request
from credproc.errors import CredprocError, ProviderFailed, RequestError, SourceRejected, apart
from credproc.providers import imds, leaf
from credproc.providers.profile import described
from credproc.providers.source import Source
from credproc.providers.sts import Sts, configured_region, new_session

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    import botocore.session

    from credproc.credentials import Credentials
    from credproc.providers import Run
    from credproc.request import Hop

#: Where STS is asked if nothing says which region: the partition's oldest.
HOME_REGIONS = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-iso": "us-iso-east-1",
    "aws-iso-b": "us-isob-east-1",
    "aws-iso-e": "eu-isoe-west-1",
    "aws-iso-f": "us-isof-south-1",
    "aws-eusc": "eusc-de-east-1",
}


class Chain:
    """The explicit chain of the command line."""

    name = "chain"

    def __init__(self, chain: request.Chain) -> None:
        self.hops = chain.hops
        self.source = Source(chain.source)

    def retrieve(self, run: Run) -> Credentials:
        """Return the credentials of the last hop; roles that a profile describes come first."""
        if self.source.kind != "profile":
            return Roles(run, self.hops, self.source, new_session()).last()
        session = new_session(self.source.name)
        hops, start = described(session, self.source.name)
        return Roles(run, hops + self.hops, start, session).last()


class Profile:
    """What a profile of the shared config describes."""

    def __init__(self, name: str) -> None:
        self.name = f"profile {name}"
        self.profile = name

    def retrieve(self, run: Run) -> Credentials:
        """Return the credentials of the last role that is described, or the profile's own."""
        session = new_session(self.profile)
        hops, start = described(session, self.profile)
        if not hops:
            return leaf.profile(run, self.profile)
        return Roles(run, hops, start, session).last()


class Roles:
    """The roles of one chain in one run, each assumed with the credentials of the one before."""

    def __init__(
        self, run: Run, hops: list[Hop], start: Source, session: botocore.session.Session
    ) -> None:
        self.hops = hops
        self.source = start
        self.session = session
        self.sts = Sts(session)
        self.run = run
        self._asked_region: str | None = None
        self.regions = [self._region(run, hop) for hop in hops]
        self.names = [hop.role_session_name or default_name() for hop in hops]

    def last(self) -> Credentials:
        """Return the credentials of the last role."""
        return self._role(self.run, len(self.hops))

    def _role(self, run: Run, number: int, anew: bool = False) -> Credentials:
        """Return the credentials of role ``number``; those of 0 are the source's.

        Locks are taken from the last role towards the first by every chain, so that chains with a
        common beginning wait for each other but never in a circle.
        """
        if not number:
            return self.source.retrieve(run, anew)

        def fetch(run: Run) -> Credentials:
            return self._assume(run, number)

        return run.kept(self._identity(number), fetch, anew)

    def _identity(self, number: int) -> bytes:
        """Return what a hop's entry is kept under: all that the hops up to it depend on."""
        parts = beginning(self.source, self.run.environ)
        for hop, region, name in zip(self.hops[:number], self.regions, self.names, strict=False):
            parts += [*hop.identity(), region, name]
        return request.join(parts)

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
                code = run.mfa.code(hop.serial_number, run.deadline)
                run.secrets.append(code)
                parameters |= {"SerialNumber": hop.serial_number, "TokenCode": code}
            found = self.sts.assume(run, hop, self.regions[number - 1], parameters, caller)
        except ProviderFailed as error:
            raise type(error)(
                f"role {number} of {len(self.hops)}, {hop.role_arn}: {error}"
            ) from error
        found.person = caller.person or bool(hop.serial_number and run.mfa.needs_person)
        run.log(f"role {number} of {len(self.hops)}: {hop.role_arn}: {found!r}")
        return found

    def _parameters(self, run: Run, number: int, is_role: bool) -> dict[str, Any]:
        """Return the parameters of AssumeRole for role ``number``."""
        hop = self.hops[number - 1]
        seconds = hop.duration_seconds
        if is_role and seconds > limits.CHAINED_MAXIMUM:
            run.log(
                f"role {number}: {seconds} s asked for, but AWS allows {limits.CHAINED_MAXIMUM} s "
                "for a role that is assumed with a role's credentials"
            )
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

    def _region(self, run: Run, hop: Hop) -> str:
        """Return the region whose STS is asked, from the most explicit to the least."""
        region = (
            hop.sts_region
            or configured_region(run.environ, self.session)
            or self._instance_region(run)
        )
        if not region:
            region = HOME_REGIONS.get(hop.role_arn.split(":")[1], "us-east-1")
            run.log(f"sts: no region is configured: {region}")
        problem = limits.sts_region(region)
        if problem:
            raise RequestError(f"the region {problem}, not {region!r}")
        return region

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
    parts = ["hop", *request.provider_identity([source.asked()], environ)]
    return parts + [f"{name}={environ.get(name, '')}" for name in request.STS_VARIABLES]


def default_name() -> str:
    """Return a role session name that tells who and where: credproc-USER-HOST, sanitised."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = str(os.getuid())
    name = f"credproc-{user}-{socket.gethostname().partition('.')[0]}"
    return "".join(letter if letter in limits.NAME else "-" for letter in name)[:64]
