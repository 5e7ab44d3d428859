"""Consumers when credproc fails and the instance has a role: which fail, and which use the role."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.consumers.consumer import CONSUMERS, Consumer
from tests.consumers.every import every
from tests.consumers.failing import IMDS, RESTIC, Failing
from tests.consumers.failing import instance as made
from tests.network import Network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.consumers.install import Installed, Installer
    from tests.consumers.world import World

    Get = Callable[[Consumer], Installed]

pytestmark = [
    pytest.mark.consumer,
    pytest.mark.needs("namespaces"),
    pytest.mark.timeout(600),
]

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
    with made(network, tmp_path) as world:
        yield world


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
    failing = Failing(network, instance, RESTIC, RESTIC.get(installer))
    instance.host.environ.update(WITHOUT_IMDS)

    result = failing.run()

    assert "The specified key does not exist" in result.stderr, result  # S3 let it look
    assert instance.signers == {instance.imds.current["AccessKeyId"]}
