"""An MFA session: a user's temporary credentials (GetSessionToken), for many roles, for a day.

They assume the roles of a chain without another code. They are not a role's, so AWS's limit of one
hour for role chaining does not apply.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc import result
from credproc.errors import ProviderFailed, RequestError

if TYPE_CHECKING:
    from credproc.credentials import Credentials
    from credproc.providers.roles import Roles
    from credproc.providers.sts import Sts
    from credproc.run import Run

#: Cache key parts of source credentials that may be long-term keys.
LONG_TERM = ("keys", "helper")


def check(run: Run, roles: Roles) -> None:
    """Raise RequestError if the roles cannot use --mfa-session; without any network call."""
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
        "--mfa-session needs the long-term keys of a user, but the credentials of source "
        f"{roles.source.text} are temporary: omit --mfa-session"
    )


def fetch(run: Run, roles: Roles, sts: Sts, source: Credentials, purpose: str) -> Credentials:
    """Return the MFA session for the source credentials and a code of the device.

    ``purpose`` says which role or profile needs it.
    """
    if source.token or source.expiration:
        raise _temporary(roles)
    device = roles.device(run)
    region = roles.called_region(run, 1)
    run.log(f"MFA session: calling STS in {region}")

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
        raise type(error)(f"MFA session of {device}: {error}") from error
    found.provider = result.MFA_SESSION
    found.person = source.person or run.mfa.needs_person
    run.log(f"MFA session of {device}: {found}")
    return found


def _period(seconds: int) -> str:
    """Return a duration in hours or minutes, in words."""
    hours, rest = divmod(seconds, 3600)
    return f"{hours} h" if not rest else f"{seconds // 60} min"
