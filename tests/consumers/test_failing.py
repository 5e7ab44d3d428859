"""Consumers when credproc fails and the instance has a role: which fail, and which use the role."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.consumers import world as worlds
from tests.consumers.consumer import CONSUMERS, Consumer
from tests.consumers.every import every
from tests.consumers.getting import restic
from tests.consumers.world import World, make_requests, run
from tests.network import Network
from tests.servers.imds import ImdsServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.consumers.install import Installed, Installer

    Get = Callable[[Consumer], Installed]

pytestmark = [pytest.mark.consumer, pytest.mark.timeout(600)]

#: Where IMDS is.
IMDS = "169.254.169.254"
#: What keeps all but restic from becoming the instance.
WITHOUT_IMDS = {"AWS_EC2_METADATA_DISABLED": "true"}


def becomes_instance(
    world: World, consumer: Consumer, there: Installed, words: tuple[str, ...] = ()
) -> bool:
    """Whether the consumer uses the instance's role after credproc has failed; else it fails."""
    world.forget()
    command = [*there.command, *words]
    result = make_requests(world, consumer, there._replace(command=command), 1)
    assert world.runs, result
    assert world.signers <= {world.imds.current["AccessKeyId"]}
    assert (result.status == 0) == bool(world.signers), result
    return bool(world.signers)


@every(CONSUMERS)
def test_credproc_fails_and_the_instance_has_a_role(
    world: World, installed: Get, consumer: Consumer
) -> None:
    there = installed(consumer)
    world.refuse(consumer.file)

    instead = becomes_instance(world, consumer, there)

    assert instead == consumer.becomes_instance, there.version
    if instead:
        world.host.environ.update(WITHOUT_IMDS)
        assert not becomes_instance(world, consumer, there)


@every(each for each in CONSUMERS if each.default and each.default.words)
def test_credproc_fails_in_a_default_chain(
    world: World, installed: Get, consumer: Consumer
) -> None:
    there = installed(consumer)
    assert consumer.default
    words = consumer.default.words
    world.refuse(consumer.file)

    instead = becomes_instance(world, consumer, there, words)

    assert instead == consumer.default.becomes_instance, there.version
    if instead:
        world.host.environ.update(WITHOUT_IMDS)
        assert not becomes_instance(world, consumer, there, words)


@pytest.mark.slow
@pytest.mark.needs("network", "namespaces")
def test_restic_becomes_the_instance_even_without_imds(
    installer: Installer, tmp_path: Path
) -> None:
    """Restic has no variable for another IMDS address, and none that turns IMDS off."""
    there = restic(installer)
    env = {"AWS_PROFILE": "app", "RESTIC_PASSWORD": "x", **WITHOUT_IMDS}
    with Network(IMDS) as network, contextlib.ExitStack() as stack:
        try:
            world = network.do(lambda: stack.enter_context(worlds.made(tmp_path)))
            real = network.do(lambda: stack.enter_context(ImdsServer(host=IMDS, port=80)))
            world.refuse("credentials")
            result = network.do(lambda: run(world, there.command, env))
        finally:
            network.do(stack.close)

    assert world.runs
    assert "The specified key does not exist" in result.stderr, result  # S3 let it look
    assert world.signers == {real.current["AccessKeyId"]}
