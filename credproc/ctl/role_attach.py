"""credprocctl role attach and detach: which role an instance has, changed while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc.ctl import arguments, ec2, iam
from credproc.ctl.aws import Aws, ask, settled, waited
from credproc.ctl.output import Result
from credproc.ctl.steps import Steps, confirm
from credproc.errors import RequestError

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from credproc.ctl.output import Console

#: Seconds that EC2 gets to put a role in place, or to take it away.
PATIENCE = 180.0


def add(parts: Any) -> None:
    """Add the commands to those of ``role``."""
    made = arguments.command(
        parts, "attach", attach, "give an instance a role",
        "Also while it runs; another role that it has is replaced. Returns when it is in place.",
    )  # fmt: skip
    made.add_argument("name", metavar="NAME", help="the role")
    ec2.add_instance(made, required=True)
    arguments.changes(made)
    arguments.account(made)
    made = arguments.command(parts, "detach", detach, "take an instance's role away")
    made.add_argument(
        "name", metavar="NAME", nargs="?", help="the role; another one is left in place"
    )
    ec2.add_instance(made, required=True)
    arguments.changes(made)
    arguments.account(made)


def attach(given: argparse.Namespace, console: Console) -> Result:
    """Associate the role's instance profile with the instance, or replace the one it has."""
    account, instance = ec2.account_and_instance(given)
    profile = iam.profile_of(account, given.name)
    held = next(ec2.associations(account, instance), None)
    ec2.existing(account, instance)
    arn, name = profile["Arn"], profile["InstanceProfileName"]
    wanted = {"Name": name}
    data = {"role": given.name, "instance": instance, "instance_profile": arn}
    other = ""
    with Steps(console, given.dry_run) as steps:
        subject = f"role {given.name}"
        if held and held["IamInstanceProfile"]["Arn"] == arn:
            steps.same(subject, f"is that of {instance} already")
            made = held if held["State"] != "associated" else None
        elif held:
            other = ec2.profile_name(held)
            if not given.dry_run:
                confirm(console, f"Replace the role of {instance}, {other}, by {given.name}?",
                        given.yes)  # fmt: skip
            made = steps.change(
                subject, f"put in the place of {other} on {instance}",
                lambda: _associated(
                    console, account.ec2.replace_iam_instance_profile_association,
                    AssociationId=held["AssociationId"], IamInstanceProfile=wanted,
                ),
            )  # fmt: skip
        else:
            made = steps.change(
                subject, f"given to {instance}",
                lambda: _associated(
                    console, account.ec2.associate_iam_instance_profile,
                    InstanceId=instance, IamInstanceProfile=wanted,
                ),
            )  # fmt: skip
        if made:
            _wait_until_there(console, account, instance, arn)
            steps.same(subject, f"is in place on {instance}")
            if other:
                _tell_of_cache(steps, instance, other)
    data |= {"dry_run": given.dry_run, "steps": steps.data()}
    text = "" if given.dry_run else (
        f"{'Other running' if other else 'Running'} programs see it within a minute. "
        "Next, on the instance: "
        f"credprocctl profile add {given.name} --from-role {given.name}\n"
    )  # fmt: skip
    return Result(text, data)


def _associated(console: Console, operation: Any, **parameters: Any) -> dict[str, Any]:
    subject = f"instance profile {parameters['IamInstanceProfile']['Name']}"
    answer = settled(console, subject, lambda: ask(operation, **parameters))
    made: dict[str, Any] = answer["IamInstanceProfileAssociation"]
    return made


def _tell_of_cache(steps: Steps, instance: str, other: str) -> None:
    steps.same(
        "credproc", f"prints what it holds of {other} until it renews that: run "
        f"`credprocctl cache clear --all` on {instance} (or credproc with --refresh)",
    )  # fmt: skip


def _wait_until_there(console: Console, account: Aws, instance: str, arn: str) -> None:
    """Return when EC2 says that the profile is associated with the instance."""

    def attempt() -> tuple[bool | None, str]:
        states = [
            each["State"]
            for each in ec2.associations(account, instance)
            if each["IamInstanceProfile"]["Arn"] == arn
        ]
        return "associated" in states or None, f"EC2 says {', '.join(states) or 'nothing'}"

    waited(console, f"{instance}: EC2 puts the role in place", attempt, PATIENCE)


def detach(given: argparse.Namespace, console: Console) -> Result:
    """End the association of the instance with its instance profile."""
    account, instance = ec2.account_and_instance(given)
    ec2.existing(account, instance)
    held = next(ec2.associations(account, instance), None)
    data = {"instance": instance, "dry_run": given.dry_run}
    with Steps(console, given.dry_run) as steps:
        if held is None:
            steps.same(instance, "has no role")
            return Result("", {**data, "steps": steps.data()})
        name = ec2.profile_name(held)
        if given.name:
            mine = [each["Arn"] for each in iam.profiles_of(account, given.name)]
            if held["IamInstanceProfile"]["Arn"] not in mine:
                raise RequestError(f"{instance} has the role of {name}, not {given.name}")
        if not given.dry_run:
            confirm(console, f"Take the role of {name} away from {instance}?", given.yes)

        steps.change(
            f"role of {name}", f"taken away from {instance}",
            lambda: ask(
                account.ec2.disassociate_iam_instance_profile, AssociationId=held["AssociationId"]
            ),
        )  # fmt: skip
        if not given.dry_run:
            _wait_until_gone(console, account, instance)
    text = "" if given.dry_run else (
        "Credentials that programs hold already stay valid until they expire.\n"
    )  # fmt: skip
    return Result(text, {**data, "steps": steps.data()})


def _wait_until_gone(console: Console, account: Aws, instance: str) -> None:
    def attempt() -> tuple[bool | None, str]:
        left = [ec2.profile_name(each) for each in ec2.associations(account, instance)]
        return not left or None, f"EC2 still says {', '.join(left)}"

    waited(console, f"{instance}: EC2 takes the role away", attempt, PATIENCE)
