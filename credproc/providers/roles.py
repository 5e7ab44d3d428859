"""A role chain as the command line and the config describe it: hops, source, cache key parts.

This is the one model of a chain: a run assumes its roles, `credprocctl explain` shows them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc import limits
from credproc.errors import CredprocError
from credproc.providers import imds, keyparts
from credproc.providers.sts import checked_region, configured_region, default_name
from credproc.regions import home_region

if TYPE_CHECKING:
    from credproc.hop import Hop
    from credproc.providers.sharedconfig import SharedConfig
    from credproc.providers.source import Source
    from credproc.run import Run
    from credproc.session import Parts


class Roles:
    """Roles in the order in which they are assumed, and the source credentials of the first.

    ``shared`` is the shared config for the profile that the chain belongs to; ``regions`` are the
    regions of the profiles that define the roles, "" if not set; ``profiles`` are all that were
    read.
    """

    def __init__(self, source: Source, shared: SharedConfig) -> None:
        self.source = source
        self.shared = shared
        self.hops: list[Hop] = []
        self.regions: list[str] = []
        self.profiles: list[str] = []
        #: Profiles whose mfa_serial has no effect, because it is not beside a role_arn.
        self.unused: list[str] = []
        self._instance_region: str | None = None

    def add(self, hop: Hop, region: str = "", first: bool = False) -> None:
        """Add a hop after the others, or before them if ``first``."""
        place = 0 if first else len(self.hops)
        self.hops.insert(place, hop)
        self.regions.insert(place, region)

    def device(self, run: Run) -> str:
        """Return the MFA device of the MFA session that assumes the first role, "" without one."""
        found = [hop.serial_number for hop in self.hops if hop.serial_number]
        return found[0] if run.mfa_session and found else ""

    def notes(self) -> list[str]:
        """Return messages about settings that have no effect."""
        if any(hop.serial_number for hop in self.hops):
            return []
        where = "beside its role_arn" if self.hops else "beside a role_arn"
        return [
            f"mfa_serial of profile {name} has no effect, and no MFA code is requested: it applies "
            f"only {where}"
            + (f", in profile {self.profiles[-2]}" if len(self.profiles) > 1 else "")
            for name in self.unused
        ]

    def session_name(self, number: int) -> str:
        """Return the role session name of role ``number``, from 1."""
        return self.hops[number - 1].role_session_name or default_name()

    def parts(self, run: Run, number: int) -> Parts:
        """Return the cache key parts of role ``number``; 0 is the source."""
        if not number:
            return self.source.parts(run)
        hop = self.hops[number - 1]
        given = {name: value for name, value in vars(hop).items() if value}
        given.pop("role_session_name", None)
        given.pop("sts_region", None)
        if hop.duration_seconds == limits.DEFAULT_DURATION:
            given.pop("duration_seconds")
        region, _ = self.region(run, number)
        return {
            **given,
            **keyparts.session_name(run, hop.role_session_name),
            **keyparts.called(run.environ, self.shared, region, hop.role_arn),
            "caller": self.parts(run, number - 1) if number > 1 else self.caller_parts(run),
        }

    def caller_parts(self, run: Run) -> Parts:
        """Return the cache key parts of the credentials that assume the first role."""
        device = self.device(run)
        if not device:
            return self.source.parts(run)
        region, _ = self.region(run, 1)
        return {
            "mfa_session": device,
            "seconds": run.mfa_session,
            **keyparts.called(run.environ, self.shared, region, self.hops[0].role_arn),
            "caller": self.source.parts(run),
        }

    def region(self, run: Run, number: int) -> tuple[str, str]:
        """Return the region of the STS endpoint for role ``number``, and why; "" if it is the
        instance's, which only IMDS knows."""
        hop, profile_region = self.hops[number - 1], self.regions[number - 1]
        if hop.sts_region:
            return checked_region(hop.sts_region), "--sts-region"
        configured = configured_region(run.environ, self.shared, profile_region)
        if configured:
            return configured, "configured"
        if self.source.kind == "imds":
            return "", "the instance's"
        return home_region(hop.role_arn), "none is configured"

    def called_region(self, run: Run, number: int) -> str:
        """Return the region of the STS endpoint for role ``number``, from IMDS if necessary."""
        region, _ = self.region(run, number)
        if region:
            return region
        if self._instance_region is None:
            try:
                self._instance_region = imds.region(run, self.source.profile)
            except CredprocError as error:
                run.log(f"sts: cannot get the instance's region: {error}")
                self._instance_region = ""
        if self._instance_region:
            return checked_region(self._instance_region)
        region = home_region(self.hops[number - 1].role_arn)
        run.log(f"sts: no region is configured: {region}")
        return region
