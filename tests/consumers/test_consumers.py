"""Every consumer gets its credentials from credproc, and shows what credproc says."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.consumers.consumer import CONSUMERS, REQUESTS, Consumer
from tests.consumers.world import World, run, start

if TYPE_CHECKING:
    from tests.consumers.install import Installer

pytestmark = [pytest.mark.consumer, pytest.mark.timeout(600)]

each = pytest.mark.parametrize("consumer", CONSUMERS, ids=str)
lasting = pytest.mark.parametrize("consumer", [each for each in CONSUMERS if each.goes_on], ids=str)


def make_requests(world: World, installer: Installer, consumer: Consumer) -> None:
    """Let the consumer make REQUESTS requests or more."""
    command = consumer.command(installer)
    if consumer.goes_on:
        start(world, command, consumer.env).request(REQUESTS)
        return
    world.s3.pages = REQUESTS
    extra = {**consumer.env, **remote(world)}
    result = run(world, command, extra)
    assert result.status == 0, result


def remote(world: World) -> dict[str, str | None]:
    """Return how the tools that have variables of their own find the service."""
    return {"RCLONE_S3_ENDPOINT": world.s3.url}


@each
def test_credentials_reach_the_service(
    world: World, installer: Installer, consumer: Consumer
) -> None:
    make_requests(world, installer, consumer)

    assert set(world.keys) == {world.imds.current["AccessKeyId"]}
    assert len(world.keys) >= REQUESTS
    assert world.runs == consumer.runs
    assert world.by_a_shell == consumer.a_shell


@each
def test_runs_while_fourteen_minutes_are_left(
    world: World, installer: Installer, consumer: Consumer
) -> None:
    world.imds._rotation.lifetime = 840
    make_requests(world, installer, consumer)

    assert set(world.keys) == {world.imds.current["AccessKeyId"]}
    assert world.runs == consumer.runs_at_14_minutes
    assert world.imds.count("creds") == 1


@each
def test_double_quotes_around_the_path(
    world: World, installer: Installer, consumer: Consumer
) -> None:
    world.profile(quote='"')
    if consumer.double_quotes:
        make_requests(world, installer, consumer)
        assert set(world.keys) == {world.imds.current["AccessKeyId"]}
    else:
        with pytest.raises(AssertionError):
            make_requests(world, installer, consumer)
        assert world.runs == 0


@each
def test_failure_is_shown(world: World, installer: Installer, consumer: Consumer) -> None:
    world.break_()
    command = consumer.command(installer)
    stdin = b"1\n" if consumer.goes_on else None
    result = run(world, command, {**consumer.env, **remote(world)}, stdin)

    said = result.stdout.decode() + result.stderr
    assert result.status != 0
    assert not any(world.keys)
    assert ("credproc: imds: this instance has no role" in said) == consumer.shows


@lasting
def test_credentials_are_renewed_while_the_program_is_up(
    world: World, installer: Installer, consumer: Consumer
) -> None:
    world.imds._rotation.lifetime = 6
    program = start(world, consumer.command(installer), consumer.env)
    program.request(1)
    first = world.imds.current
    world.imds.turn()
    world.imds._rotation.lifetime = 3600
    time.sleep(7)  # what is waited for is the expiration itself
    program.request(1)

    assert world.keys[0] == first["AccessKeyId"]
    assert world.keys[-1] == world.imds.current["AccessKeyId"] != first["AccessKeyId"]
