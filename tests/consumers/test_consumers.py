"""Every consumer gets its credentials from credproc, and shows what credproc says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.consumers.consumer import CONSUMERS, REQUESTS, Consumer
from tests.consumers.every import every
from tests.consumers.world import SHELLS, World, make_requests, served, written

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.consumers.install import Installed
    from tests.consumers.world import Quoting

    Get = Callable[[Consumer], Installed]

# The first test that needs a consumer waits for its installation.
pytestmark = [pytest.mark.consumer, pytest.mark.timeout(600)]

each = every(CONSUMERS)

#: What credproc says where the instance has no role: the whole line.
NO_ROLE = "credproc: imds: this instance has no role: attach an instance profile with a role to it"


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
        "consumer.py and write the table again; else credproc has"
    )


@each
def test_credentials_reach_the_service(world: World, installed: Get, consumer: Consumer) -> None:
    there = installed(consumer)
    world.profile(file=consumer.file)
    world.imds.lifetime = 3600

    result = make_requests(world, consumer, there)

    assert served(world, result), (there.version, world.keys, result)
    assert len(world.keys) >= REQUESTS
    assert world.imds.count("creds") == 1
    before, after = world.host.env(**consumer.env), world.environ
    loses = frozenset(name for name in before.keys() - SHELLS if before[name] != after.get(name))
    new = frozenset(re.sub("^_PYI_.*", "_PYI_*", name) for name in after.keys() - before - SHELLS)
    hold(consumer, there, runs=world.runs, a_shell=world.by_a_shell, loses=loses, adds=new)


@each
def test_runs_while_fourteen_minutes_are_left(
    world: World, installed: Get, consumer: Consumer
) -> None:
    there = installed(consumer)
    world.profile(file=consumer.file)
    world.imds.lifetime = 840

    result = make_requests(world, consumer, there)

    assert served(world, result), (there.version, world.keys, result)
    assert world.imds.count("creds") == 1
    hold(consumer, there, runs_at_14_minutes=world.runs)


@each
def test_line_of_the_manual_is_run(world: World, installed: Get, consumer: Consumer) -> None:
    there = installed(consumer)
    world.write(world.here(consumer.line), consumer.file)
    world.make_noise("a word\n")  # which credproc itself does not say on success

    result = make_requests(world, consumer, there, 1)

    assert world.runs
    if not served(world, result):
        assert not any(world.keys)
        hold(consumer, there, noise="fails")
        (world.notes / "noise").unlink()
        world.forget()
        result = make_requests(world, consumer, there, 1)
        assert served(world, result), (there.version, world.keys, result)
        return
    said = result.stdout.decode() + result.stderr
    hold(consumer, there, noise="shown" if "a word" in said else "dropped")


def works(world: World, consumer: Consumer, there: Installed, line: str) -> bool:
    """Whether the line is run; where it is not, nothing may be signed."""
    world.forget()
    world.write(line, consumer.file)
    result = make_requests(world, consumer, there, 1)
    if served(world, result) and world.runs:
        return True
    assert not any(world.keys), (line, world.keys, result)
    return False


@each
def test_path_is_run_if_it_is_written_like_this(
    world: World, installed: Get, consumer: Consumer
) -> None:
    there = installed(consumer)
    quotings: tuple[Quoting, ...] = ("single", "double")

    quotes = {
        quoting
        for quoting in quotings
        if works(world, consumer, there, f"credential_process = {written(world.blank, quoting)}")
    }
    special = written(world.special, "backslash")

    hold(
        consumer,
        there,
        quotes=frozenset(quotes),
        special=works(world, consumer, there, f"credential_process = {special}"),
    )


@each
def test_failure_is_shown(world: World, installed: Get, consumer: Consumer) -> None:
    there = installed(consumer)
    world.profile(file=consumer.file)
    world.break_()
    log = world.host.folder / "log"
    world.host.environ["CREDPROC_LOG"] = str(log)

    result = make_requests(world, consumer, there, 1)

    assert result.status != 0
    assert not any(world.keys)
    assert world.runs
    said = " ".join((result.stdout.decode() + result.stderr).split())
    hold(consumer, there, shows=NO_ROLE in said)
    assert NO_ROLE.removeprefix("credproc: ") in log.read_text("utf-8")
