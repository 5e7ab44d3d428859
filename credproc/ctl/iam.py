"""IAM's part of an instance's role: trust policy, policies, instance profile."""

from __future__ import annotations

import difflib
import fnmatch
import json
from typing import TYPE_CHECKING

from credproc import limits
from credproc.ctl.aws import Refused, Unchecked, call, pages
from credproc.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from credproc.ctl.aws import Aws

#: EC2 as a principal. China has a name of its own, and accepts the other one, too.
SERVICES = ("ec2.amazonaws.com", "ec2.amazonaws.com.cn")
#: The actions in a trust policy that give a principal the role's credentials.
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
    """Return the principals besides EC2 that a trust policy allows to assume the role."""
    found: list[str] = []
    for principals in _allowed(document):
        for kind, names in principals.items():
            found += [name for name in _several(names) if (kind, name) not in _EC2]
    return list(dict.fromkeys(found))


def ec2_may_assume(document: Any) -> bool:
    """Whether a trust policy allows EC2 to assume the role; conditions are not evaluated."""
    return any(
        (kind, name) in _EC2
        for principals in _allowed(document)
        for kind, names in principals.items()
        for name in _several(names)
    )


_EC2 = [("Service", name) for name in SERVICES]


def _allowed(document: Any) -> Iterator[dict[str, Any]]:
    """Yield the principals that may assume the role."""
    for statement in _several((document or {}).get("Statement", [])):
        if statement.get("Effect") != "Allow" or not _lets_assume(statement):
            continue
        principals = statement.get("Principal", {})
        yield principals if isinstance(principals, dict) else {"AWS": principals}
        if "NotPrincipal" in statement:
            yield {"NotPrincipal": "everyone except those in NotPrincipal"}


def _lets_assume(statement: dict[str, Any]) -> bool:
    """Whether a statement covers an action that gives the role's credentials."""
    if "NotAction" in statement:
        exempt = [action.lower() for action in _several(statement["NotAction"])]
        return not all(any(fnmatch.fnmatchcase(a, each) for each in exempt) for a in ASSUMING)
    actions = [action.lower() for action in _several(statement.get("Action", []))]
    return any(fnmatch.filter(ASSUMING, action) for action in actions)


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def role(aws: Aws, name: str) -> dict[str, Any] | None:
    """Return the role, or None if it does not exist."""
    return _found(lambda: call(aws.iam.get_role, RoleName=name)["Role"])


def _found(get: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    try:
        return get()
    except Refused as error:
        if error.code == "NoSuchEntity":
            return None
        raise


def existing(aws: Aws, name: str) -> dict[str, Any]:
    """Return the role; RequestError if it does not exist."""
    check(name)
    found = role(aws, name)
    if found is None:
        raise RequestError(
            f"there is no role {name}: see `credprocctl role list`, or create it with "
            f"`credprocctl role create {name} --policy ...`"
        )
    return found


def check(name: str) -> None:
    """Raise RequestError if no role can have this name."""
    problem = limits.role_name(name)
    if problem:
        raise RequestError(f"the role's name {problem}")


def instance_profile(aws: Aws, name: str) -> dict[str, Any] | None:
    """Return the instance profile of that name, or None."""
    get = aws.iam.get_instance_profile
    return _found(lambda: call(get, InstanceProfileName=name)["InstanceProfile"])


def profiles_of(aws: Aws, name: str) -> list[dict[str, Any]]:
    """Return the instance profiles that contain the role, the one with its name first."""
    found = pages(aws.iam, "list_instance_profiles_for_role", "InstanceProfiles", RoleName=name)
    return sorted(found, key=lambda each: each["InstanceProfileName"] != name)


def profile_of(aws: Aws, name: str) -> dict[str, Any]:
    """Return the instance profile that gives EC2 the role; RequestError if there is none."""
    existing(aws, name)
    found = profiles_of(aws, name)
    if not found:
        raise RequestError(
            f"the role {name} is in no instance profile, so no instance can have it: "
            f"`credprocctl role create {name} --policy ...` creates one"
        )
    return found[0]


def launch_options(profile: str) -> str:
    """Return the options that give a new instance the profile's role and require IMDSv2."""
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

    ``option`` is the option that named it, for errors. If the policy cannot be looked up and
    ``unchecked`` allows that, the text is returned unchanged.
    """
    if text.startswith("arn:"):
        problem = limits.policy_arn(text)
        if problem:
            raise RequestError(f"{option}: {problem}, not {text}")
        unchecked.look(lambda: _known(aws, text, option))
        return text
    own = unchecked.look(lambda: _policies(aws, "Local"))
    # Nearly all AWS policies have this ARN, and one call takes less time than two long pages.
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
        hint = f" (did you mean {' or '.join(similar)}?)" if similar else ""
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
    """Return the ARN if the policy exists; else "" if it may be ``missing``, or RequestError."""
    if _found(lambda: call(aws.iam.get_policy, PolicyArn=arn)) is not None:
        return arn
    if missing:
        return ""
    raise RequestError(f"{option}: there is no policy {arn}")
