"""What a request leads to: for each provider its roles in order, and where they start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc.errors import CredprocError, RequestError
from credproc.regions import home_region
from credproc.request import Chain, Imds, Profile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from credproc.request import Hop


class Plan:
    """One provider: its roles, and their source; without a source it is asked as it stands.

    ``regions`` are those that the roles' own profiles name, "" where one names none.
    """

    def __init__(
        self,
        provider: Imds | Chain | Profile,
        hops: Sequence[Hop] = (),
        source: str = "",
        regions: Sequence[str] = (),
    ) -> None:
        self.provider = provider
        self.hops = list(hops)
        self.source = source
        self.regions = list(regions)


def plan(provider: Imds | Chain | Profile) -> Plan:
    """Return what the provider does, as far as command line and config tell; no network.

    RequestError if the config does not tell, or tells nonsense.
    """
    if isinstance(provider, Imds):
        return Plan(provider)
    from credproc.providers import incomplete
    from credproc.providers.profile import way  # botocore, 150 ms
    from credproc.providers.sts import new_session

    name = profile_of(provider)
    if not name and isinstance(provider, Chain):
        return Plan(provider, provider.hops, provider.source, [""] * len(provider.hops))
    session = new_session(name)
    found = way(session, name)
    source = profile_source(found.source.text)
    problem = incomplete.problem(session.full_config["profiles"][source]) if source else ""
    if problem:
        raise RequestError(f"profile {source}: {problem}")
    own = provider.hops if isinstance(provider, Chain) else []
    return Plan(
        provider, [*found.hops, *own], found.source.text, [*found.regions, *[""] * len(own)]
    )


def plans(providers: Sequence[Imds | Chain | Profile]) -> list[Plan]:
    """Return what the providers do; where the config tells nonsense by now, no roles."""
    found = []
    for provider in providers:
        try:
            found.append(plan(provider))
        except CredprocError:
            found.append(Plan(provider))
    return found


def profile_of(provider: Imds | Chain | Profile) -> str:
    """Return the profile whose session the provider works in, "" for the one in use."""
    if isinstance(provider, Profile):
        return provider.name
    return provider.profile if isinstance(provider, Chain) else ""


def profile_source(text: str) -> str:
    """Return the profile that a source names, "" for another kind of source."""
    kind, _, name = text.partition(":")
    return name if kind == "profile" else ""


def region(plan: Plan, number: int, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the region whose STS is asked for role ``number``, and why; "" for the instance's."""
    from credproc.providers.sts import configured_region, new_session

    hop = plan.hops[number - 1]
    if hop.sts_region:
        return hop.sts_region, "as --sts-region says"
    session = new_session(profile_of(plan.provider))
    configured = configured_region(environ, session, plan.regions[number - 1])
    if configured:
        return configured, "as configured"
    if plan.source.partition(":")[0] == "imds":
        return "", "the instance's"
    return home_region(hop.role_arn), "because none is configured"
