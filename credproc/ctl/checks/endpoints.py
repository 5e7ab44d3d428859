"""Services that are called instead of AWS's STS, and roles that only they can have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc import limits, request
from credproc.ctl import sessions
from credproc.ctl.checks import WARN, Case, Check
from credproc.errors import CredprocError, clean

if TYPE_CHECKING:
    from collections.abc import Iterator


def roles(case: Case) -> Iterator[Check]:
    """Look for ARNs that no role of AWS can have, although another service may."""
    run = case.run()
    for requested in case.target.request.providers if case.target else []:
        if isinstance(requested, request.Imds):
            continue
        from credproc.providers import chain, stsendpoint

        try:
            found = chain.described(run, requested)
            url = stsendpoint.custom(found.shared)
            steps = sessions.steps(run, found) if url else []
        except CredprocError:
            continue  # the check of the providers reports it
        for step in steps:
            arn = str(step.parts.get("role_arn") or step.parts.get("web_identity") or "")
            if arn and limits.role_arn(arn):
                yield Check(WARN, "role", f"{arn} is not an ARN of an AWS role (like "
                            f"arn:aws:iam::123456789012:role/NAME); {clean(url)} gets it unchanged",
                            "correct it, unless that service has such roles (Ceph, MinIO)"
                            )  # fmt: skip
