"""Fifty threads and fifty processes that want credentials at once, while the old ones run out."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests import cachedir
from tests.cloud import ONE
from tests.consumers.consumer import CONSUMERS, Consumer
from tests.consumers.install import PROGRAMS
from tests.consumers.world import Running
from tests.harness import herd
from tests.servers.signature import key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.consumers.install import Installed
    from tests.consumers.world import World

    Get = Callable[[Consumer], Installed]

pytestmark = [pytest.mark.consumer, pytest.mark.timeout(600)]

BOTO3 = [consumer for consumer in CONSUMERS if consumer.name == "boto3, newest"]
COUNT = 50
#: Seconds for the whole of them, on a machine that does other things too.
LIMIT = 240.0

WAYS = {"imds": (), "a role": ("--role-arn", ONE, "--source", "imds", "--duration-seconds", "900")}
way = pytest.mark.parametrize("way", WAYS)
of_boto3 = pytest.mark.parametrize("consumer", BOTO3, ids=str)


class Ended:
    """Whose credentials are good, and who signed; each look forgets what was before it."""

    def __init__(self, world: World, way: str) -> None:
        self.world = world
        self.way = way
        world.profile(*WAYS[way])
        # Below 15 minutes botocore asks credproc again at each signing.
        world.imds.lifetime = 840

    @property
    def good(self) -> str:
        if self.way == "imds":
            return str(self.world.imds.current["AccessKeyId"])
        return self.world.sts.issued[-1].access_key

    def run_out(self) -> None:
        """Let what is held run out, and the instance have its next credentials."""
        cachedir.leave(self.world.host.cache, -1)
        self.world.imds.turn()
        self.world.forget()

    def check(self) -> None:
        """Check that all were signed with what is good now, and that it was fetched once."""
        asked = [each for each in self.world.sts.requests if b"GetCallerIdentity" in each.body]
        assert len(asked) == COUNT
        assert {key_of(each) for each in asked} == {self.good}
        assert self.world.imds.count("creds") == 1
        assert self.world.sts.count(ONE) == (self.way != "imds")
        assert self.world.runs >= COUNT


@way
@of_boto3
def test_fifty_threads_across_a_roll_over(
    way: str, world: World, installed: Get, consumer: Consumer
) -> None:
    there = installed(consumer)
    ended = Ended(world, way)
    command = [there.command[0], str(PROGRAMS / "threads.py"), str(COUNT)]
    process = world.host.processes.start(command, world.host.env(), stdin=subprocess.PIPE)
    program = Running(process)

    for _ in range(2):
        program.request(1, timeout=LIMIT)
        ended.check()
        ended.run_out()


@way
@of_boto3
def test_fifty_processes_at_a_roll_over(
    way: str, world: World, installed: Get, consumer: Consumer
) -> None:
    there = installed(consumer)
    ended = Ended(world, way)
    world.host.document(*WAYS[way])
    ended.run_out()

    results = herd(
        world.host, COUNT, str(PROGRAMS / "who.py"), "app", command=there.command[0], timeout=LIMIT
    )

    assert {result.status for result in results} == {0}, results
    ended.check()
