"""IAM's side of an instance's role: who may assume it, what it may do, its instance profile."""

from __future__ import annotations

import difflib
import fnmatch
import json
from typing import TYPE_CHECKING

from credproc import limits
from credproc.ctl.aws import Refused, Unchecked, ask, pages
from credproc.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from credproc.ctl.aws import Aws

#: EC2, as a principal; China has a name of its own, and takes the other one, too.
SERVICES = ("ec2.amazonaws.com", "ec2.amazonaws.com.cn")
#: What a trust policy allows to those who get the role's credentials.
ASSUMING = ("sts:assumerole", "sts:assumerolewithsaml", "sts:assumerolewithwebidentity")


def trust(partition: str) -> str:
    """Return the trust policy that lets EC2 hand a role's credentials to instances."""
    service = SERVICES[partition == "aws-cn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def others(document: Any) -> list[str]:
    """Return whom a trust policy lets in besides EC2."""
    found: list[str] = []
    for principals in _allowed(document):
        for kind, names in principals.items():
            found += [name for name in _several(names) if (kind, name) not in _EC2]
    return list(dict.fromkeys(found))


def ec2_may_assume(document: Any) -> bool:
    """Whether a trust policy lets EC2 in; conditions are not judged."""
    return any(
        (kind, name) in _EC2
        for principals in _allowed(document)
        for kind, names in principals.items()
        for name in _several(names)
    )


_EC2 = [("Service", name) for name in SERVICES]


def _allowed(document: Any) -> Iterator[dict[str, Any]]:
    """Go through the principals that may assume the role."""
    for statement in _several((document or {}).get("Statement", [])):
        if statement.get("Effect") != "Allow" or not _lets_assume(statement):
            continue
        principals = statement.get("Principal", {})
        yield principals if isinstance(principals, dict) else {"AWS": principals}
        if "NotPrincipal" in statement:
            yield {"NotPrincipal": "everyone but those that NotPrincipal names"}


def _lets_assume(statement: dict[str, Any]) -> bool:
    """Whether one of the actions that give the role's credentials is among those of a statement."""
    if "NotAction" in statement:
        spared = [action.lower() for action in _several(statement["NotAction"])]
        return not all(any(fnmatch.fnmatchcase(a, each) for each in spared) for a in ASSUMING)
    actions = [action.lower() for action in _several(statement.get("Action", []))]
    return any(fnmatch.filter(ASSUMING, action) for action in actions)


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def role(aws: Aws, name: str) -> dict[str, Any] | None:
    """Return the role, or None if there is none of that name."""
    try:
        answer: dict[str, Any] = ask(aws.iam.get_role, RoleName=name)["Role"]
    except Refused as error:
        if error.code == "NoSuchEntity":
            return None
        raise
    return answer


def existing(aws: Aws, name: str) -> dict[str, Any]:
    """Return the role; RequestError if there is none of that name."""
    check(name)
    found = role(aws, name)
    if found is None:
        raise RequestError(
            f"there is no role {name}: see `credprocctl role list`, or make it with "
            f"`credprocctl role create {name} --policy ...`"
        )
    return found


def check(name: str) -> None:
    """Raise unless a role can have that name."""
    problem = limits.role_name(name)
    if problem:
        raise RequestError(f"the role's name {problem}")


def instance_profile(aws: Aws, name: str) -> dict[str, Any] | None:
    """Return the instance profile of that name, or None."""
    try:
        answer: dict[str, Any] = ask(aws.iam.get_instance_profile, InstanceProfileName=name)
    except Refused as error:
        if error.code == "NoSuchEntity":
            return None
        raise
    found: dict[str, Any] = answer["InstanceProfile"]
    return found


def profiles_of(aws: Aws, name: str) -> list[dict[str, Any]]:
    """Return the instance profiles that hold the role, the one of its own name first."""
    found = pages(aws.iam, "list_instance_profiles_for_role", "InstanceProfiles", RoleName=name)
    return sorted(found, key=lambda each: each["InstanceProfileName"] != name)


def profile_of(aws: Aws, name: str) -> dict[str, Any]:
    """Return the instance profile by which EC2 gets the role; RequestError if there is none."""
    existing(aws, name)
    found = profiles_of(aws, name)
    if not found:
        raise RequestError(
            f"the role {name} is in no instance profile, so no instance can have it: "
            f"`credprocctl role create {name} --policy ...` makes one"
        )
    return found[0]


def launch_options(profile: str) -> str:
    """Return what gives a new instance the profile's role, and metadata that need a token."""
    return f"--iam-instance-profile Name={profile} --metadata-options HttpTokens=required"


def attached(aws: Aws, name: str) -> dict[str, str]:
    """Return the managed policies of the role, ARN to name."""
    found = pages(aws.iam, "list_attached_role_policies", "AttachedPolicies", RoleName=name)
    return {each["PolicyArn"]: each["PolicyName"] for each in found}


def inline(aws: Aws, name: str) -> list[str]:
    """Return the names of the policies that are part of the role."""
    return list(pages(aws.iam, "list_role_policies", "PolicyNames", RoleName=name))


def policy(aws: Aws, text: str, unchecked: Unchecked, option: str = "--policy") -> str:
    """Return the ARN of a managed policy, given by ARN or by name, AWS's or the account's own.

    ``option`` is what took it, for errors. It is returned as it was given if ``unchecked`` allows
    what cannot be looked up.
    """
    if text.startswith("arn:"):
        problem = limits.policy_arn(text)
        if problem:
            raise RequestError(f"{option}: {problem}, not {text}")
        unchecked.look(lambda: _known(aws, text, option))
        return text
    own = unchecked.look(lambda: _policies(aws, "Local"))
    # Nearly all of AWS's are here, and one question is less than two long pages.
    arn = f"arn:{aws.partition}:iam::aws:policy/{text}"
    amazon = unchecked.look(lambda: _known(aws, arn, option, missing=True))
    names = dict(own or {})
    if amazon == "" and text not in names:
        everything = unchecked.look(lambda: _policies(aws, "AWS"))
        amazon = None if everything is None else everything.get(text, "")
        names |= everything or {}
    if amazon and own and text in own:
        raise RequestError(
            f"{option}: AWS and this account both have a policy {text}: give its ARN, {amazon} or "
            f"{own[text]}"
        )
    found = amazon or (own or {}).get(text)
    if not found and None not in (own, amazon):
        similar = difflib.get_close_matches(text, names, 3)
        hint = f" (is it {' or '.join(similar)}?)" if similar else ""
        raise RequestError(f"{option}: neither AWS nor this account has a policy {text}{hint}")
    return found or text


def _policies(aws: Aws, scope: str) -> dict[str, str]:
    """Return the managed policies, name to ARN."""
    found = pages(
        aws.iam, "list_policies", "Policies", Scope=scope, PaginationConfig={"PageSize": 1000}
    )
    try:
        return {each["PolicyName"]: each["Arn"] for each in found}
    except Refused as error:
        if not error.is_denied:
            raise
        raise Refused(error.code, f"{error}; or give the policy's ARN") from error


def _known(aws: Aws, arn: str, option: str, missing: bool = False) -> str:
    """Return the ARN if there is such a policy, else "" or, unless ``missing`` is fine, raise."""
    try:
        ask(aws.iam.get_policy, PolicyArn=arn)
    except Refused as error:
        if error.code != "NoSuchEntity":
            raise
        if missing:
            return ""
        raise RequestError(f"{option}: there is no policy {arn}") from None
    return arn
