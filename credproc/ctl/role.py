"""credprocctl role: roles for EC2 instances; here the commands list and launch-options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc.ctl import (
    arguments,
    aws,
    ec2,
    iam,
    role_attach,
    role_create,
    role_delete,
    role_status,
)
from credproc.ctl.aws import Aws, Refused, allowed, pages
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
    made = arguments.command(
        parts, "list", listed, "list the roles that EC2 may assume",
        "Shows the policies of each role and the instances that have it.",
        example="credprocctl role list --region eu-central-1",
    )  # fmt: skip
    arguments.account(made)
    role_attach.add(parts)
    role_status.add(parts)
    made = arguments.command(
        parts, "launch-options", launch_options, "print the options that launch an instance with a "
        "role", "They are options of `aws ec2 run-instances`, and also require IMDSv2.",
        example="aws ec2 run-instances $(credprocctl role launch-options app) --image-id ID",
    )  # fmt: skip
    made.add_argument("name", metavar="NAME", help="the role")
    arguments.account(made)
    role_delete.add(parts)


def listed(given: argparse.Namespace, console: Console) -> Result:
    """List the roles that EC2 may assume, with their policies and instances.

    What the caller may not see is shown as unknown, with a note. Without access to IAM, the list is
    that of the instance profiles in use.
    """
    account = aws.account(given)
    denials: list[str] = []
    roles = allowed(lambda: list(pages(account.iam, "list_roles", "Roles")), denials)
    users = _users(account, denials)
    if roles is None and users is None:
        raise Refused("AccessDenied", denials[0])
    if roles is None:
        found = [_in_use(arn, instances) for arn, instances in (users or {}).items()]
    else:
        wanted = [each for each in roles if iam.ec2_may_assume(each["AssumeRolePolicyDocument"])]
        found = _roles(account, wanted, users, denials)
    for denial in dict.fromkeys(denials):
        console.note(f"the list is incomplete: {denial}")
    if not found:
        text = (
            "No role in this account can be assumed by EC2. `credprocctl role create` creates "
            "one.\n"
        )
        return Result(text, found)
    rows = [
        (each["role"] or f"? (instance profile {each['instance_profiles'][0]})",
         _instances(each), _joined(each["policies"]), each["description"])
        for each in found
    ]  # fmt: skip
    return Result(console.table(("ROLE", "INSTANCES", "POLICIES", "DESCRIPTION"), rows), found)


def _roles(
    account: Aws,
    roles: list[dict[str, Any]],
    users: dict[str, list[str]] | None,
    denials: list[str],
) -> list[dict[str, Any]]:
    """Return the roles as data for JSON, with None for what is unknown."""
    holders = allowed(lambda: _holders(account), denials)
    known: list[str] | None = []
    found = []
    for role in roles:
        name = role["RoleName"]
        if known is not None:  # once denied, denied for all
            known = allowed(lambda name=name: _policies(account, name), denials)  # type: ignore[misc]
        profiles = None if holders is None else holders.get(name, [])
        arns = [each["Arn"] for each in profiles or []]
        is_known = users is not None and profiles is not None
        found.append({
            "role": name,
            "arn": role["Arn"],
            "description": role.get("Description", ""),
            "policies": known,
            "instance_profiles": None if profiles is None
            else [each["InstanceProfileName"] for each in profiles],
            "instances": [one for arn in arns for one in (users or {}).get(arn, [])]
            if is_known else None,
        })  # fmt: skip
    return found


def _holders(account: Aws) -> dict[str, list[dict[str, Any]]]:
    """Return the instance profiles that contain each role."""
    found: dict[str, list[dict[str, Any]]] = {}
    for profile in pages(account.iam, "list_instance_profiles", "InstanceProfiles"):
        for each in profile["Roles"]:
            found.setdefault(each["RoleName"], []).append(profile)
    return found


def _policies(account: Aws, name: str) -> list[str]:
    return [*iam.attached(account, name).values(), *iam.inline(account, name)]


def _in_use(arn: str, instances: list[str]) -> dict[str, Any]:
    """Return what EC2 alone knows about a role: its instance profile and the instances."""
    return {
        "role": None,
        "arn": None,
        "description": "",
        "policies": None,
        "instance_profiles": [arn.rpartition("/")[2]],
        "instances": instances,
    }


def _instances(role: dict[str, Any]) -> str:
    if role["instance_profiles"] == []:
        return "no instance profile"
    return _joined(role["instances"])


def _joined(words: list[str] | None) -> str:
    return "?" if words is None else " ".join(words) or "-"


def _users(account: Aws, denials: list[str]) -> dict[str, list[str]] | None:
    """Return the instances that use each instance profile, None if that is not known."""
    try:
        known = list(ec2.associations(account))
    except (Refused, RequestError) as error:
        denials.append(str(error))
        return None
    users: dict[str, list[str]] = {}
    for each in known:
        users.setdefault(each["IamInstanceProfile"]["Arn"], []).append(each["InstanceId"])
    return users


def launch_options(given: argparse.Namespace, _: Console) -> Result:
    """Print the options that give a new instance the role."""
    account = aws.account(given)
    profile = iam.profile_of(account, given.name)["InstanceProfileName"]
    options = iam.launch_options(profile)
    return Result(f"{options}\n", {"role": given.name, "instance_profile": profile,
                                   "options": options})  # fmt: skip
