"""What a provider is: its inputs and retrieve().

A provider has three outcomes: credentials; ProviderUnavailable (it does not apply here, the next
one is asked); ProviderFailed (it applies, and refused or broke; nobody else is asked).
"""

from __future__ import annotations

from credproc import request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from credproc.credentials import Credentials
    from credproc.run import Run

    class Provider(Protocol):
        """A way to get credentials."""

        name: str

        def retrieve(self, run: Run) -> Credentials:
            """Return credentials, or raise ProviderUnavailable or ProviderFailed."""


def provider(asked: request.Imds | request.Chain | request.Profile) -> Provider:
    """Return the provider that is asked for; botocore is loaded only for those that need it."""
    if isinstance(asked, request.Imds):
        from credproc.providers.imds import Imds

        return Imds(asked.role)
    from credproc.providers.chain import Chain, Profile  # 150 ms

    return Chain(asked) if isinstance(asked, request.Chain) else Profile(asked)
