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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.consumers.install import Installed, Installer

    Get = Callable[[Consumer], Installed]

pytestmark = [
    pytest.mark.consumer,
    pytest.mark.needs("namespaces"),
    pytest.mark.timeout(600),
]

#: Where IMDS is. Some tools have no variable for another address, or ignore it.
IMDS = "169.254.169.254"
#: Variables that say where IMDS is.
ADDRESSES = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "CPL_AWS_EC2_API_ROOT_URL")
#: What keeps all but restic from becoming the instance.
WITHOUT_IMDS = {"AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture
def network() -> Iterator[Network]:
    """A network in which IMDS has its usual address."""
    with Network(IMDS) as network:
        yield network


@pytest.fixture
def instance(network: Network, tmp_path: Path) -> Iterator[World]:
    """A machine in that network, an instance with a role."""
    with contextlib.ExitStack() as stack:
        try:
            world = network.do(lambda: stack.enter_context(worlds.made(tmp_path, IMDS, 80)))
            world.host.environ.update(dict.fromkeys(ADDRESSES))
            yield world
        finally:
            network.do(stack.close)


class Failing:
    """A consumer on that machine; its credproc fails, because STS refuses the profile's role."""

    def __init__(
        self, network: Network, world: World, consumer: Consumer, there: Installed
    ) -> None:
        self.world = world
        self._network = network
        self._consumer = consumer
        self._there = there
        world.refuse(consumer.file)

    def becomes_instance(self, *words: str) -> bool:
        """Whether it uses the instance's role after credproc has failed; else it fails."""
        world = self.world
        world.forget()
        there = self._there._replace(command=[*self._there.command, *words])
        result = self._network.do(lambda: make_requests(world, self._consumer, there, 1))
        assert world.runs, result
        assert world.signers <= {world.imds.current["AccessKeyId"]}
        succeeds = result.status == 0
        unsigned = self._consumer.unsigned and not world.signers
        assert succeeds == bool(world.signers) or (succeeds and unsigned), result
        return bool(world.signers)


@pytest.fixture
def failing(network: Network, instance: World, installed: Get, consumer: Consumer) -> Failing:
    """The consumer on that machine."""
    return Failing(network, instance, consumer, installed(consumer))


@every(CONSUMERS)
def test_credproc_fails_and_the_instance_has_a_role(failing: Failing, consumer: Consumer) -> None:
    instead = failing.becomes_instance()

    assert instead == consumer.becomes_instance
    if instead:
        failing.world.host.environ.update(WITHOUT_IMDS)
        assert not failing.becomes_instance()


@every(each for each in CONSUMERS if each.default and each.default.words)
def test_credproc_fails_in_a_default_chain(failing: Failing, consumer: Consumer) -> None:
    assert consumer.default
    words = consumer.default.words

    instead = failing.becomes_instance(*words)

    assert instead == consumer.default.becomes_instance
    if instead:
        failing.world.host.environ.update(WITHOUT_IMDS)
        assert not failing.becomes_instance(*words)


@pytest.mark.slow
@pytest.mark.needs("network")
def test_restic_becomes_the_instance_even_without_imds(
    network: Network, instance: World, installer: Installer
) -> None:
    """Restic has no variable for another IMDS address, and none that turns IMDS off."""
    there = restic(installer)
    env = {"AWS_PROFILE": "app", "RESTIC_PASSWORD": "x", **WITHOUT_IMDS}
    instance.refuse("credentials")

    result = network.do(lambda: run(instance, there.command, env))

    assert instance.runs
    assert "The specified key does not exist" in result.stderr, result  # S3 let it look
    assert instance.signers == {instance.imds.current["AccessKeyId"]}
