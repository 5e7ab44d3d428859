"""What a profile of the shared config describes: roles to assume, and where the first one starts.

The rules are botocore's (AssumeRoleProvider): a role_arn with source_profile or credential_source;
a source profile with keys of its own is used for those; web_identity_token_file makes a leaf.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc import limits
from credproc.errors import RequestError
from credproc.providers.source import Source
from credproc.request import Hop

if TYPE_CHECKING:
    from typing import Any

    import botocore.session

#: Config keys, and the options that they stand for.
KEYS = {
    "role_session_name": "--role-session-name",
    "external_id": "--external-id",
    "duration_seconds": "--duration-seconds",
    "mfa_serial": "--serial-number",
}
CREDENTIAL_SOURCES = {
    "Environment": "env",
    "Ec2InstanceMetadata": "imds",
    "EcsContainer": "container",
}


def described(session: botocore.session.Session, name: str) -> tuple[list[Hop], Source]:
    """Return the roles of the profile, in the order in which they are assumed, and their source."""
    profiles = session.full_config["profiles"]
    hops: list[Hop] = []
    visited: list[str] = []
    while True:
        values = _values(profiles, name, visited)
        if not _is_role(values, top=not visited):
            break
        visited.append(name)
        hops.append(_hop(name, values))
        origin = values.get("credential_source", "")
        name, below = values.get("source_profile", ""), name
        if bool(origin) == bool(name):
            fault = "has both" if origin else "needs one of"
            raise RequestError(
                f"profile {below}: role_arn {fault} source_profile and credential_source"
            )
        if origin:
            return hops[::-1], _credential_source(below, origin)
        if name in visited and not (name == below and _has_keys(values)):
            loop = " -> ".join([*visited[visited.index(name) :], name])
            raise RequestError(f"profile {name}: its source_profile leads back to itself ({loop})")
    return hops[::-1], Source(f"profile:{name}")


def _values(profiles: dict[str, Any], name: str, visited: list[str]) -> dict[str, Any]:
    if name not in profiles:
        where = f", the source_profile of {visited[-1]}," if visited else ""
        raise RequestError(f"profile {name}{where} is not in the shared config")
    values: dict[str, Any] = profiles[name]
    return values


def _has_keys(values: dict[str, Any]) -> bool:
    return "aws_access_key_id" in values or "aws_secret_access_key" in values


def _is_role(values: dict[str, Any], top: bool) -> bool:
    is_role = "role_arn" in values and "web_identity_token_file" not in values
    return is_role and (top or not _has_keys(values))


def _hop(name: str, values: dict[str, Any]) -> Hop:
    hop = Hop(values["role_arn"])
    problem = limits.role_arn(hop.role_arn)
    if problem:
        raise RequestError(f"profile {name}: role_arn {problem}")
    for key, option in KEYS.items():
        if key in values:
            problem = limits.HOP_CHECKS[option](values[key]) or hop.set(option, values[key])
            if problem:
                raise RequestError(f"profile {name}: {key} {problem}")
    return hop


def _credential_source(name: str, origin: str) -> Source:
    if origin not in CREDENTIAL_SOURCES:
        raise RequestError(
            f"profile {name}: credential_source must be one of {', '.join(CREDENTIAL_SOURCES)}"
        )
    return Source(CREDENTIAL_SOURCES[origin])
