"""Many threads, clients and processes that need credentials at once, while the old ones expire.

Or have expired already. Each must fetch once, and sign every request correctly.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import cachedir
from tests.cloud import ONE
from tests.consumers.consumer import CONSUMERS, Consumer
from tests.consumers.every import ELSEWHERE
from tests.consumers.install import PROGRAMS
from tests.consumers.waiting import Waiting
from tests.consumers.world import Running
from tests.harness import herd
from tests.servers.signature import Keys, signed_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.consumers.install import Installed
    from tests.consumers.world import World

    Get = Callable[[Consumer], Installed]

pytestmark = [pytest.mark.consumer, *ELSEWHERE, pytest.mark.timeout(600)]

COUNT = 50
#: Of those that log, or take a second to start; and how many of them wait before one is served.
CLIENTS, FEW, WAITING = 30, 10, 4
#: Seconds for the whole of them, on a machine that does other things too.
LIMIT = 240.0

WAYS = {"imds": (), "a role": ("--role-arn", ONE, "--source", "imds", "--duration-seconds", "900")}
way = pytest.mark.parametrize("way", WAYS)


def of(name: str) -> pytest.MarkDecorator:
    """Let a test have the consumer of that name."""
    found = [consumer for consumer in CONSUMERS if consumer.name == name]
    return pytest.mark.parametrize("consumer", found, ids=str)


class Rolling:
    """Whose credentials are good, and who signed; each look forgets what was before it."""

    def __init__(self, world: World, way: str, count: int = COUNT) -> None:
        self.world = world
        self.way = way
        self.count = count
        world.profile(*WAYS[way])
        # Below 15 minutes botocore asks credproc again at each signing.
        world.imds.lifetime = 840

    @property
    def good(self) -> Keys:
        if self.way == "imds":
            current = self.world.imds.current
            return Keys(current["AccessKeyId"], current["SecretAccessKey"], current["Token"])
        issued = self.world.sts.issued[-1]
        return Keys(issued.access_key, issued.secret_key, issued.token)

    def run_out(self, left: float = -1) -> None:
        """Let the cached credentials expire, or nearly, and give the instance its next ones."""
        cachedir.leave(self.world.host.cache, left)
        self.world.imds.turn()
        self.world.forget()

    def meet(self, ask: Callable[[], None]) -> None:
        """Run while the cached credentials are valid and due, with the refresh delayed until others
        wait."""
        waiting = Waiting(self.world.host)  # what logs already goes on logging to the same file
        waiting.forget()
        hold = self.world.sts.hold(ONE)
        with ThreadPoolExecutor(1) as thread:
            asking = thread.submit(ask)
            try:
                waiting.come(WAITING)
                ends = [entry.expiration for entry in cachedir.entries(self.world.host.cache)]
                assert time.time() < min(ends)
            finally:
                hold.release()
            asking.result()

    def check(self) -> None:
        """Check that all were signed with what is good now, and that it was fetched once."""
        calls = [each for each in self.world.sts.requests if b"GetCallerIdentity" in each.body]
        assert len(calls) == self.count
        assert [each for each in calls if not signed_by(each, self.good)] == []
        assert self.world.imds.count("creds") == 1
        assert self.world.sts.count(ONE) == (self.way != "imds")
        assert self.world.runs >= self.count


@way
@of("boto3, newest")
def test_fifty_threads_across_a_roll_over(
    way: str, world: World, installed: Get, consumer: Consumer
) -> None:
    there = installed(consumer)
    rolling = Rolling(world, way)
    command = [there.command[0], str(PROGRAMS / "threads.py"), str(COUNT)]
    process = world.host.processes.start(command, world.host.env(), stdin=subprocess.PIPE)
    program = Running(process)

    for _ in range(2):
        program.request(1, timeout=LIMIT)
        rolling.check()
        rolling.run_out()


@way
@of("boto3, newest")
def test_fifty_processes_at_a_roll_over(
    way: str, world: World, installed: Get, consumer: Consumer
) -> None:
    there = installed(consumer)
    rolling = Rolling(world, way)
    world.host.document(*WAYS[way])
    rolling.run_out()

    results = herd(
        world.host, COUNT, str(PROGRAMS / "who.py"), "app", command=there.command[0], timeout=LIMIT
    )

    assert {result.status for result in results} == {0}, results
    rolling.check()


@of("AWS SDK for JavaScript v3")
def test_clients_of_one_program_while_the_old_credentials_are_due(
    world: World, installed: Get, consumer: Consumer
) -> None:
    node, program = installed(consumer).command
    rolling = Rolling(world, "a role", CLIENTS)
    # Below 5 minutes this SDK asks credproc again for each request.
    world.sts.max_lifetime = 240
    shutil.copy(PROGRAMS / "together.mjs", Path(program).parent)
    command = [node, str(Path(program).with_name("together.mjs")), str(CLIENTS)]
    Waiting(world.host)
    process = world.host.processes.start(command, world.host.env(), stdin=subprocess.PIPE)
    clients = Running(process)

    clients.request(1, timeout=LIMIT)
    rolling.check()
    rolling.run_out(left=50)
    rolling.meet(lambda: clients.request(1, timeout=LIMIT))
    rolling.check()


@of("AWS CLI v1")
def test_processes_while_the_old_credentials_are_due(
    world: World, installed: Get, consumer: Consumer
) -> None:
    aws = installed(consumer).command[-1]
    rolling = Rolling(world, "a role", FEW)
    world.host.document(*WAYS["a role"])
    rolling.run_out(left=200)

    def ask() -> None:
        words = ("sts", "get-caller-identity", "--profile", "app")
        results = herd(world.host, FEW, *words, command=aws, timeout=LIMIT)
        assert {result.status for result in results} == {0}, results

    rolling.meet(ask)
    rolling.check()
