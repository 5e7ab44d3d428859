"""credprocctl role status and name: which role an instance has, and whether IMDSv2 is required."""

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
    """Show the instance's role and metadata options: as EC2 has them, and as IMDS itself says.

    What the caller is not allowed to see is unknown, and said; only if that is all, it is an error.
    """
    account, instance = ec2.account_and_instance(given)
    denials: list[str] = []
    found = allowed(lambda: ec2.existing(account, instance), denials)
    held = allowed(lambda: list(ec2.associations(account, instance)), denials)
    said = _imds(given, instance)
    if found is None and held is None and not said["role"]:
        raise Refused("AccessDenied", denials[0])
    profiles = [_described(account, each, denials) for each in held or []]
    data = {
        "instance": instance,
        "region": account.region,
        "state": found and found.get("State", {}).get("Name", ""),
        "associations": held and [
            {key: each[key] for key in ("instance_profile", "roles", "state")} for each in profiles
        ],
        "metadata": found and _options(found.get("MetadataOptions", {})),
        "imds": said,
        "denied": denials,
    }  # fmt: skip
    state = f" ({data['state']})" if found else ""
    shown = [
        ("instance", f"{instance}{state} in {account.region}"),
        *[("role", each["shown"]) for each in profiles],
        *[("role", "none: no instance profile is associated")] * (held == []),
        *[("role", "unknown")] * (held is None),
        ("metadata", _metadata(data["metadata"])),
        ("IMDS says", said["text"]),
    ]
    for denial in dict.fromkeys(denials):
        console.note(denial)
    return Result(console.pairs(shown), data)


def _described(account: Aws, association: dict[str, Any], denials: list[str]) -> dict[str, Any]:
    """Return an association with the role that it brings, which its ARN does not tell."""
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
