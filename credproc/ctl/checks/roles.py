"""The roles of the command line: MFA devices without effect, and ARNs that AWS cannot have."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from credproc import limits
from credproc.ctl import sessions
from credproc.ctl.checks import WARN, Case, Check
from credproc.errors import CredprocError, clean
from credproc.providers import stsendpoint

if TYPE_CHECKING:
    from collections.abc import Iterator


def mfa(case: Case) -> Iterator[Check]:
    """Look for an mfa_serial that no role uses."""
    for _, _, roles in case.chains():
        for note in roles.notes():
            yield Check(WARN, "mfa", note, "move it to the profile that has the role_arn, or "
                        "remove it")  # fmt: skip


def role(case: Case) -> Iterator[Check]:
    """Look for ARNs that no role of AWS can have, although another service may."""
    for _, run, roles in case.chains():
        url = stsendpoint.custom(roles.shared)
        steps: list[sessions.Step] = []
        with contextlib.suppress(CredprocError):  # the check of the providers reports it
            steps = sessions.steps(run, roles) if url else []
        for step in steps:
            arn = str(step.parts.get("role_arn") or step.parts.get("web_identity") or "")
            if arn and limits.role_arn(arn):
                yield Check(WARN, "role", f"{arn} is not an ARN of an AWS role (like "
                            f"arn:aws:iam::123456789012:role/NAME); {clean(url)} gets it unchanged",
                            "correct it, unless that service has such roles (Ceph, MinIO)"
                            )  # fmt: skip
