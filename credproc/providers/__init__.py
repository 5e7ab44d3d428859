"""The providers: their interface, and the order in which they are called.

retrieve() returns credentials, raises ProviderUnavailable (the provider does not apply here, and
the next one is tried), or raises ProviderFailed (it applies but failed, and no other is tried).
"""

from __future__ import annotations

from credproc import credentials, limits, request
from credproc.errors import ProviderFailed, ProviderUnavailable, RequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Protocol

    from credproc.credentials import Credentials
    from credproc.request import Request
    from credproc.run import Run

    class Provider(Protocol):
        """A source of credentials, such as IMDS or a role chain."""

        name: str

        def retrieve(self, run: Run) -> Credentials:
            """Return credentials, or raise ProviderUnavailable or ProviderFailed."""


def call(providers: Iterable[Provider], run: Run) -> Credentials:
    """Call the providers in order; go on to the next only if one is unavailable."""
    reasons: list[str] = []
    for each in providers:
        try:
            found = each.retrieve(run)
        except ProviderUnavailable as error:
            reasons.append(f"{each.name}: {error}")
            run.log(f"{each.name}: unavailable: {error}")
        except ProviderFailed as error:
            reasons.append(f"{each.name}: {error}")
            raise type(error)("; ".join(reasons)) from error
        except RequestError as error:
            raise type(error)("; ".join([*reasons, str(error)])) from error
        else:
            until = credentials.write_time(found.expiration) if found.expiration else "revoked"
            run.log(f"{each.name}: {found}, valid until {until}")
            return found
    raise ProviderFailed("; ".join(reasons))


def check(run: Run, requested: Request) -> None:
    """Raise UsageError for a role that AWS cannot have, whichever provider would answer.

    Only the config says whether another service is called, which may have such roles.
    """
    for each in requested.providers:
        if isinstance(each, request.Chain) and any(limits.role_arn(h.role_arn) for h in each.hops):
            from credproc.providers import chain, sts

            chain.check(sts.load_config(run, each.profile), each)


def providers(run: Run, requested: Request) -> Iterator[Provider]:
    """Return the requested providers; each is made, and its libraries loaded, when it is needed."""
    check(run, requested)
    return map(provider, requested.providers)


def provider(requested: request.Imds | request.Chain | request.Profile) -> Provider:
    """Return the requested provider; botocore's libraries are loaded only if it needs them."""
    if isinstance(requested, request.Imds):
        from credproc.providers.imds import Imds

        return Imds(requested.role)
    from credproc.providers.chain import Chain, Profile  # 150 ms

    return Chain(requested) if isinstance(requested, request.Chain) else Profile(requested)
