"""How long before the end of its credentials each consumer fetches new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.consumers.consumer import CONSUMERS, Consumer
from tests.consumers.ending import fetches
from tests.consumers.every import every

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.consumers.install import Installed
    from tests.consumers.world import World

pytestmark = [pytest.mark.consumer, pytest.mark.timeout(600)]


def margin(seconds: int) -> int:
    """Return how far off a test keeps: a program may be slow between its two requests."""
    return max(10, seconds // 5)


@every(each for each in CONSUMERS if each.ahead)
def test_new_credentials_are_fetched_before_the_end(
    world: World, installed: Callable[[Consumer], Installed], consumer: Consumer
) -> None:
    there = installed(consumer)
    assert consumer.ahead
    least, most = consumer.ahead
    world.profile(file=consumer.file)

    later = fetches(world, consumer, there, most + margin(most))
    assert not later, there.version
    if least > margin(least):
        assert fetches(world, consumer, there, least - margin(least)), there.version
