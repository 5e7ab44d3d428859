"""What a provider is: its inputs and retrieve().

A provider has three outcomes: credentials; ProviderUnavailable (it does not apply here, the next
one is asked); ProviderFailed (it applies, and refused or broke; nobody else is asked).
"""

from __future__ import annotations

from credproc import limits, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    from credproc.credentials import Credentials
    from credproc.request import Request
    from credproc.run import Run

    class Provider(Protocol):
        """A way to get credentials."""

        name: str

        def retrieve(self, run: Run) -> Credentials:
            """Return credentials, or raise ProviderUnavailable or ProviderFailed."""


def check(run: Run, asked: Request) -> None:
    """Raise UsageError for a role that AWS cannot have, whichever provider would answer.

    Only the config says whether another service is called, which may have such roles.
    """
    for each in asked.providers:
        if isinstance(each, request.Chain) and any(limits.role_arn(h.role_arn) for h in each.hops):
            from credproc.providers import chain, sts

            chain.check(sts.new_session(run, each.profile), each)


def providers(run: Run, asked: Request) -> Iterator[Provider]:
    """Return the requested providers; each is made, and its libraries loaded, when it is needed."""
    check(run, asked)
    return map(provider, asked.providers)


def provider(asked: request.Imds | request.Chain | request.Profile) -> Provider:
    """Return the provider that is asked for; botocore is loaded only for those that need it."""
    if isinstance(asked, request.Imds):
        from credproc.providers.imds import Imds

        return Imds(asked.role)
    from credproc.providers.chain import Chain, Profile  # 150 ms

    return Chain(asked) if isinstance(asked, request.Chain) else Profile(asked)
