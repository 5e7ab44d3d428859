"""credprocctl role status and name: which role an instance has, and whether IMDSv2 is required."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc.ctl import arguments, ec2, iam
from credproc.ctl.machine import run
from credproc.ctl.output import Result
from credproc.errors import CredprocError
from credproc.providers import imds

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from credproc.ctl.aws import Aws
    from credproc.ctl.output import Console


def add(parts: Any) -> None:
    """Add the commands to those of ``role``."""
    made = arguments.command(
        parts, "status", status, "show which role an instance has, and whether IMDSv2 is required"
    )
    ec2.add_instance(made, required=False)
    arguments.account(made)
    arguments.command(
        parts, "name", name_of_this, "print the name of this instance's role",
        "One word, as IMDS tells it.",
    )  # fmt: skip


def name_of_this(given: argparse.Namespace, _: Console) -> Result:
    """Print the name of this instance's role."""
    name = imds.role_name(run(given))
    return Result(f"{name}\n", {"role": name})


def status(given: argparse.Namespace, console: Console) -> Result:
    """Show the instance's role and metadata options: as EC2 has them, and as IMDS itself says."""
    account, instance = ec2.account_and_instance(given)
    found = ec2.existing(account, instance)
    held = list(ec2.associations(account, instance))
    profiles = [_described(account, each) for each in held]
    options = found.get("MetadataOptions", {})
    said = _imds(given, instance)
    data = {
        "instance": instance,
        "region": account.region,
        "state": found.get("State", {}).get("Name", ""),
        "associations": [
            {key: each[key] for key in ("instance_profile", "roles", "state")} for each in profiles
        ],
        "metadata": {
            "enabled": options.get("HttpEndpoint", "enabled") == "enabled",
            "v2_required": options.get("HttpTokens") == "required",
            "hop_limit": options.get("HttpPutResponseHopLimit", 1),
        },
        "imds": said,
    }
    shown = [
        ("instance", f"{instance} ({data['state']}) in {account.region}"),
        *[("role", each["shown"]) for each in profiles],
        *[("role", "none: no instance profile is associated")] * (not held),
        ("metadata", _metadata(data["metadata"])),
        ("IMDS says", said["text"]),
    ]
    return Result(console.pairs(shown), data)


def _described(account: Aws, association: dict[str, Any]) -> dict[str, Any]:
    """Return an association with the role that it brings, which its ARN does not tell."""
    name, state = ec2.profile_name(association), association["State"]
    profile = iam.instance_profile(account, name) or {}
    roles = [each["RoleName"] for each in profile.get("Roles", [])]
    return {
        "instance_profile": association["IamInstanceProfile"]["Arn"],
        "roles": roles,
        "state": state,
        "shown": f"{' '.join(roles) or 'none'} (instance profile {name}, {state})",
    }


def _metadata(options: Any) -> str:
    if not options["enabled"]:
        return "turned off for this instance: nothing there gets the role"
    limit = options["hop_limit"]
    tokens = (
        "IMDSv2 required" if options["v2_required"] else
        "IMDSv1 is answered, too (HttpTokens=required would end that)"
    )  # fmt: skip
    reach = "reach it" if limit > 1 else "with a network of their own do not reach it"
    return f"{tokens}; hop limit {limit}: containers {reach}"


def _imds(given: argparse.Namespace, instance: str) -> dict[str, str]:
    """Return what IMDS says, if the instance is the one that this runs on."""
    try:
        here = imds.instance_id(run(given))
        if here != instance:
            return {"text": "not asked: this is another machine", "role": ""}
        role = imds.role_name(run(given))
    except CredprocError as error:
        return {"text": str(error), "role": ""}
    return {"text": f"the role here is {role}", "role": role}
