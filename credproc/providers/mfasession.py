"""A session with MFA: credentials of the user itself (GetSessionToken), for many roles, for a day.

The roles of a chain are assumed with it without a code. It is no role, so that AWS's limit of an
hour for chained roles does not apply.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc import outcome
from credproc.errors import ProviderFailed, RequestError

if TYPE_CHECKING:
    from credproc.credentials import Credentials
    from credproc.providers.roles import Roles
    from credproc.providers.sts import Sts
    from credproc.run import Run

#: What the parts of source credentials have that may be long-term keys.
LONG_TERM = ("keys", "helper")


def check(run: Run, roles: Roles) -> None:
    """Raise if --mfa-session cannot be of use to the roles; no network."""
    if not roles.device(run):
        which = f"profile {roles.profiles[0]}: " if roles.profiles else ""
        what = "no role has a device (mfa_serial, --serial-number)" if roles.hops else (
            "it has no role_arn"
        )  # fmt: skip
        raise RequestError(f"{which}--mfa-session is for roles that require an MFA code: {what}")
    if not any(name in roles.source.parts(run) for name in LONG_TERM):
        raise _temporary(roles)


def _temporary(roles: Roles) -> RequestError:
    return RequestError(
        "--mfa-session needs the long-term keys of a user, and the credentials of source "
        f"{roles.source.text} are temporary: leave out --mfa-session"
    )


def fetch(run: Run, roles: Roles, sts: Sts, source: Credentials, purpose: str) -> Credentials:
    """Return the session that STS gives for the source credentials and a code of the device.

    ``purpose`` says which role or profile needs it.
    """
    if source.token or source.expiration:
        raise _temporary(roles)
    device = roles.device(run)
    region = roles.called_region(run, 1)
    run.log(f"session with MFA: calling STS in {region}")

    def use(code: str) -> Credentials:
        run.secrets.append(code)
        parameters = {
            "DurationSeconds": run.mfa_session,
            "SerialNumber": device,
            "TokenCode": code,
        }
        return sts.session_token(run, region, parameters, source)

    purpose += f", then none for {_period(run.mfa_session)}"
    try:
        found = run.mfa.with_code(device, purpose, run.deadline, use)
    except ProviderFailed as error:
        raise type(error)(f"session with MFA of {device}: {error}") from error
    found.provider = outcome.MFA_SESSION
    found.person = source.person or run.mfa.needs_person
    run.log(f"session with MFA of {device}: {found}")
    return found


def _period(seconds: int) -> str:
    """Return a duration as people say it."""
    hours, rest = divmod(seconds, 3600)
    return f"{hours} h" if not rest else f"{seconds // 60} min"
