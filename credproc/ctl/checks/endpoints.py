"""The services that are called in the place of AWS's STS, and roles that only they may have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc import limits, request
from credproc.ctl import sessions
from credproc.ctl.checks import WARN, Case, Check
from credproc.errors import CredprocError

if TYPE_CHECKING:
    from collections.abc import Iterator


def roles(case: Case) -> Iterator[Check]:
    """Look for roles that AWS cannot have; a service of another maker may have them."""
    run = case.run()
    for asked in case.target.request.providers if case.target else []:
        if isinstance(asked, request.Imds):
            continue
        from credproc.providers import chain, place

        try:
            found = chain.described(run, asked)
            url = place.custom(found.loaded)
            steps = sessions.steps(run, found) if url else []
        except CredprocError:
            continue  # the check of the providers says so
        for step in steps:
            arn = str(step.parts.get("role_arn") or step.parts.get("web_identity") or "")
            if arn and limits.role_arn(arn):
                yield Check(WARN, "role", f"{arn} would not be a role of AWS, whose ARNs are like "
                            f"arn:aws:iam::123456789012:role/NAME; it is sent to {url} as it is",
                            "correct it, unless the service there has such roles (Ceph, MinIO)"
                            )  # fmt: skip
