"""A command of the AWS CLI that tries a new profile, and works wherever it is pasted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from credproc.ctl import commandline, machine
from credproc.errors import CredprocError
from credproc.providers import imds
from credproc.regions import HOME_REGIONS, home_region
from credproc.request import Chain

if TYPE_CHECKING:
    import argparse

    from credproc.request import Request


def command(given: argparse.Namespace, request: Request, region: str) -> str:
    """Return a command of the AWS CLI that uses the profile; ``region`` is the profile's own.

    It names a region if the CLI has none. Version 1 of the CLI does not read AWS_REGION.
    """
    name: str = given.name
    words = ["aws", "sts", "get-caller-identity"]
    if name != "default":
        words += ["--profile", name]
    if not region and not os.environ.get("AWS_DEFAULT_REGION"):
        words += ["--region", os.environ.get("AWS_REGION") or _region(given, request)]
    return commandline.join(words)


def _region(given: argparse.Namespace, request: Request) -> str:
    """Return a region where the credentials are valid: this instance's, else the partition's."""
    found = ""
    if any(each.needs_imds for each in request.providers):
        try:
            found = imds.region(machine.run(given))
        except CredprocError:
            pass  # the profile is for another machine
    if found:
        return found
    hops = [hop for each in request.providers if isinstance(each, Chain) for hop in each.hops]
    return home_region(hops[-1].role_arn) if hops else HOME_REGIONS["aws"]
