"""AWS on loopback, for the demo and the README: an instance with a role, two accounts, one person.

Standard library only, because the demo runs before anything is installed.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from tests.harness import NOWHERE
from tests.servers.imds import INSTANCE, ImdsServer
from tests.servers.minting import minter
from tests.servers.moto import ACCOUNT, Moto

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from typing_extensions import Self

    from tests.harness import Host

#: The account of the person and of the instance, and the one that the chain leads to.
HOME_ACCOUNT, OTHER_ACCOUNT = ACCOUNT, "444455556666"
REGION = "eu-central-1"


class Loopback:
    """IMDS, and moto's STS, IAM and S3, which accept nothing but what they issued.

    The instance's role is ``app``. A person, ``laptop``, may assume ``jump`` and ``reports``, and
    from there ``deploy`` of the other account. Each account has a bucket that tells whose it is.
    """

    def __init__(
        self,
        folder: Path,
        python: str | Path = sys.executable,
        env: Mapping[str, str] | None = None,
    ) -> None:
        with contextlib.ExitStack() as stack:
            self.moto = stack.enter_context(Moto(folder, python, env))
            self.key, self.secret = self.moto.user("laptop")
            for role in ("app", "jump", "reports"):
                self.moto.role(role)
            self.moto.role("deploy", OTHER_ACCOUNT)
            self.moto.bucket("home-account-data")
            self.moto.bucket("other-account-data", OTHER_ACCOUNT)
            mint = minter(self.moto.url, HOME_ACCOUNT)
            self.imds = stack.enter_context(ImdsServer(region=REGION, mint=mint))
            # The one set that the instance needs is issued while callers are not yet checked.
            self.access_key = self.imds.current["AccessKeyId"]
            self.moto.authenticate()
            self._stack = stack.pop_all()
        self.forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the servers."""
        self._stack.close()

    def furnish(self, host: Host) -> None:
        """Give the machine the person's keys, and STS and S3, but no metadata service."""
        host.credentials(
            f"[laptop]\naws_access_key_id = {self.key}\naws_secret_access_key = {self.secret}\n"
        )
        host.environ["AWS_ENDPOINT_URL"] = self.moto.url
        host.environ["AWS_DEFAULT_REGION"] = REGION

    @property
    def instance(self) -> dict[str, str]:
        """The variable that makes a machine the instance."""
        return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": self.imds.url}

    @property
    def laptop(self) -> dict[str, str]:
        """The variable that makes it one without a metadata service: connections are refused."""
        return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": NOWHERE}

    @property
    def assumed(self) -> list[str]:
        """The ARNs of the roles that were requested from STS, in order."""
        calls = [call for call in self.moto.calls if call.action == "AssumeRole"]
        return [call.parameters["RoleArn"] for call in calls]

    @property
    def callers(self) -> list[str]:
        """The access keys that called GetCallerIdentity, in order."""
        return [call.access_key for call in self.moto.calls if call.action == "GetCallerIdentity"]

    def forget(self) -> None:
        """Forget the requests so far."""
        self.moto.forget()
        self.imds.forget()


def arn(role: str, account: str = HOME_ACCOUNT) -> str:
    """Return a role's ARN."""
    return f"arn:aws:iam::{account}:role/{role}"


def identity(role: str, name: str = INSTANCE, account: str = HOME_ACCOUNT) -> str:
    """Return the identity of a session of the role; by default the instance's."""
    return f"arn:aws:sts::{account}:assumed-role/{role}/{name}"
