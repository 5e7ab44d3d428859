"""The role chain that a profile of the shared config describes, and its source credentials.

The rules are botocore's (AssumeRoleProvider): role_arn comes with source_profile or
credential_source; the chain ends at a source profile with keys of its own; a profile with
web_identity_token_file has credentials of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc import slips
from credproc.errors import RequestError
from credproc.hop import OPTIONS, Hop
from credproc.providers import incomplete, stsendpoint
from credproc.providers.roles import Roles
from credproc.providers.source import Source
from credproc.providers.sts import misnamed

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from credproc.providers.sharedconfig import SharedConfig

#: Keys that are ignored when blank, as botocore does.
DEFAULTED = ("role_session_name", "duration_seconds")
CREDENTIAL_SOURCES = {
    "Environment": "env",
    "Ec2InstanceMetadata": "imds",
    "EcsContainer": "container",
}


def roles(shared: SharedConfig, name: str) -> Roles:
    """Return the roles that a profile describes; RequestError if they cannot be assumed."""
    found = Roles(Source(f"profile:{name}", shared), shared)
    while True:
        values = _values(shared, name, found.profiles)
        is_role = _is_role(values, top=not found.profiles)
        found.profiles.append(name)
        found.source = Source(f"profile:{name}", shared)
        if not is_role:
            if "mfa_serial" in values:
                found.unused.append(name)
            _check_own(shared, name, values)
            return found
        found.add(_hop(shared, name, values), values.get("region", ""), first=True)
        origin = values.get("credential_source", "")
        below = values.get("source_profile", "")
        _check_origin(name, values)
        if origin:
            found.source = _credential_source(name, origin, shared)
            return found
        if below == name and _has_keys(values):
            return found
        if below in found.profiles:
            loop = " -> ".join([*found.profiles[found.profiles.index(below) :], below])
            raise RequestError(
                f"profile {name}: its source_profile {below} leads back to itself ({loop})"
            )
        name = below


def _check_own(shared: SharedConfig, name: str, values: dict[str, Any]) -> None:
    """Raise RequestError if the profile cannot have credentials of its own."""
    own = None if shared.credentials is None else shared.credentials.get(name, {})
    problem = incomplete.problem(values, shared.full_config, own)
    if problem:
        raise RequestError(f"profile {name}: {problem}")


def _check_origin(name: str, values: dict[str, Any]) -> None:
    found = [key for key in incomplete.ORIGINS if key in values]
    for key in found:
        if not values[key] or not isinstance(values[key], str):
            raise RequestError(f"profile {name}: {slips.wrong(key, values[key], '')}")
    if len(found) != 1:
        fault = "has both" if found else "needs one of"
        why = incomplete.misspelled(values)
        hint = f"; {why}" if why else incomplete.without_source(name, values)
        raise RequestError(
            f"profile {name}: role_arn {fault} source_profile and credential_source"
            + (hint if not found else "")
        )


def _values(shared: SharedConfig, name: str, visited: list[str]) -> dict[str, Any]:
    profiles = shared.full_config["profiles"]
    if name not in profiles:
        where = f", the source_profile of {visited[-1]}," if visited else ""
        why = misnamed(shared, name) or slips.slip(name)
        raise RequestError(f"profile {name}{where} is not in the shared config{why}")
    values: dict[str, Any] = profiles[name]
    return values


def _has_keys(values: dict[str, Any]) -> bool:
    return "aws_access_key_id" in values or "aws_secret_access_key" in values


def _is_role(values: dict[str, Any], top: bool) -> bool:
    is_role = "role_arn" in values and "web_identity_token_file" not in values
    return is_role and (top or not _has_keys(values))


def _hop(shared: SharedConfig, name: str, values: dict[str, Any]) -> Hop:
    hop = Hop(values["role_arn"])
    _check(name, incomplete.ROLE, hop.role_arn, stsendpoint.role_arn(shared))
    for option in OPTIONS:
        value = values.get(option.key) if option.key else None
        if value is None or (value == "" and option.key in DEFAULTED):
            continue
        _check(name, option.key, value, option.check)
        hop.set(option, value)
    return hop


def _check(name: str, key: str, value: Any, check: Callable[[str], str]) -> None:
    problem = check(value) if value and isinstance(value, str) else "must be one line"
    if problem:
        raise RequestError(f"profile {name}: {slips.wrong(key, value, problem)}")


def _credential_source(name: str, origin: str, shared: SharedConfig) -> Source:
    if origin not in CREDENTIAL_SOURCES:
        problem = slips.wrong(
            "credential_source", origin, f"must be one of {', '.join(CREDENTIAL_SOURCES)}"
        )
        raise RequestError(f"profile {name}: {problem}")
    return Source(CREDENTIAL_SOURCES[origin], shared)
