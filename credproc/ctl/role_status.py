"""credprocctl role status and name: show an instance's role, and whether IMDSv2 is required."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc.ctl import arguments, ec2, iam
from credproc.ctl.aws import Refused, allowed
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
        parts, "status", status, "show which role an instance has, and whether IMDSv2 is required",
        example="credprocctl role status\n"
        "credprocctl role status --instance i-0a1b2c3d4e5f60718",
    )  # fmt: skip
    ec2.add_instance(made, required=False)
    arguments.account(made)
    arguments.command(
        parts, "name", name_of_this, "print the name of this instance's role",
        "The name comes from IMDS; no AWS credentials are needed.",
        example="credprocctl role name",
    )  # fmt: skip


def name_of_this(given: argparse.Namespace, _: Console) -> Result:
    """Print the name of this instance's role."""
    name = imds.role_name(run(given))
    return Result(f"{name}\n", {"role": name})


def status(given: argparse.Namespace, console: Console) -> Result:
    """Show the instance's role and metadata options, as returned by EC2 and by IMDS itself.

    What the caller may not see is shown as unknown, with a note; it is an error if that is all.
    """
    account, instance = ec2.account_and_instance(given)
    denials: list[str] = []
    found = allowed(lambda: ec2.existing(account, instance), denials)
    known = allowed(lambda: list(ec2.associations(account, instance)), denials)
    from_imds = _imds(given, instance)
    if found is None and known is None and not from_imds["role"]:
        raise Refused("AccessDenied", denials[0])
    profiles = [_described(account, each, denials) for each in known or []]
    data = {
        "instance": instance,
        "region": account.region,
        "state": found and found.get("State", {}).get("Name", ""),
        "associations": known and [
            {key: each[key] for key in ("instance_profile", "roles", "state")} for each in profiles
        ],
        "metadata": found and _options(found.get("MetadataOptions", {})),
        "imds": from_imds,
        "denied": denials,
    }  # fmt: skip
    state = f" ({data['state']})" if found else ""
    shown = [
        ("instance", f"{instance}{state} in {account.region}"),
        *[("role", each["shown"]) for each in profiles],
        *[("role", "none: no instance profile is associated")] * (known == []),
        *[("role", "unknown")] * (known is None),
        ("metadata", _metadata(data["metadata"])),
        ("IMDS", from_imds["text"]),
    ]
    for denial in dict.fromkeys(denials):
        console.note(denial)
    return Result(console.pairs(shown), data)


def _described(account: Aws, association: dict[str, Any], denials: list[str]) -> dict[str, Any]:
    """Return an association with its role, which is not part of the instance profile's ARN."""
    name, state = ec2.profile_name(association), association["State"]
    before = len(denials)
    profile = allowed(lambda: iam.instance_profile(account, name) or {}, denials)
    roles = None if profile is None else [each["RoleName"] for each in profile.get("Roles", [])]
    known = "unknown" if len(denials) > before else "none"
    return {
        "instance_profile": association["IamInstanceProfile"]["Arn"],
        "roles": roles,
        "state": state,
        "shown": f"{' '.join(roles or []) or known} (instance profile {name}, {state})",
    }


def _options(options: dict[str, Any]) -> dict[str, Any]:
    """Return an instance's metadata options by our names."""
    return {
        "enabled": options.get("HttpEndpoint", "enabled") == "enabled",
        "v2_required": options.get("HttpTokens") == "required",
        "hop_limit": options.get("HttpPutResponseHopLimit", 1),
    }


def _metadata(options: Any) -> str:
    if options is None:
        return "unknown"
    if not options["enabled"]:
        return "IMDS is turned off for this instance, so programs on it cannot get the role"
    limit = options["hop_limit"]
    tokens = (
        "IMDSv2 required" if options["v2_required"] else
        "IMDSv1 is allowed, too (HttpTokens=required forbids it)"
    )  # fmt: skip
    reach = "can reach IMDS" if limit > 1 else "with a network of their own cannot reach IMDS"
    return f"{tokens}; hop limit {limit}: containers {reach}"


def _imds(given: argparse.Namespace, instance: str) -> dict[str, str]:
    """Return the role from IMDS, if this command runs on the instance."""
    try:
        here = imds.instance_id(run(given))
        if here != instance:
            return {"text": "not checked: this is another machine", "role": ""}
        role = imds.role_name(run(given))
    except CredprocError as error:
        return {"text": str(error), "role": ""}
    return {"text": f"the role is {role}", "role": role}
