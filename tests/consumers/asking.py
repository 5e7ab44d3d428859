"""Consumers that call GetCallerIdentity with a profile of the user: boto3 and both AWS CLIs."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from tests.consumers.consumer import CONSUMERS, Consumer
from tests.consumers.install import PROGRAMS
from tests.consumers.world import World, run
from tests.servers.signature import key_of

if TYPE_CHECKING:
    from tests.consumers.install import Installed
    from tests.harness import Result

NAMES = ("boto3, newest", "AWS CLI v1", "AWS CLI v2 (PyPI)")
ASKING = [consumer for consumer in CONSUMERS if consumer.name in NAMES]


class Asker:
    """A consumer that calls GetCallerIdentity."""

    def __init__(self, world: World, consumer: Consumer, installed: Installed) -> None:
        self.world = world
        program, *_ = reversed(installed.command)
        if program.endswith(".py"):
            self.command = [installed.command[0], str(PROGRAMS / "who.py")]
            self.option: tuple[str, ...] = ()
        else:
            self.command = [program, "sts", "get-caller-identity", "--query", "Arn"]
            self.option = ("--profile",)
        self.env: dict[str, str | None] = {**consumer.env, "AWS_ENDPOINT_URL_S3": None}

    def ask(self, profile: str | None = "app", **env: str | None) -> Result:
        """Ask with a profile that is named, or with what the environment makes of it."""
        words = [*self.option, profile] if profile else []
        return run(self.world, [*self.command, *words], {**self.env, **env})

    @property
    def line(self) -> str:
        """The credential_process that runs credproc and counts its runs."""
        return shlex.join([str(self.world.plain), "mark"])


def signers(world: World) -> list[str]:
    """Return the access keys that called STS, in order."""
    return [key_of(request) for request in world.sts.requests]
