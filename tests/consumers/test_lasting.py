"""Programs that are up for long: credentials that end meanwhile, and a credproc that takes long."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.consumers import world as worlds
from tests.consumers.consumer import CONSUMERS, Consumer
from tests.consumers.every import ELSEWHERE
from tests.consumers.world import World, begin, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.consumers.install import Installed
    from tests.consumers.world import Running
    from tests.harness import Process
    from tests.servers.base import Hold

    Get = Callable[[Consumer], Installed]

pytestmark = [pytest.mark.consumer, *ELSEWHERE, pytest.mark.timeout(600)]

LASTING = [consumer for consumer in CONSUMERS if consumer.goes_on]
LISTING = [consumer for consumer in CONSUMERS if not consumer.goes_on]
HASTY = [consumer for consumer in CONSUMERS if consumer.gives_up]

#: Seconds that the credentials last which expire while the programs run. A program that starts
#: slower gets expired ones, with the extension that credproc gives those of the instance.
SHORT = 20
#: Seconds after which those give up that do.
PATIENCE = 60


@pytest.fixture(scope="module")
def dawdling(
    installed: Get, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[World, Process]]]:
    """Consumers whose credproc never answers, all started at once."""
    with contextlib.ExitStack() as stack:
        started = {}
        for consumer in HASTY:
            there = installed(consumer)
            world = stack.enter_context(worlds.made(tmp_path_factory.mktemp("dawdling")))
            world.profile(file=consumer.file)
            world.dawdle(3 * PATIENCE)
            started[consumer.name] = world, begin(world, consumer, there, 1)
        yield started


@pytest.mark.parametrize("consumer", HASTY, ids=str)
def test_slow_answer_is_waited_for(
    dawdling: dict[str, tuple[World, Process]], consumer: Consumer
) -> None:
    world, process = dawdling[consumer.name]

    assert world.dawdler(timeout=30)
    assert process.running


@pytest.fixture(scope="module")
def outlived(
    installed: Get, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[World, Running | Exception]]]:
    """Programs whose credentials have expired since their first request; waited for only once."""
    programs: dict[str, tuple[World, Running | Exception]] = {}
    with contextlib.ExitStack() as stack:
        for consumer in LASTING:
            world = stack.enter_context(worlds.made(tmp_path_factory.mktemp("outlived")))
            world.profile(file=consumer.file)
            try:
                program = start(world, installed(consumer).command, consumer.env)
                world.imds.lifetime = SHORT
                world.imds.turn()
                program.request(1)
                programs[consumer.name] = world, program
            except Exception as error:  # the test of that consumer shows it
                programs[consumer.name] = world, error
        time.sleep(SHORT)  # wait for the expiration itself
        yield programs


@pytest.mark.parametrize("consumer", LASTING, ids=str)
def test_credentials_are_renewed_while_the_program_is_up(
    outlived: dict[str, tuple[World, Running | Exception]], consumer: Consumer
) -> None:
    world, program = outlived[consumer.name]
    if isinstance(program, Exception):
        raise program
    first = world.imds.current["AccessKeyId"]
    before = world.runs
    world.imds.turn()
    world.imds.lifetime = 3600
    program.request(1)

    assert world.keys[0] == first
    if consumer.renews:
        assert world.runs > before
        assert world.keys[-1] == world.imds.current["AccessKeyId"] != first
    else:
        assert world.runs == before
        assert set(world.keys) == {first}


@pytest.fixture(scope="module")
def held(
    installed: Get, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[World, Process, Hold]]]:
    """Listings whose first response is delayed until the credentials have expired."""
    listings = {}
    with contextlib.ExitStack() as stack:
        for consumer in LISTING:
            there = installed(consumer)
            world = stack.enter_context(worlds.made(tmp_path_factory.mktemp("lasting")))
            world.profile(file=consumer.file)
            world.imds.lifetime = SHORT
            world.imds.turn()
            hold = world.s3.hold()
            listings[consumer.name] = world, begin(world, consumer, there, 3), hold
        for _, _, hold in listings.values():
            hold.wait_for(1)
        time.sleep(SHORT)
        yield listings


@pytest.mark.parametrize("consumer", LISTING, ids=str)
def test_credentials_are_renewed_in_the_middle_of_a_listing(
    held: dict[str, tuple[World, Process, Hold]], consumer: Consumer
) -> None:
    world, process, hold = held[consumer.name]
    first = world.imds.current["AccessKeyId"]
    before = world.runs
    world.imds.turn()
    world.imds.lifetime = 3600
    hold.release()

    result = process.wait()

    assert result.status == 0, result
    assert world.runs > before
    assert world.keys[0] == first
    assert world.keys[-1] == world.imds.current["AccessKeyId"] != first


# The last of this file, because what they wait for has begun with its first.
@pytest.mark.parametrize("consumer", HASTY, ids=str)
def test_slow_answer_is_abandoned_after_a_minute(
    dawdling: dict[str, tuple[World, Process]], consumer: Consumer
) -> None:
    world, process = dawdling[consumer.name]

    time.sleep(max(0, process.started + PATIENCE + 2 - time.monotonic()))
    if consumer.gives_up == "at once":
        process.popen.wait(PATIENCE)
    else:
        assert process.running
    # At most the shell has been killed, and credproc continues.
    os.kill(world.dawdler(), signal.SIGKILL)

    result = process.wait()
    assert result.status != 0
    assert "credential process timed out" in result.stderr, result
