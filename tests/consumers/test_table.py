"""The README's table of the consumers is what the tests hold them to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests import readme
from tests.consumers import table
from tests.consumers.consumer import CONSUMERS, LINE, Consumer
from tests.consumers.every import every

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.consumers.install import Installed

each = every(CONSUMERS)


def shown() -> list[list[str]]:
    """Return the table's rows, the header first."""
    return readme.section("Consumers").tables[0]


def version_of(consumer: Consumer) -> str:
    """Return the version that the table shows, without where it is from."""
    (cell,) = [cells[1] for cells in shown() if cells[0] == consumer.name]
    return cell.removesuffix(f" ({consumer.source})")


def numbers(version: str) -> dict[str, list[int]]:
    """Return the names in a cell, each with the numbers of its version."""
    pairs = (part.rpartition(" ") for part in version.split(", "))
    return {name: [int(each) for each in re.findall(r"\d+", number)] for name, _, number in pairs}


def test_manual_describes_each_consumer_as_the_tests_do() -> None:
    header, *rows = shown()

    assert header == list(table.HEADER)
    known = [list(table.cells(each, version_of(each))) for each in CONSUMERS]
    assert rows == known + [list(each) for each in table.NOT_RUN]
    assert f"``{LINE}``" in readme.section("Consumers").text


@pytest.mark.consumer
@pytest.mark.timeout(600)
@each
def test_version_of_the_readme_was_run(
    installed: Callable[[Consumer], Installed], consumer: Consumer
) -> None:
    then, now = numbers(version_of(consumer)), numbers(installed(consumer).version)

    assert all(then.values())
    assert then.keys() == now.keys()
    assert all(then[name] <= now[name] for name in now), (then, now)
