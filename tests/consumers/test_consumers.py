"""Every consumer gets its credentials from credproc, and shows what credproc says."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.consumers import world as worlds
from tests.consumers.consumer import CONSUMERS, REQUESTS, Consumer
from tests.consumers.world import SHELLS, World, run, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.consumers.install import Installed
    from tests.consumers.world import Quoting, Running
    from tests.harness import Result

    Get = Callable[[Consumer], Installed]

# What is installed is waited for by the test that needs it first.
pytestmark = [pytest.mark.consumer, pytest.mark.timeout(600)]

each = pytest.mark.parametrize("consumer", CONSUMERS, ids=str)
LASTING = [consumer for consumer in CONSUMERS if consumer.goes_on]

#: Seconds that the credentials last which the programs are to see ending.
SHORT = 8


def make_requests(
    world: World, consumer: Consumer, installed: Installed, count: int = REQUESTS
) -> Result:
    """Let the consumer make that many requests or more, and end."""
    world.s3.pages = 1 if consumer.goes_on else count
    stdin = f"{count}\n".encode() if consumer.goes_on else None
    return run(world, installed.command, consumer.env, stdin)


def served(world: World, result: Result) -> bool:
    """Whether all went well, and the instance's credentials signed every request."""
    return result.status == 0 and set(world.keys) == {world.imds.current["AccessKeyId"]}


def hold(consumer: Consumer, installed: Installed, **seen: Any) -> None:
    """Compare what was seen with what the consumer is known to do."""
    known = {name: getattr(consumer, name) for name in seen}
    changed = "; ".join(
        f"`{name}` was {known[name]!r} and is {now!r}"
        for name, now in seen.items()
        if now != known[name]
    )
    assert not changed, (
        f"{consumer}, {installed.version}: {changed}. If the consumer has changed, say so in "
        "consumer.py and write the table anew; else credproc has"
    )


@each
def test_credentials_reach_the_service(world: World, installed: Get, consumer: Consumer) -> None:
    there = installed(consumer)
    world.profile(quoting="single" if consumer.blanks else "none", file=consumer.file)

    result = make_requests(world, consumer, there)

    assert served(world, result), (there.version, world.keys, result)
    assert len(world.keys) >= REQUESTS
    assert world.imds.count("creds") == 1
    before, after = world.host.env(**consumer.env), world.environ
    loses = frozenset(name for name in before.keys() - SHELLS if before[name] != after.get(name))
    hold(consumer, there, runs=world.runs, a_shell=world.by_a_shell, loses=loses)


@each
def test_runs_while_fourteen_minutes_are_left(
    world: World, installed: Get, consumer: Consumer
) -> None:
    there = installed(consumer)
    world.profile(quoting="single" if consumer.blanks else "none", file=consumer.file)
    world.imds.lifetime = 840

    result = make_requests(world, consumer, there)

    assert served(world, result), (there.version, world.keys, result)
    assert world.imds.count("creds") == 1
    hold(consumer, there, runs_at_14_minutes=world.runs)


@each
def test_path_with_blanks_is_run_if_quoted_so(
    world: World, installed: Get, consumer: Consumer
) -> None:
    there = installed(consumer)
    worked: set[Quoting] = set()
    quotings: tuple[Quoting, ...] = ("single", "double", "backslash")
    for quoting in quotings:
        world.forget()
        world.profile(quoting=quoting, file=consumer.file)
        result = make_requests(world, consumer, there, 1)
        if served(world, result) and world.runs:
            worked.add(quoting)
        else:
            assert not any(world.keys), (quoting, world.keys, result)

    hold(consumer, there, blanks=frozenset(worked))


@each
def test_failure_is_shown(world: World, installed: Get, consumer: Consumer) -> None:
    there = installed(consumer)
    world.profile(quoting="single" if consumer.blanks else "none", file=consumer.file)
    world.break_()

    result = make_requests(world, consumer, there, 1)

    assert result.status != 0
    assert not any(world.keys)
    assert world.runs
    said = result.stdout.decode() + result.stderr
    hold(consumer, there, shows="credproc: imds: this instance has no role" in said)


@each
def test_word_on_stderr_beside_the_credentials(
    world: World, installed: Get, consumer: Consumer
) -> None:
    there = installed(consumer)
    world.profile(quoting="single" if consumer.blanks else "none", file=consumer.file)
    world.make_noise("a word\n")

    result = make_requests(world, consumer, there, 1)

    said = result.stdout.decode() + result.stderr
    heard = "shown" if "a word" in said else "dropped"
    hold(consumer, there, noise=heard if served(world, result) else "breaks")


@pytest.fixture(scope="module")
def outlived(
    installed: Get, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[World, Running | Exception]]]:
    """Programs whose credentials have ended since their first request; waited for only once."""
    programs: dict[str, tuple[World, Running | Exception]] = {}
    with contextlib.ExitStack() as stack:
        for consumer in LASTING:
            world = stack.enter_context(worlds.made(tmp_path_factory.mktemp("outlived")))
            world.profile(quoting="single" if consumer.blanks else "none", file=consumer.file)
            try:
                program = start(world, installed(consumer).command, consumer.env)
                world.imds.lifetime = SHORT
                world.imds.turn()
                program.request(1)
                programs[consumer.name] = world, program
            except Exception as error:  # the test of that consumer shows it
                programs[consumer.name] = world, error
        time.sleep(SHORT)  # what is waited for is the expiration itself
        yield programs


@pytest.mark.parametrize("consumer", LASTING, ids=str)
def test_credentials_are_renewed_while_the_program_is_up(
    outlived: dict[str, tuple[World, Running | Exception]], consumer: Consumer
) -> None:
    world, program = outlived[consumer.name]
    if isinstance(program, Exception):
        raise program
    first = world.imds.current["AccessKeyId"]
    world.imds.turn()
    world.imds.lifetime = 3600
    program.request(1)

    assert world.keys[0] == first
    assert world.keys[-1] == world.imds.current["AccessKeyId"] != first
