"""credprocctl role attach and detach: give an instance a role, or remove it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc.ctl import arguments, ec2, iam
from credproc.ctl.aws import Aws, call, settled, waited
from credproc.ctl.output import Result
from credproc.ctl.steps import Steps, confirm
from credproc.errors import RequestError

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from credproc.ctl.output import Console

#: Seconds to wait until EC2 has attached or detached a role.
PATIENCE = 180.0


def add(parts: Any) -> None:
    """Add the commands to those of ``role``."""
    made = arguments.command(
        parts, "attach", attach, "attach a role to an instance",
        "The instance may be running. A role that it already has is replaced. The command "
        "waits until the role is in effect (up to 3 minutes).",
        example="credprocctl role attach app --instance this\n"
        "credprocctl role attach app --instance i-0a1b2c3d4e5f60718",
    )  # fmt: skip
    made.add_argument("name", metavar="NAME", help="the role")
    ec2.add_instance(made, required=True)
    arguments.changes(made)
    arguments.account(made)
    made = arguments.command(
        parts, "detach", detach, "detach the role from an instance",
        example="credprocctl role detach app --instance i-0a1b2c3d4e5f60718",
    )  # fmt: skip
    made.add_argument(
        "name", metavar="NAME", nargs="?", help="the role; fail if the instance has another one"
    )
    ec2.add_instance(made, required=True)
    arguments.changes(made)
    arguments.account(made)


def attach(given: argparse.Namespace, console: Console) -> Result:
    """Associate the role's instance profile with the instance, or replace the one it has."""
    account, instance = ec2.account_and_instance(given)
    profile = iam.profile_of(account, given.name)
    current = next(ec2.associations(account, instance), None)
    ec2.existing(account, instance)
    arn, name = profile["Arn"], profile["InstanceProfileName"]
    wanted = {"Name": name}
    data = {"role": given.name, "instance": instance, "instance_profile": arn}
    other = ""
    with Steps(console, given.dry_run) as steps:
        subject = f"role {given.name}"
        if current and current["IamInstanceProfile"]["Arn"] == arn:
            steps.same(subject, f"already attached to {instance}")
            made = current if current["State"] != "associated" else None
        elif current:
            other = ec2.profile_name(current)
            if not given.dry_run:
                confirm(console, f"Replace the role of {instance} (instance profile {other}) with "
                        f"{given.name}?", given.yes)  # fmt: skip
            made = steps.change(
                subject, f"attached to {instance}, replacing {other}",
                lambda: _associated(
                    console, account.ec2.replace_iam_instance_profile_association,
                    AssociationId=current["AssociationId"], IamInstanceProfile=wanted,
                ),
            )  # fmt: skip
        else:
            made = steps.change(
                subject, f"attached to {instance}",
                lambda: _associated(
                    console, account.ec2.associate_iam_instance_profile,
                    InstanceId=instance, IamInstanceProfile=wanted,
                ),
            )  # fmt: skip
        if made:
            _wait_until_attached(console, account, instance, arn)
            steps.same(subject, f"in effect on {instance}")
            if other:
                _note_cache(steps, instance, other)
    data |= {"dry_run": given.dry_run, "steps": steps.data()}
    text = "" if given.dry_run else (
        f"{'Other running' if other else 'Running'} programs see it within a minute. "
        "Next, on the instance: "
        f"credprocctl profile add {given.name} --from-role {given.name}\n"
    )  # fmt: skip
    return Result(text, data)


def _associated(console: Console, operation: Any, **parameters: Any) -> dict[str, Any]:
    subject = f"instance profile {parameters['IamInstanceProfile']['Name']}"
    answer = settled(console, subject, lambda: call(operation, **parameters))
    made: dict[str, Any] = answer["IamInstanceProfileAssociation"]
    return made


def _note_cache(steps: Steps, instance: str, other: str) -> None:
    steps.same(
        "credproc", f"prints cached credentials of {other} until it refreshes them: run "
        f"`credprocctl cache clear --all` on {instance} (or credproc with --refresh)",
    )  # fmt: skip


def _wait_until_attached(console: Console, account: Aws, instance: str, arn: str) -> None:
    """Return when EC2 reports that the profile is associated with the instance."""

    def attempt() -> tuple[bool | None, str]:
        states = [
            each["State"]
            for each in ec2.associations(account, instance)
            if each["IamInstanceProfile"]["Arn"] == arn
        ]
        return "associated" in states or None, (
            f"EC2 reports {', '.join(states) or 'no association'}"
        )

    waited(console, f"{instance}: EC2 is attaching the role", attempt, PATIENCE)


def detach(given: argparse.Namespace, console: Console) -> Result:
    """End the association of the instance with its instance profile."""
    account, instance = ec2.account_and_instance(given)
    ec2.existing(account, instance)
    current = next(ec2.associations(account, instance), None)
    data = {"instance": instance, "dry_run": given.dry_run}
    with Steps(console, given.dry_run) as steps:
        if current is None:
            steps.same(instance, "has no role")
            return Result("", {**data, "steps": steps.data()})
        name = ec2.profile_name(current)
        if given.name:
            own = [each["Arn"] for each in iam.profiles_of(account, given.name)]
            if current["IamInstanceProfile"]["Arn"] not in own:
                raise RequestError(
                    f"{instance} has the instance profile {name}, which is not one of the role "
                    f"{given.name}"
                )
        if not given.dry_run:
            confirm(console, f"Detach the role of {name} from {instance}?", given.yes)

        steps.change(
            f"role of {name}", f"detached from {instance}",
            lambda: call(
                account.ec2.disassociate_iam_instance_profile,
                AssociationId=current["AssociationId"],
            ),
        )  # fmt: skip
        if not given.dry_run:
            _wait_until_detached(console, account, instance)
    text = "" if given.dry_run else (
        "Credentials that programs already have stay valid until they expire.\n"
    )  # fmt: skip
    return Result(text, {**data, "steps": steps.data()})


def _wait_until_detached(console: Console, account: Aws, instance: str) -> None:
    def attempt() -> tuple[bool | None, str]:
        left = [ec2.profile_name(each) for each in ec2.associations(account, instance)]
        return not left or None, f"EC2 still reports {', '.join(left)}"

    waited(console, f"{instance}: EC2 is detaching the role", attempt, PATIENCE)
