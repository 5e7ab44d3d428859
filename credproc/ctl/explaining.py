"""Explanations of a provider: its sessions, which are cached, and what would be fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc import cache, request, result
from credproc.ctl import sessions
from credproc.ctl.cached import STATES, Cached
from credproc.ctl.commandline import redacted
from credproc.errors import CredprocError, ProviderUnavailable, clean, masked
from credproc.providers import imdssettings
from credproc.store import ENTRY

if TYPE_CHECKING:
    from typing import Any

    from credproc.ctl.sessions import ProviderRequest, Step
    from credproc.providers.roles import Roles
    from credproc.run import Run
    from credproc.store import Store


#: What a run does without a valid answer, but with a valid session.
FROM_CACHE = "print the cached session; nothing is fetched"


class Explained:
    """A provider, for display: ``steps`` are its sessions, ``next`` is what a run would fetch."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.next = text
        self.steps: list[tuple[str, str]] = []
        #: Whether a run would certainly go on to the next provider.
        self.unavailable = False

    def data(self) -> dict[str, Any]:
        """Return it as data for JSON."""
        steps = [{"name": name, "text": text} for name, text in self.steps]
        return {"provider": self.name, "text": self.text, "sessions": steps, "next": self.next}


def name(requested: ProviderRequest) -> str:
    """Return the name of a provider, for display."""
    if isinstance(requested, request.Imds):
        return "imds"
    return f"profile {requested.name}" if isinstance(requested, request.Profile) else "chain"


def provider(run: Run, requested: ProviderRequest, store: Store, now: float) -> Explained:
    """Explain a provider; nothing is fetched."""
    try:
        if isinstance(requested, request.Imds):
            return _imds(run, requested, store, now)
        from credproc.providers.chain import described  # botocore, 150 ms

        return _chain(run, requested, described(run, requested), store, now)
    except ProviderUnavailable as error:
        found = Explained(name(requested), f"unavailable: {clean(str(error), run.secrets)}")
        found.unavailable = True
        return found
    except CredprocError as error:
        return Explained(name(requested), f"would fail: {clean(str(error), run.secrets)}")


def _imds(run: Run, requested: request.Imds, store: Store, now: float) -> Explained:
    (step,) = sessions.needed(run, requested)
    where = imdssettings.settings(run.environ, run.log).url
    which = (
        f"the role {requested.role} of the instance" if requested.role else "the instance's role"
    )
    entry = store.read(step.key)
    found = Explained("imds", f"{which}, from {where}")
    found.steps = [("session", _state(step, entry, now))]
    found.next = FROM_CACHE if _is_usable(entry, now) else "fetch the instance's role"
    return found


def _chain(
    run: Run, requested: ProviderRequest, roles: Roles, store: Store, now: float
) -> Explained:
    """Explain a chain, or a profile without roles."""
    origin = "" if isinstance(requested, request.Chain) else f"{name(requested)}: "
    count = len(roles.hops)
    what = f"{count} role{'s' * (count != 1)} from {roles.source.text}" if count else (
        "the profile's own credentials"
    )  # fmt: skip
    found = Explained(name(requested), f"{origin}{what}")
    fetch: list[str] = []
    for step in sessions.steps(run, roles):
        entry = store.read(step.key)
        text = _role(run, roles, step) if step.number else roles.source.text
        if "mfa_session" in step.parts:
            text = f"{step.parts['mfa_session']} for {run.mfa_session} s; needs an MFA code"
        found.steps.append((step.name, f"{text}; {_state(step, entry, now)}"))
        if _is_usable(entry, now):
            fetch = []
        elif "keys" not in step.parts:
            fetch.append(step.name)
    found.steps += [("note", text) for text in roles.notes()]
    found.next = f"fetch {', '.join(fetch)}" if fetch else (
        FROM_CACHE if count or "keys" not in step.parts else "print the keys"
    )  # fmt: skip
    return found


def _role(run: Run, roles: Roles, step: Step) -> str:
    hop = roles.hops[step.number - 1]
    region, why = roles.region(run, step.number)
    where = f"STS in {region} ({why})" if region else f"STS in {why} region"
    code = "; needs an MFA code" if hop.serial_number not in ("", roles.device(run)) else ""
    return f"{' '.join(redacted(hop.words())[1:])}; {where}{code}"


def _state(step: Step, entry: cache.Entry | None, now: float) -> str:
    if "keys" in step.parts:
        key = str(step.parts["keys"])
        return f"key {masked(key)}, never cached" if key else "no keys"
    if entry is None:
        return "not cached"
    found = Cached(cache.fingerprint(step.key) + ENTRY, entry)
    if found.failed:
        return f"failed: {entry.failure}"
    state = "fresh" if _is_usable(entry, now) else STATES[entry.judge(now)]
    return f"cached ({found.id}), {state}"


def _is_usable(entry: cache.Entry | None, now: float) -> bool:
    """Whether a run uses the session without fetching it again."""
    return entry is not None and (
        entry.judge(now) == cache.FRESH or result.is_reusable_expired(entry, now)
    )
