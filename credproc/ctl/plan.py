"""What a request leads to: for each provider its roles in order, and where they start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc.providers.source import Source
from credproc.request import Chain, Imds, Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credproc.request import Hop


class Plan:
    """One provider: its roles, and their source. Without either it is asked as it stands."""

    def __init__(
        self, provider: Imds | Chain | Profile, hops: Sequence[Hop] = (), source: str = ""
    ) -> None:
        self.provider = provider
        self.hops = list(hops)
        self.source = source

    @property
    def name(self) -> str:
        """The provider in a word or two."""
        if isinstance(self.provider, Profile):
            return f"profile {self.provider.name}"
        return "imds" if isinstance(self.provider, Imds) else "chain"


def plan(provider: Imds | Chain | Profile) -> Plan:
    """Return what the provider does, as far as command line and config tell; no network.

    RequestError if the config does not tell, or tells nonsense.
    """
    if isinstance(provider, Imds):
        return Plan(provider)
    from credproc.providers.profile import described  # botocore, 150 ms
    from credproc.providers.sts import new_session

    if isinstance(provider, Profile):
        hops, start = described(new_session(provider.name), provider.name)
        return Plan(provider, hops, start.text if hops else "")
    source = Source(provider.source)
    if source.kind != "profile":
        return Plan(provider, provider.hops, provider.source)
    hops, start = described(new_session(source.name), source.name)
    return Plan(provider, [*hops, *provider.hops], start.text)
