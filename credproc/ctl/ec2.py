"""EC2's part of an instance's role: instances, and the instance profiles associated with them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from credproc.ctl.aws import Aws, Refused, account, call, pages
from credproc.ctl.machine import run
from credproc.errors import RequestError
from credproc.providers import imds

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from typing import Any

#: What --instance takes for the machine that this runs on.
THIS = "this"


def add_instance(made: Any, required: bool) -> None:
    """Add --instance."""
    default = " (required)" if required else " (default: this)"
    made.add_argument(
        "--instance", metavar="ID", required=required, default=None if required else THIS,
        help=f"the instance's id, or `{THIS}` for the instance that this command runs on{default}",
    )  # fmt: skip


def account_and_instance(given: argparse.Namespace) -> tuple[Aws, str]:
    """Return the clients, and the id of the instance."""
    region, instance = given.region, given.instance
    if instance == THIS:
        instance = imds.instance_id(run(given))
        if not instance:
            raise RequestError("IMDS does not return the id of this instance: give --instance ID")
        region = region or os.environ.get("AWS_REGION") or imds.region(run(given))
    return account(given, region), instance


def associations(aws: Aws, instance: str = "") -> Iterator[dict[str, Any]]:
    """Yield the associations of instances with instance profiles in one region.

    The descriptions of instances have the same information, but later.
    """
    filters = [{"Name": "state", "Values": ["associating", "associated"]}]
    if instance:
        filters.append({"Name": "instance-id", "Values": [instance]})
    return pages(
        aws.ec2,
        "describe_iam_instance_profile_associations",
        "IamInstanceProfileAssociations",
        Filters=filters,
    )


def profile_name(association: dict[str, Any]) -> str:
    """Return the name of the instance profile of an association."""
    return str(association["IamInstanceProfile"]["Arn"]).rpartition("/")[2]


def existing(aws: Aws, instance: str) -> dict[str, Any]:
    """Return the instance; RequestError if it does not exist or has been terminated."""
    try:
        found = _instance(aws, instance)
    except Refused as error:
        if error.code.startswith("InvalidInstanceID"):
            raise RequestError(
                f"there is no instance {instance} in {aws.region}: check its id and --region"
            ) from None
        raise
    state = found.get("State", {}).get("Name", "")
    if state in ("terminated", "shutting-down"):
        raise RequestError(f"the instance {instance} is {state}")
    return found


def _instance(aws: Aws, instance: str) -> dict[str, Any]:
    answer = call(aws.ec2.describe_instances, InstanceIds=[instance])
    found: list[dict[str, Any]] = [
        each for reservation in answer["Reservations"] for each in reservation["Instances"]
    ]
    if not found:
        raise Refused("InvalidInstanceID.NotFound", f"EC2 returned no instance {instance}")
    return found[0]
