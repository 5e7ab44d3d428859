"""credprocctl role: roles for EC2 instances; here the list of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from credproc.ctl import arguments, ec2, iam, role_attach, role_create, role_delete, role_status
from credproc.ctl.aws import Aws, Refused, pages
from credproc.ctl.output import Result
from credproc.errors import RequestError

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from credproc.ctl.output import Console


def add(commands: Any) -> None:
    """Add the command and its parts to the parser."""
    parts = arguments.group(commands, "role", "roles for EC2 instances")
    role_create.add(parts)
    made = arguments.command(parts, "list", listed, "list the roles that EC2 may assume")
    arguments.account(made)
    role_attach.add(parts)
    role_status.add(parts)
    made = arguments.command(
        parts, "launch-options", launch_options, "print what gives a new instance a role",
        "Options for `aws ec2 run-instances`.",
    )  # fmt: skip
    made.add_argument("name", metavar="NAME", help="the role")
    arguments.account(made)
    role_delete.add(parts)


def listed(given: argparse.Namespace, console: Console) -> Result:
    """List the roles that EC2 may assume, with their policies and instances."""
    account = Aws(given.profile, given.region, os.environ, given.log.secrets)
    holders: dict[str, list[dict[str, Any]]] = {}
    for profile in pages(account.iam, "list_instance_profiles", "InstanceProfiles"):
        for each in profile["Roles"]:
            holders.setdefault(each["RoleName"], []).append(profile)
    users, unknown = _users(account)
    found = []
    for role in pages(account.iam, "list_roles", "Roles"):
        if not iam.ec2_may_assume(role["AssumeRolePolicyDocument"]):
            continue
        name = role["RoleName"]
        profiles = holders.get(name, [])
        arns = [each["Arn"] for each in profiles]
        found.append({
            "role": name,
            "arn": role["Arn"],
            "description": role.get("Description", ""),
            "policies": [*iam.attached(account, name).values(), *iam.inline(account, name)],
            "instance_profiles": [each["InstanceProfileName"] for each in profiles],
            "instances": None if unknown else [one for arn in arns for one in users.get(arn, [])],
        })  # fmt: skip
    if not found:
        text = "No role here may be assumed by EC2. `credprocctl role create` makes one.\n"
        return Result(text, found)
    rows = [
        (
            each["role"],
            "?" if unknown else " ".join(each["instances"]) if each["instances"] else
            "-" if each["instance_profiles"] else "no profile",
            " ".join(each["policies"]) or "-",
            each["description"],
        )
        for each in found
    ]  # fmt: skip
    text = console.table(("ROLE", "INSTANCES", "POLICIES", "DESCRIPTION"), rows)
    if unknown:
        console.note(f"instances are not known: {unknown}")
    return Result(text, found)


def _users(account: Aws) -> tuple[dict[str, list[str]], str]:
    """Return the instances that use each instance profile, or why that is not known."""
    users: dict[str, list[str]] = {}
    try:
        for each in ec2.associations(account):
            users.setdefault(each["IamInstanceProfile"]["Arn"], []).append(each["InstanceId"])
    except (Refused, RequestError) as error:
        return {}, str(error)
    return users, ""


def launch_options(given: argparse.Namespace, _: Console) -> Result:
    """Print what gives a new instance the role."""
    account = Aws(given.profile, given.region, os.environ, given.log.secrets)
    profile = iam.profile_of(account, given.name)["InstanceProfileName"]
    options = iam.launch_options(profile)
    return Result(f"{options}\n", {"role": given.name, "instance_profile": profile,
                                   "options": options})  # fmt: skip
