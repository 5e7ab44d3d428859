"""credprocctl role create: a role that EC2 may assume, its policies, its instance profile."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from credproc.ctl import arguments, aws, iam
from credproc.ctl.aws import Aws, Refused, Unchecked, call, settled, waited
from credproc.ctl.output import Result
from credproc.ctl.steps import Steps, confirm
from credproc.errors import RequestError

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from credproc.ctl.output import Console


#: The settings that are changed only after confirmation, in words.
WORDS = {
    "Description": "description",
    "MaxSessionDuration": "longest session (seconds)",
    "PermissionsBoundary": "permissions boundary",
}


def add(parts: Any) -> None:
    """Add the command to those of ``role``."""
    made = arguments.command(
        parts, "create", create, "create a role for EC2 instances",
        "The command attaches the policies to the role, and adds it to an instance profile of the "
        "same name. Run it again to complete an interrupted run. An "
        "existing role keeps its settings, unless you confirm a change of its description, "
        "duration or boundary.",
        example="credprocctl role create app --policy AmazonS3ReadOnlyAccess --dry-run\n"
        "credprocctl role create app --policy AmazonS3ReadOnlyAccess",
    )  # fmt: skip
    made.add_argument("name", metavar="NAME", help="the role")
    made.add_argument(
        "--policy", action="append", required=True, metavar="ARN_OR_NAME",
        help="a managed policy of AWS (like AmazonS3FullAccess) or of the account; repeat it for "
        "more (required)",
    )  # fmt: skip
    made.add_argument("--description", help="the description of the role")
    made.add_argument("--path", help="the path of the role in IAM, like /teams/web/")
    made.add_argument(
        "--permissions-boundary",
        metavar="ARN_OR_NAME",
        help="a policy that limits the permissions of the role",
    )
    made.add_argument(
        "--max-session-duration", type=int, metavar="SECONDS",
        help="3600 to 43200, for callers of AssumeRole; EC2's own sessions last 6 hours",
    )  # fmt: skip
    arguments.changes(made)
    arguments.account(made)


def create(given: argparse.Namespace, console: Console) -> Result:
    """Create the role, its policies and its instance profile, after checking everything."""
    name: str = given.name
    _check_create(given)
    account = aws.account(given)
    unchecked = Unchecked(given.dry_run)
    policies = [iam.policy(account, text, unchecked) for text in given.policy]
    wanted = {
        "Path": given.path,
        "Description": given.description,
        "MaxSessionDuration": given.max_session_duration,
        "PermissionsBoundary": given.permissions_boundary
        and iam.policy(account, given.permissions_boundary, unchecked, "--permissions-boundary"),
    }
    wanted = {key: value for key, value in wanted.items() if value}
    found = unchecked.look(lambda: iam.role(account, name))
    profile = unchecked.look(lambda: iam.instance_profile(account, name))
    attached = (unchecked.look(lambda: iam.attached(account, name)) if found else None) or {}
    changed = _checked(found, wanted, policies, attached) if found else {}
    _check_profile(name, profile)
    if changed and not given.dry_run:
        changes = _changes_in_words(found, changed)
        confirm(console, f"The role {name} exists. Change {changes}?", given.yes)
    with Steps(console, given.dry_run) as steps:
        if found is None:
            _create_role(account, name, wanted, steps)
        else:
            steps.same(f"role {name}", "already exists")
            _update(account, found, changed, steps)
        _attach(account, name, attached, policies, steps)
        _create_profile(given, account, profile, steps)
        if steps.has_changed:
            waited(console, f"role {name}: not visible everywhere in IAM yet",
                   lambda: _known(account, name))  # fmt: skip
    text = "" if given.dry_run else (
        f"Next: credprocctl role attach {name} --instance INSTANCE (or `this`, on the instance), "
        f"or start one with: aws ec2 run-instances {iam.launch_options(name)} ...\n"
    )  # fmt: skip
    for denial in dict.fromkeys(unchecked.denials):
        console.note(f"not checked: {denial}")
    data = {
        "role": name,
        "policies": policies,
        "dry_run": given.dry_run,
        "steps": steps.data(),
        "unchecked": list(dict.fromkeys(unchecked.denials)),
    }
    return Result(text, data)


def _check_create(given: argparse.Namespace) -> None:
    iam.check(given.name)
    path = given.path
    if path and not (path.startswith("/") and path.endswith("/") and len(path) <= 512):
        raise RequestError("--path: must begin and end with /")
    seconds = given.max_session_duration
    if seconds is not None and not 3600 <= seconds <= 43200:
        raise RequestError("--max-session-duration: must be 3600 to 43200 seconds")
    if given.description and (len(given.description) > 1000 or max(given.description) > "\xff"):
        raise RequestError("--description: must be 1 to 1000 characters of Latin-1")


def _create_role(account: Aws, name: str, wanted: dict[str, Any], steps: Steps) -> None:
    trust = iam.trust(account.partition)
    steps.change(
        f"role {name}", "created for EC2 instances",
        lambda: call(
            account.iam.create_role, RoleName=name, AssumeRolePolicyDocument=trust, **wanted
        ),
    )  # fmt: skip


def _checked(
    found: dict[str, Any], wanted: dict[str, Any], policies: list[str], attached: dict[str, str]
) -> dict[str, Any]:
    """Return the settings of an existing role that would change; raise if it must not change."""
    name = found["RoleName"]
    if not iam.ec2_may_assume(found["AssumeRolePolicyDocument"]):
        raise RequestError(
            f"the role {name} exists, but EC2 may not assume it: choose another name"
        )
    if wanted.get("Path", found["Path"]) != found["Path"]:
        raise RequestError(f"the role {name} has the path {found['Path']}, which cannot be changed")
    _check_others(found, policies, attached)
    return {
        key: value
        for key, value in wanted.items()
        if key != "Path" and value != _present(found, key)
    }


def _present(found: dict[str, Any], key: str) -> Any:
    """Return what a role has for a parameter of CreateRole, None if it has nothing."""
    if key == "PermissionsBoundary":
        return (found.get(key) or {}).get("PermissionsBoundaryArn")
    return found.get(key)


def _changes_in_words(found: Any, changed: dict[str, Any]) -> str:
    """Return the changes in words: each setting, its old and its new value."""
    parts = [
        f"its {WORDS[key]} from {_present(found, key) or 'none'} to {value}"
        for key, value in changed.items()
    ]
    return " and ".join(parts)


def _check_others(found: dict[str, Any], policies: list[str], attached: dict[str, str]) -> None:
    """Raise if a new policy would also apply to principals other than EC2."""
    name = found["RoleName"]
    also = iam.others(found["AssumeRolePolicyDocument"])
    new = [arn for arn in policies if arn not in attached]
    if also and new:
        raise RequestError(
            f"the role {name} exists, and may also be assumed by {', '.join(also)}, which would "
            f"get the policy {new[0]}, too: choose another name, or attach the policy by hand (aws "
            f"iam attach-role-policy --role-name {name} --policy-arn {new[0]}) and run this again"
        )


def _check_profile(name: str, profile: dict[str, Any] | None) -> None:
    """Raise if the instance profile with the role's name contains another role."""
    roles = [each["RoleName"] for each in (profile or {}).get("Roles", []) if each]
    if roles and name not in roles:
        raise RequestError(
            f"the instance profile {name} contains another role, {roles[0]}: remove it from there, "
            "or choose another name"
        )


def _known(account: Aws, name: str) -> tuple[bool | None, str]:
    """Return whether IAM finds the role and its instance profile, and what is missing if not."""
    found = iam.role(account, name) is not None
    missing = "IAM does not find it" if not found else "IAM does not find its instance profile"
    try:
        return (found and bool(iam.profiles_of(account, name))) or None, missing
    except Refused as error:
        if not error.is_new:
            raise
        return None, str(error)


def _update(account: Aws, found: dict[str, Any], changed: dict[str, Any], steps: Steps) -> None:
    name = found["RoleName"]
    update = {key: value for key, value in changed.items() if key != "PermissionsBoundary"}
    if update:
        # UpdateRole resets a duration or a description that is not given.
        unchanged = {
            key: found[key] for key in ("MaxSessionDuration", "Description") if key in found
        }
        steps.change(
            f"role {name}", f"changed ({', '.join(update)})",
            lambda: call(account.iam.update_role, RoleName=name, **(unchanged | update)),
        )  # fmt: skip
    boundary = changed.get("PermissionsBoundary")
    if boundary:
        steps.change(
            f"role {name}", f"limited by the permissions boundary {boundary}",
            lambda: call(
                account.iam.put_role_permissions_boundary, RoleName=name,
                PermissionsBoundary=boundary,
            ),
        )  # fmt: skip


def _attach(
    account: Aws, name: str, attached: dict[str, str], policies: list[str], steps: Steps
) -> None:
    """Attach the policies that are not attached yet."""
    for arn in policies:
        if arn in attached:
            steps.same(f"policy {arn}", f"already attached to {name}")
            continue
        work = partial(call, account.iam.attach_role_policy, RoleName=name, PolicyArn=arn)
        steps.change(
            f"policy {arn}", f"attached to {name}",
            partial(settled, steps.console, f"role {name}", work),
        )  # fmt: skip


def _create_profile(
    given: argparse.Namespace, account: Aws, found: dict[str, Any] | None, steps: Steps
) -> None:
    """Create the instance profile with the role's name, and add the role to it."""
    name = given.name
    subject = f"instance profile {name}"
    if found is None:
        path = {"Path": given.path} if given.path else {}
        steps.change(
            subject, "created",
            lambda: call(account.iam.create_instance_profile, InstanceProfileName=name, **path),
        )  # fmt: skip
    else:
        steps.same(subject, "already exists")
    if found is not None and found.get("Roles"):
        steps.same(f"role {name}", f"already in the {subject}")
        return
    steps.change(
        f"role {name}", f"added to the {subject}",
        lambda: settled(
            steps.console, subject,
            lambda: call(
                account.iam.add_role_to_instance_profile, InstanceProfileName=name, RoleName=name
            ),
        ),
    )  # fmt: skip
