"""The parameter of a test of consumers: those that the tests install anyway run by default."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.consumers.consumer import Consumer

#: The others are installed first, from a registry.
ELSEWHERE = (pytest.mark.slow, pytest.mark.needs("network"))


def every(consumers: Iterable[Consumer], most: int | None = None) -> pytest.MarkDecorator:
    """Give a test each of these consumers; by default at most so many of those that are here."""
    consumers = list(consumers)
    here = [each for each in consumers if each.here][:most]
    marked = [pytest.param(each, id=str(each), marks=_marks(each, here)) for each in consumers]
    return pytest.mark.parametrize("consumer", marked)


def _marks(consumer: Consumer, here: Sequence[Consumer]) -> Sequence[pytest.MarkDecorator]:
    if not consumer.here:
        return ELSEWHERE
    return () if consumer in here else (pytest.mark.slow,)
