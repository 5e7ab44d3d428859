"""credprocctl role: the role of this EC2 instance."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from credproc.log import Log
from credproc.mfa import Mfa
from credproc.providers import Deadline, Run, imds

if TYPE_CHECKING:
    import argparse
    from typing import Any

#: Seconds.
TIMEOUT = 10


def add(commands: Any) -> None:
    """Add the command and its parts to the parser."""
    role = commands.add_parser("role", help="the role of this EC2 instance")
    parts = role.add_subparsers(title="commands", required=True, metavar="COMMAND")
    name = parts.add_parser(
        "name",
        help="print the name of the instance's role",
        description="Print the name of this EC2 instance's role, one word, as IMDS tells it.",
    )
    name.set_defaults(command=name_of_the_instance)


def name_of_the_instance(_: argparse.Namespace) -> str:
    """Return the line with the name of this instance's role."""
    log = Log(os.environ.get("CREDPROC_LOG", ""), time.time)
    run = Run(os.environ, Deadline(TIMEOUT), log, Mfa("", os.environ))
    return imds.role_name(run) + "\n"
