"""What the credentials of a profile start from, through all profiles that it leads to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc.ctl import commandline
from credproc.ctl.shared import KEY, RIVALS, of_profile
from credproc.errors import CredprocError
from credproc.request import Imds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credproc.ctl.sessions import Asked
    from credproc.ctl.shared import Shared
    from credproc.run import Run


def sources(run: Run, shared: Shared, providers: Sequence[Asked], above: Sequence[str]) -> set[str]:
    """Return where the credentials may come from, as --source has it; "" for what only a run tells.

    ``above`` are the profiles that led to this one.
    """
    found = set()
    for provider in providers:
        try:
            source = _source(run, provider)
        except CredprocError:
            return {""}  # the command will say what is wrong, and may need IMDS for it
        kind, _, leaf = source.partition(":")
        keys = shared.keys(leaf) if kind == "profile" else {}
        if kind != "profile" or (KEY not in keys and keys.keys() & RIVALS.keys()):
            found.add(kind)
        elif KEY in keys and commandline.runs_credproc(keys[KEY]) and leaf not in above:
            behind = of_profile(shared, leaf).request.providers
            found |= sources(run, shared, behind, [*above, leaf])
        else:
            found.add("")  # a helper, which may ask anything; or tools find credentials elsewhere
    return found


def _source(run: Run, provider: Asked) -> str:
    """Return what a provider starts from, as --source has it."""
    if isinstance(provider, Imds):
        return "imds"
    from credproc.providers.chain import described  # botocore, for what is unusual in the config

    return described(run, provider).source.text
