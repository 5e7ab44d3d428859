"""Detects a profile that ends up calling credproc for itself, before it waits for its own lock.

The AWS CLI guards `configure export-credentials` in the same way. Names are joined by line ends,
which a profile name cannot contain.
"""

from __future__ import annotations

from credproc import request
from credproc.errors import RequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

VARIABLE = "CREDPROC_PROFILE_CHAIN"


def check(requested: request.Request, environ: Mapping[str, str]) -> None:
    """Raise RequestError if a run that started this one is resolving a profile of the request."""
    for name in profiles(requested):
        check_path([name], environ)


def check_path(names: Sequence[str], environ: Mapping[str, str]) -> None:
    """Raise RequestError if a run that started this one is resolving one of these profiles."""
    above = _above(environ)
    for count, name in enumerate(names, 1):
        if name in above:
            path = " -> ".join([*above[above.index(name) :], *names[:count]])
            raise RequestError(
                f"profile {name} calls itself ({path}): its credential_process leads back to "
                "the same profile; name another profile after --profile"
            )


def profiles(requested: request.Request) -> list[str]:
    """Return the profiles that the request names."""
    names = []
    for provider in requested.providers:
        if isinstance(provider, request.Profile):
            names.append(provider.name)
        elif isinstance(provider, request.Chain) and provider.profile:
            names.append(provider.profile)
    return names


def resolved(requested: request.Request) -> list[str]:
    """Return the profiles that the request resolves; a chain's source profile is not one."""
    return [each.name for each in requested.providers if isinstance(each, request.Profile)]


def environment(environ: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Return the environment for a process that is started while resolving these profiles."""
    return {**environ, VARIABLE: "\n".join(dict.fromkeys([*_above(environ), *names]))}


def _above(environ: Mapping[str, str]) -> list[str]:
    return [name for name in environ.get(VARIABLE, "").split("\n") if name]
