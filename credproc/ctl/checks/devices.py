"""MFA devices that are configured where they have no effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc import request
from credproc.ctl.checks import WARN, Case, Check
from credproc.errors import CredprocError

if TYPE_CHECKING:
    from collections.abc import Iterator


def unused(case: Case) -> Iterator[Check]:
    """Look for an mfa_serial that no role uses."""
    for requested in case.target.request.providers if case.target else []:
        if isinstance(requested, request.Imds):
            continue
        from credproc.providers.chain import described  # botocore, 150 ms

        try:
            found = described(case.run(), requested)
        except CredprocError:
            continue  # the check of the providers reports it
        for note in found.notes():
            yield Check(WARN, "mfa", note, "move it to the profile that has the role_arn, or "
                        "remove it")  # fmt: skip
