"""Role chains assumed at a simulated STS, in this process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import botocore.session

from credproc import request
from credproc.deadline import Deadline
from credproc.hop import Hop
from credproc.mfa import Mfa
from credproc.providers import stsendpoint
from credproc.providers.chain import Chain, Profile
from credproc.run import Run
from tests.runs import Hurry, Outcome, RecordedLog, called

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.servers.sts import StsServer

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "canary0123456789abcdefghijklmnopqrstuvwx"
KEYS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}

A = "arn:aws:iam::111111111111:role/a"
B = "arn:aws:iam::222222222222:role/b"
C = "arn:aws:iam::333333333333:role/c"


#: Reads botocore's data once for all tests; a session's own would take 50 to 300 ms.
LOADER = botocore.session.create_loader()


class Machine:
    """The environment and the config that this process has for a while."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self.patch = patch
        self.folder = folder
        self.set(**dict.fromkeys(stsendpoint.UNUSUAL))
        self.set(
            HOME=str(folder),
            AWS_CONFIG_FILE=str(folder / "config"),
            AWS_SHARED_CREDENTIALS_FILE=str(folder / "credentials"),
            **KEYS,
        )

    def set(self, **variables: str | None) -> None:
        """Set variables; None takes one away."""
        for name, value in variables.items():
            if value is None:
                self.patch.delenv(name, raising=False)
            else:
                self.patch.setenv(name, value)

    def knows(self, sts: StsServer) -> None:
        """Call that STS, in a region."""
        self.set(AWS_ENDPOINT_URL_STS=sts.url, AWS_REGION="eu-central-1")

    def config(self, text: str) -> None:
        """Write the config file."""
        (self.folder / "config").write_text(text, encoding="utf-8")

    def credentials(self, text: str) -> None:
        """Write the credentials file."""
        (self.folder / "credentials").write_text(text, encoding="utf-8")

    def run(
        self,
        seconds: float = 20,
        mfa_command: str = "",
        patient: bool = True,
        clock: Hurry | None = None,
    ) -> Run:
        """Return a run on this machine, without a cache; patient if it has nothing valid.

        On the ``clock`` pauses take no time.
        """
        deadline = Deadline(seconds, clock or Hurry())
        made = Run(os.environ, deadline, RecordedLog(), Mfa(mfa_command, os.environ))
        made.patient = patient
        return made

    def assume(self, *hops: Hop, source: str = "env", run: Run | None = None) -> Outcome:
        """Assume the roles of a chain."""
        return called(run or self.run(), Chain(chain(*hops, source=source)).retrieve)

    def profile(self, name: str, run: Run | None = None) -> Outcome:
        """Get the credentials that a profile describes."""
        return called(run or self.run(), Profile(request.Profile(name)).retrieve)


def hop(arn: str = A, **fields: Any) -> Hop:
    """Return a role to assume, with these options."""
    made = Hop(arn)
    for name, value in fields.items():
        assert hasattr(made, name), name
        setattr(made, name, value)
    return made


def chain(*hops: Hop, source: str = "env") -> request.Chain:
    """Return a chain of roles."""
    made = request.Chain()
    made.hops = list(hops)
    made.source = source
    return made
