"""The parameter of a test of consumers: those that the tests install anyway run by default."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.consumers.consumer import Consumer

#: The others are installed first, from a registry.
ELSEWHERE = (pytest.mark.slow, pytest.mark.needs("network"))


def every(consumers: Iterable[Consumer]) -> pytest.MarkDecorator:
    """Give a test each of these consumers."""
    marked = [
        pytest.param(each, id=str(each), marks=() if each.here else ELSEWHERE) for each in consumers
    ]
    return pytest.mark.parametrize("consumer", marked)
