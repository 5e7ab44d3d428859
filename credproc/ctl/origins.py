"""The sources of a profile's credentials, through all profiles that it refers to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc.ctl import commandline
from credproc.ctl.shared import KEY, RIVALS, of_profile
from credproc.errors import CredprocError
from credproc.request import Imds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credproc.ctl.sessions import ProviderRequest
    from credproc.ctl.shared import Shared
    from credproc.run import Run


def sources(
    run: Run, shared: Shared, providers: Sequence[ProviderRequest], above: Sequence[str]
) -> set[str]:
    """Return where the credentials may come from, in the words of --source; "" if unknown.

    ``above`` are the profiles that led to this one.
    """
    found: set[str] = set()
    for provider in providers:
        try:
            found |= _sources(run, shared, provider, above)
        except CredprocError:
            return {""}  # credproc will report the error, and may need IMDS for that
    return found


def _sources(run: Run, shared: Shared, provider: ProviderRequest, above: Sequence[str]) -> set[str]:
    """Return where one provider's credentials may come from."""
    kind, _, profile = _source(run, provider).partition(":")
    keys = shared.keys(profile) if kind == "profile" else {}
    if kind != "profile" or (KEY not in keys and keys.keys() & RIVALS.keys()):
        return {kind}
    if KEY in keys and commandline.runs_credproc(keys[KEY]) and profile not in above:
        next_ = of_profile(shared, profile).request.providers
        return sources(run, shared, next_, [*above, profile])
    return {""}  # a helper, which may use IMDS; or tools find credentials elsewhere


def _source(run: Run, provider: ProviderRequest) -> str:
    """Return what a provider starts from, in the words of --source."""
    if isinstance(provider, Imds):
        return "imds"
    from credproc.providers.chain import described  # botocore, for what is unusual in the config

    return described(run, provider).source.text
