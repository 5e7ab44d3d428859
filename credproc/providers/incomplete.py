"""Why a profile gives no credentials: which key is missing, blank or misspelled."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from credproc import headers, slips
from credproc.credentials import is_account

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

ROLE, ORIGINS = "role_arn", ("source_profile", "credential_source")
#: Keys that describe a role, and mean nothing without role_arn.
OF_A_ROLE = (
    *ORIGINS,
    "mfa_serial",
    "external_id",
    "role_session_name",
    "duration_seconds",
)
SSO = ("sso_session", "sso_start_url", "sso_region", "sso_account_id", "sso_role_name")
ACCESS, SECRET, _ = slips.KEYS
TOKEN_FILE, PROCESS, LOGIN = "web_identity_token_file", "credential_process", "login_session"
#: Every key that says where credentials come from.
KNOWN = (ROLE, *OF_A_ROLE, *SSO, ACCESS, SECRET, "aws_session_token", TOKEN_FILE, PROCESS, LOGIN)
#: Names that other tools use for these keys.
OTHERS = {
    "access_key": ACCESS,
    "access_key_id": ACCESS,
    "aws_access_key": ACCESS,
    "secret_key": SECRET,
    "secret_access_key": SECRET,
    "aws_secret_key": SECRET,
    "role": ROLE,
    "profile": "source_profile",
    "session_token": "aws_session_token",
    "command": PROCESS,
    "process": PROCESS,
}
#: Where botocore puts sections whose headers have two words.
GATHERED = ("profiles", "services", "sso_sessions")
METHODS = "keys, credential_process, sso_session, login_session, or role_arn with source_profile"


def why(values: Mapping[str, Any]) -> str:
    """Return why a profile with these keys and values gives no credentials, and what it needs."""
    return misspelled(values) or next(_reasons(values))


def problem(
    values: Mapping[str, Any], config: Mapping[str, Any], own: Mapping[str, Any] | None = None
) -> str:
    """Return why a profile that assumes no role cannot give credentials, "" if it may.

    ``config`` is the whole shared config as botocore returns it; ``own`` is the profile's section
    in the credentials file alone, if that is known.
    """
    if values.get(TOKEN_FILE):
        return "" if values.get(ROLE) else f"{ROLE} is missing beside {TOKEN_FILE}"
    if any(key in values for key in SSO[3:]):
        return sso(values, config)
    if values.get(PROCESS) or values.get(LOGIN):
        return ""
    return _of_keys(values, own) if ACCESS in values else why(values)


def _of_keys(values: Mapping[str, Any], own: Mapping[str, Any] | None) -> str:
    """Return what is wrong with a profile's keys, which botocore reads from one file alone."""
    first = own if own is not None and ACCESS in own else values
    found = slips.keys(first)
    if not found and SECRET not in first:
        found = misspelled(first) or f"{SECRET} is missing beside {ACCESS}"
    where = "" if own is None else f" (in the {'credentials' if first is own else 'config'} file)"
    return found and f"{found}{where}"


def sso(values: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Return what is missing from a profile with an SSO account or role, "" if nothing."""
    merged = dict(values)
    name = values.get("sso_session")
    if name is not None:
        session = config.get("sso_sessions", {}).get(name)
        if session is None:
            return no_session(str(name), config)
        merged |= session
    blank = [key for key in SSO if key in merged and not merged[key]]
    if blank:
        return f"{_are(blank)} blank"
    missing = [key for key in SSO[1:] if key not in merged]
    if missing:
        typo = misspelled(values)
        if typo:
            return typo
        where = f" in [sso-session {name}]" if name is not None and missing[0] in SSO[:3] else ""
        return (
            f"{_are(missing)} missing{where or f' beside {_and([k for k in SSO if k in values])}'}"
        )
    account = str(merged["sso_account_id"])
    if not is_account(account):
        return slips.wrong("sso_account_id", account, "must be 12 digits")
    return ""


def no_session(name: str, config: Mapping[str, Any]) -> str:
    """Return that there is no such sso-session, and the section that the user may have meant."""
    if not name:
        return "sso_session is blank"
    near = [each for each in config if each.split()[-1:] == [name] and each not in GATHERED]
    if "sso_start_url" in config.get("profiles", {}).get(name, {}):
        near.append(f"profile {name}")
    hint = f": [{near[0]}] must be written [sso-session {name}]" if near else ""
    similar = headers.similar(name, list(config.get("sso_sessions", {})))
    if similar and not hint:
        hint = f"; did you mean {similar}?"
    slip = slips.slip(name)
    return f"there is no [sso-session {name.partition(chr(10))[0]}] for sso_session{slip}{hint}"


def without_source(name: str, values: Mapping[str, Any]) -> str:
    """Return how a role's profile is given source credentials, if it has credentials itself."""
    if ACCESS in values:
        return f"; to assume the role with these keys, add source_profile = {name}"
    own = [key for key in (*SSO, PROCESS, LOGIN) if key in values]
    if own:
        return f"; move {_and(own)} to another profile, and name that one in source_profile"
    return ""


def _reasons(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong, the likeliest reason first."""
    for key, value in values.items():
        if isinstance(value, str) and "\n" in value:
            yield f"{key} must be one line{slips.slip(value)}"
    if TOKEN_FILE in values and not values[TOKEN_FILE]:
        yield f"{TOKEN_FILE} is blank" + "; role_arn is ignored beside it" * (ROLE in values)
    blank = [key for key in (PROCESS, LOGIN, *SSO) if key in values and not values[key]]
    if blank:
        yield f"{_are(blank)} blank"
    for key, other in ((ACCESS, SECRET), (SECRET, ACCESS)):
        if key in values and other not in values:
            yield f"{other} is missing beside {key}"
    of_a_role = [key for key in OF_A_ROLE if key in values]
    if of_a_role and ROLE not in values:
        yield f"{ROLE} is missing beside {_and(of_a_role)}"
    sso = [key for key in SSO if key in values]
    start = ["sso_session"] if "sso_session" in values else ["sso_start_url", "sso_region"]
    missing = [key for key in (*start, *SSO[3:]) if key not in values]
    if sso and missing:
        yield f"{_are(missing)} missing beside {_and(sso)}"
    what = "it does not say" if values else "it is empty and does not say"
    yield f"{what} where credentials come from ({METHODS})"


def misspelled(values: Mapping[str, Any]) -> str:
    """Return which key is misspelled, and what the user probably meant; "" if none is."""
    for key in values:
        if key in KNOWN:
            continue
        if key.removeprefix("export ") in KNOWN:
            return f"remove the word export before {key.removeprefix('export ')}"
        near = OTHERS.get(key) or next(
            iter(difflib.get_close_matches(key.replace("-", "_"), KNOWN, 1, 0.87)), ""
        )
        if near and near not in values:
            return f"{key} is not a key that AWS tools know; did you mean {near}?"
    return ""


def _and(keys: list[str]) -> str:
    *most, last = keys
    return f"{', '.join(most)} and {last}" if most else last


def _are(keys: list[str]) -> str:
    return f"{_and(keys)} {'is' if len(keys) == 1 else 'are'}"
