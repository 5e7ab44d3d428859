"""Sessions, for display: descriptions of cached ones, and those that a command line needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc import options, recursion, request, session, system
from credproc.cache import fingerprint
from credproc.ctl.commandline import redacted
from credproc.errors import CredprocError, TextRequested, masked
from credproc.hop import Hop

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from credproc.providers.roles import Roles
    from credproc.run import Run
    from credproc.session import Parts

    ProviderRequest = request.Imds | request.Chain | request.Profile


class Step:
    """A session that a command line needs: the source credentials, or a role from 1."""

    def __init__(self, name: str, parts: Parts, number: int = 0) -> None:
        self.name = name
        self.parts = parts
        #: Its place in the chain; 0 for the source.
        self.number = number
        self.key = session.key(parts)

    @property
    def stem(self) -> str:
        """The name of its file, without the suffix."""
        return fingerprint(self.key)


def steps(run: Run, found: Roles) -> list[Step]:
    """Return the sessions of a chain, the source first; nothing is fetched."""
    count = len(found.hops)
    roles = [Step(f"role {number}", found.parts(run, number), number)
             for number in range(1, count + 1)]  # fmt: skip
    with_mfa = [Step("MFA session", found.caller_parts(run))] if found.device(run) else []
    return [Step("source", found.source.parts(run)), *with_mfa, *roles]


def needed(run: Run, requested: ProviderRequest) -> list[Step]:
    """Return the sessions that a provider needs with today's config; nothing is fetched.

    CredprocError if the provider would fail or does not apply.
    """
    if isinstance(requested, request.Imds):
        from credproc.providers import imds

        return [Step("source", imds.parts(run, requested.role))]
    from credproc.providers.chain import described  # botocore, 150 ms

    return steps(run, described(run, requested))


def reachable(run: Run, argv: Sequence[str]) -> set[str]:
    """Return the file stems of all sessions that a command line needs today; nothing is fetched."""
    try:
        requested = options.parse(argv)
        recursion.check(requested, run.environ)
    except (CredprocError, TextRequested):
        return set()
    run.mfa_session = requested.mfa_session
    found = set()
    for each in requested.providers:
        try:
            found |= {step.stem for step in needed(run, each)}
        except CredprocError:
            pass  # a provider that would fail needs no session
    return found


def chain(parts: Parts) -> Iterator[Parts]:
    """Yield a session and those that it is made from, the source last."""
    while True:
        yield parts
        if not isinstance(parts.get("caller"), dict):
            return
        parts = parts["caller"]


def is_elsewhere(parts: Parts) -> bool:
    """Whether the session belongs to another machine, or was made before this one was started."""
    here = {
        "instance": system.instance(),
        "machine": system.machine_id(),
    }
    return any(
        each.get(name, value) != value for each in chain(parts) for name, value in here.items()
    )


def role(arn: str) -> str:
    """Return the short form of a role's ARN, reports@123456789012; without an account, the ARN."""
    parts = arn.split(":", 5)
    if len(parts) < 6 or not parts[4]:
        return arn
    return f"{parts[5].rpartition('/')[2]}@{parts[4]}"


def described(parts: Parts, name: str = "") -> str:
    """Return a short description of a session, without private values.

    ``name`` is the instance's role, as IMDS returned it.
    """
    if "mfa_session" in parts:
        return f"MFA session of {parts['mfa_session']}"
    if "role_arn" in parts:
        return " ".join([role(str(parts["role_arn"])), *_options(parts)])
    words = {
        "web_identity": f"{role(str(parts.get('web_identity')))} by web identity",
        "sso_role_name": f"{parts.get('sso_role_name')}@{parts.get('sso_account_id')} by SSO",
        "login_session": f"{parts.get('login_session')} by aws login",
        "helper": f"credential_process {parts.get('helper')}",
        "imds": f"instance role {parts.get('imds') or name}".rstrip(),
        "container": "container role",
        "keys": f"long-term key {masked(str(parts.get('keys')))}",
    }
    return next((text for name, text in words.items() if name in parts), "an unknown source")


def _options(parts: Parts) -> list[str]:
    """Return the options with which a role is assumed."""
    hop = Hop("")
    for name, value in parts.items():
        if name in vars(hop):
            setattr(hop, name, value)
    named = ["--role-session-name", str(parts["name"])] if parts.get("name") else []
    return [*redacted(hop.words()[2:]), *named]
