"""The README's table of the consumers is what the tests hold them to."""

from __future__ import annotations

from tests import readme
from tests.consumers import table
from tests.consumers.consumer import CONSUMERS, Consumer

#: Terraform is run where somebody has installed it.
TERRAFORM = "Terraform (Go v2)"


def row(consumer: Consumer, shown: list[list[str]]) -> list[str]:
    """Return what the consumer's row must be, with the version that is shown."""
    (version,) = [cells[1] for cells in shown if cells[0] == consumer.name]
    return list(table.cells(consumer, version))


def test_readme_tells_of_each_consumer_what_the_tests_know() -> None:
    header, *shown = readme.section("Consumers").tables[0]
    known = {consumer.name for consumer in CONSUMERS}

    assert header == list(table.HEADER)
    rows = [cells for cells in shown if cells[0] in known or cells[0] != TERRAFORM]
    assert rows == [row(each, shown) for each in CONSUMERS] + [list(each) for each in table.rest()]
    assert len(known) >= 12
