"""credprocctl role create: a role that EC2 may assume, its policies, its instance profile."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from credproc.ctl import arguments, iam
from credproc.ctl.aws import Aws, ask, settled
from credproc.ctl.output import Result
from credproc.ctl.steps import Steps
from credproc.errors import RequestError

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from credproc.ctl.output import Console


def add(parts: Any) -> None:
    made = arguments.command(
        parts, "create", create, "make a role for EC2 instances",
        "EC2 may assume it, the policies are attached to it, and it is put into an instance "
        "profile of the same name. What is there already is left as it is, so running it again "
        "completes what was interrupted.",
    )  # fmt: skip
    made.add_argument("name", metavar="NAME", help="the role")
    made.add_argument(
        "--policy", action="append", required=True, metavar="ARN_OR_NAME",
        help="what it may do, like AmazonS3FullAccess, AWS's or the account's own; repeat it "
        "for more",
    )  # fmt: skip
    made.add_argument("--description", help="what it is for")
    made.add_argument("--path", help="its path in IAM, like /teams/web/")
    made.add_argument(
        "--permissions-boundary", metavar="ARN_OR_NAME", help="the policy that limits it"
    )
    made.add_argument(
        "--max-session-duration", type=int, metavar="SECONDS",
        help="3600 to 43200, for those who assume it; EC2's own sessions last 6 hours",
    )  # fmt: skip
    arguments.changes(made, question=False)
    arguments.account(made)


def create(given: argparse.Namespace, console: Console) -> Result:
    """Make the role, with its policies and its instance profile."""
    name: str = given.name
    _check_create(given)
    account = Aws(given.profile, given.region, os.environ, given.log.secrets)
    policies = [iam.policy(account, text) for text in given.policy]
    boundary = iam.policy(account, given.permissions_boundary) if given.permissions_boundary else ""
    with Steps(console, given.dry_run) as steps:
        _make_role(given, account, boundary, policies, steps)
        _attach(account, name, policies, steps)
        _make_profile(given, account, steps)
        if not given.dry_run:
            settled(console, f"role {name}", lambda: iam.existing(account, name))
    text = "" if given.dry_run else (
        f"Next: credprocctl role attach {name} --instance INSTANCE (or `this`, on the instance), "
        f"or start one with: aws ec2 run-instances {iam.launch_options(name)} ...\n"
    )  # fmt: skip
    data = {"role": name, "policies": policies, "dry_run": given.dry_run, "steps": steps.data()}
    return Result(text, data)


def _check_create(given: argparse.Namespace) -> None:
    iam.check(given.name)
    path = given.path
    if path and not (path.startswith("/") and path.endswith("/") and len(path) <= 512):
        raise RequestError("--path: must begin and end with /")
    seconds = given.max_session_duration
    if seconds is not None and not 3600 <= seconds <= 43200:
        raise RequestError("--max-session-duration: must be 3600 to 43200 seconds")


def _make_role(
    given: argparse.Namespace, account: Aws, boundary: str, policies: list[str], steps: Steps
) -> None:
    """Make the role, or bring the one that is there to what was asked for."""
    name = given.name
    found = iam.role(account, name)
    wanted = {
        "Path": given.path,
        "Description": given.description,
        "MaxSessionDuration": given.max_session_duration,
        "PermissionsBoundary": boundary,
    }
    wanted = {key: value for key, value in wanted.items() if value}
    if found is None:
        steps.change(
            f"role {name}", "created, for EC2 to assume",
            lambda: ask(
                account.iam.create_role, RoleName=name,
                AssumeRolePolicyDocument=iam.trust(account.partition), **wanted,
            ),
        )  # fmt: skip
        return
    if not iam.ec2_may_assume(found["AssumeRolePolicyDocument"]):
        raise RequestError(
            f"there is a role {name} that EC2 may not assume: it is for something else; choose "
            "another name"
        )
    if given.path and given.path != found["Path"]:
        raise RequestError(f"there is a role {name} with the path {found['Path']}: paths stay")
    _check_others(account, found, policies)
    steps.same(f"role {name}", "exists already")
    _adapt(account, found, wanted, steps)


def _check_others(account: Aws, found: dict[str, Any], policies: list[str]) -> None:
    """Raise if what is to be attached would be allowed to others than EC2, too."""
    name = found["RoleName"]
    also = iam.others(found["AssumeRolePolicyDocument"])
    held = iam.attached(account, name) if also else {}
    new = [arn for arn in policies if arn not in held]
    if also and new:
        raise RequestError(
            f"there is a role {name} that is not EC2's alone ({', '.join(also)} may assume it), "
            f"and whoever may would get {new[0]}, too: choose another name, or attach it by hand "
            f"(aws iam attach-role-policy --role-name {name} --policy-arn {new[0]}) and run this "
            "again"
        )


def _adapt(account: Aws, found: dict[str, Any], wanted: dict[str, Any], steps: Steps) -> None:
    name = found["RoleName"]
    changed = {
        key: wanted[key]
        for key in ("Description", "MaxSessionDuration")
        if wanted.get(key, found.get(key)) != found.get(key)
    }
    if changed:
        # Without a duration update_role goes back to an hour.
        kept = {"MaxSessionDuration": found.get("MaxSessionDuration", 3600)} | changed
        steps.change(
            f"role {name}", f"changed ({', '.join(changed)})",
            lambda: ask(account.iam.update_role, RoleName=name, **kept),
        )  # fmt: skip
    boundary = wanted.get("PermissionsBoundary")
    held = (found.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
    if boundary and boundary != held:
        steps.change(
            f"role {name}", f"bounded by {boundary}",
            lambda: ask(
                account.iam.put_role_permissions_boundary, RoleName=name,
                PermissionsBoundary=boundary,
            ),
        )  # fmt: skip


def _attach(account: Aws, name: str, policies: list[str], steps: Steps) -> None:
    """Attach the policies that are not attached yet."""
    held = iam.attached(account, name) if iam.role(account, name) else {}
    for arn in policies:
        if arn in held:
            steps.same(f"policy {arn}", f"is attached to {name} already")
            continue
        work = partial(ask, account.iam.attach_role_policy, RoleName=name, PolicyArn=arn)
        steps.change(
            f"policy {arn}", f"attached to {name}",
            partial(settled, steps.console, f"role {name}", work),
        )  # fmt: skip


def _make_profile(given: argparse.Namespace, account: Aws, steps: Steps) -> None:
    """Make the instance profile of the role's name, and put the role into it."""
    name = given.name
    subject = f"instance profile {name}"
    found = iam.instance_profile(account, name)
    if found is None:
        path = {"Path": given.path} if given.path else {}
        steps.change(
            subject, "created",
            lambda: ask(account.iam.create_instance_profile, InstanceProfileName=name, **path),
        )  # fmt: skip
    else:
        steps.same(subject, "exists already")
    roles = [each["RoleName"] for each in (found or {}).get("Roles", [])]
    if name in roles:
        steps.same(f"role {name}", "is in it already")
        return
    if roles:
        raise RequestError(
            f"the {subject} holds another role, {roles[0]}: take that out, or choose another name"
        )
    steps.change(
        f"role {name}", f"put into the {subject}",
        lambda: settled(
            steps.console, subject,
            lambda: ask(
                account.iam.add_role_to_instance_profile, InstanceProfileName=name, RoleName=name
            ),
        ),
    )  # fmt: skip
