"""A host between its metadata service and STS, and requests that go to both."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from tests import cachedir
from tests.harness import NOWHERE
from tests.servers.base import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.harness import Host, Result
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer

#: Processes that are started together. The test command asks for more under --all, a person may.
HERD = int(os.environ.get("CREDPROC_TEST_HERD", "20"))

ONE = "arn:aws:iam::111122223333:role/one"
TWO = "arn:aws:iam::444455556666:role/two"
OTHER = "arn:aws:iam::444455556666:role/other"

#: Long-term keys, which are the same on every run.
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
CHAIN = ("--role-arn", ONE, "--role-arn", TWO, "--source", "env")
#: The same chain as the profile ``two``, for a host's config file.
PROFILES = f"""
[profile one]
role_arn = {ONE}
credential_source = Environment
[profile two]
role_arn = {TWO}
source_profile = one
"""

#: Seconds that are left of an hour's credentials in each state.
LEFT = {"fresh": 3000, "ahead": 1500, "now": 600, "expired": -1}


class Cloud:
    """A host, its instance's metadata service, STS, and a log if requested."""

    def __init__(self, host: Host, imds: ImdsServer, sts: StsServer) -> None:
        self.host = host
        self.imds = imds
        self.sts = sts
        host.environ.update(
            AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url,
            AWS_ENDPOINT_URL_STS=sts.url,
            AWS_ENDPOINT_URL=NOWHERE,
            **KEYS,
        )
        self.log_path: Path = host.folder / "credproc.log"

    def leave(self, state: str) -> None:
        """Let time pass in the cache until its entries, of an hour, are in that state."""
        self.leave_seconds(LEFT[state])

    def leave_seconds(self, seconds: float) -> None:
        """Let time pass in the cache until its entries have so many seconds left."""
        self.host.settle()  # the process that wrote them may still be sweeping
        cachedir.leave(self.host.cache, seconds)

    def next_look(self) -> None:
        """Let time pass until the next look."""
        cachedir.change(self.host.cache, look=-1)

    def log(self) -> str:
        """Return what was logged by runs with ``CREDPROC_LOG=log_path``."""
        return self.log_path.read_text("utf-8") if self.log_path.exists() else ""

    @property
    def roles(self) -> tuple[int, int]:
        """How often STS was called for the first and for the second role."""
        return self.sts.count(ONE), self.sts.count(TWO)


def until(condition: Callable[[], object], seconds: float = 3 * PATIENCE) -> None:
    """Return when the condition holds; AssertionError if it does not come to that."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it never came to that"
        time.sleep(0.01)


def one_document(results: list[Result]) -> bytes:
    """Return the document that all of them printed; AssertionError if one did anything else."""
    assert {result.document["AccessKeyId"] for result in results}
    assert len({result.stdout for result in results}) == 1
    return results[0].stdout
