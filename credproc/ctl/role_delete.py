"""credprocctl role delete: delete a role, its inline policies and its instance profile."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from credproc.ctl import arguments, aws, ec2, iam
from credproc.ctl.aws import Aws, call
from credproc.ctl.output import Result
from credproc.ctl.steps import Steps, confirm
from credproc.errors import RequestError

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from credproc.ctl.output import Console


def add(parts: Any) -> None:
    """Add the command to those of ``role``."""
    made = arguments.command(
        parts, "delete", delete, "delete a role and its instance profile",
        "Managed policies are detached, not deleted; inline policies are deleted with the role. "
        "The command fails if an instance in the region uses the role; it does not check other "
        "regions.",
        example="credprocctl role delete app --dry-run",
    )  # fmt: skip
    made.add_argument("name", metavar="NAME", help="the role")
    arguments.changes(made)
    arguments.account(made)


def delete(given: argparse.Namespace, console: Console) -> Result:
    """Delete the role and the instance profile with its name."""
    name: str = given.name
    iam.check(name)
    account = aws.account(given)
    found = iam.role(account, name)
    own = iam.instance_profile(account, name)
    profiles = iam.profiles_of(account, name) if found else []
    if found is None and own is None:
        return Result(f"There is no role {name}.\n", {"role": name, "steps": []})
    _check_delete(account, name, found, [*profiles, *([own] if own else [])])
    if not given.dry_run:
        question = f"{arguments.sentence(_scope(account))}. {_question(name, found, own)}"
        confirm(console, question, given.yes)
    with Steps(console, given.dry_run) as steps:
        if given.yes or given.dry_run:  # otherwise the question has said it
            steps.same(f"role {name}", _scope(account))
        for profile in profiles:
            _remove_from(account, name, profile["InstanceProfileName"], steps)
        # An instance profile of that name without a role is what an interrupted run leaves.
        if own is not None:
            steps.change(
                f"instance profile {name}", "deleted",
                lambda: call(account.iam.delete_instance_profile, InstanceProfileName=name),
            )  # fmt: skip
        if found is not None:
            _delete_role(account, name, steps)
    data = {"role": name, "dry_run": given.dry_run, "steps": steps.data()}
    return Result("", data)


def _scope(account: Aws) -> str:
    """Say which region was checked: a role is global, but instances are listed by region."""
    return f"no instance in {account.region} uses it; other regions were not checked"


def _question(name: str, found: dict[str, Any] | None, own: dict[str, Any] | None) -> str:
    what = [f"the role {name}"] * bool(found) + [f"the instance profile {name}"] * bool(own)
    return f"Delete {' and '.join(what)}?"


def _check_delete(
    account: Aws, name: str, found: dict[str, Any] | None, profiles: list[dict[str, Any]]
) -> None:
    """Raise if anything else uses the role or its instance profile."""
    if found is not None:
        document = found["AssumeRolePolicyDocument"]
        also = iam.others(document)
        if not iam.ec2_may_assume(document) or also:
            raise RequestError(
                f"the role {name} is not for EC2 alone"
                + (f" ({', '.join(also)} may assume it)" if also else "")
                + ": delete it with the AWS CLI if that is what you want"
            )
    other_roles = [
        role["RoleName"]
        for profile in profiles
        for role in profile.get("Roles", [])
        if profile["InstanceProfileName"] == name and role["RoleName"] != name
    ]
    if other_roles:
        raise RequestError(
            f"the instance profile {name} contains another role, {other_roles[0]}: remove that "
            "first"
        )
    arns = {profile["Arn"] for profile in profiles}
    users = [
        each["InstanceId"]
        for each in ec2.associations(account)
        if each["IamInstanceProfile"]["Arn"] in arns
    ]
    if users:
        raise RequestError(
            f"the role {name} is in use by {', '.join(users)}: run "
            f"`credprocctl role detach --instance {users[0]}` first"
        )


def _remove_from(account: Aws, name: str, profile: str, steps: Steps) -> None:
    steps.change(
        f"role {name}", f"removed from the instance profile {profile}",
        lambda: call(
            account.iam.remove_role_from_instance_profile,
            InstanceProfileName=profile, RoleName=name,
        ),
    )  # fmt: skip


def _delete_role(account: Aws, name: str, steps: Steps) -> None:
    for arn in iam.attached(account, name):
        work = partial(call, account.iam.detach_role_policy, RoleName=name, PolicyArn=arn)
        steps.change(f"policy {arn}", f"detached from {name}", work)
    for policy in iam.inline(account, name):
        work = partial(call, account.iam.delete_role_policy, RoleName=name, PolicyName=policy)
        steps.change(f"inline policy {policy}", f"deleted from {name}", work)
    steps.change(f"role {name}", "deleted", partial(call, account.iam.delete_role, RoleName=name))
