"""The table of the consumers: ``python -m tests.consumers.table`` prints it as reStructuredText.

The facts are those that the tests hold the consumers to; the versions are those that are found.
CREDPROC_TEST_CONSUMERS names a folder where the consumers are, or are to be kept.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.consumers.consumer import CONSUMERS, NOT_RUN, Consumer
from tests.consumers.install import Installer

HEADER = (
    "Consumer",
    "Version",
    "Works",
    "Shell",
    "Its failures",
    "stderr",
    "Runs",
    "The line to write",
    "To know",
)

#: The lines: with a path that has blanks, or without quotes and with one option at least.
QUOTED = "credential_process = '/opt/my tools/credproc'"
PLAIN = "credential_process = /usr/local/bin/credproc --imds"


def cells(consumer: Consumer, version: str) -> tuple[str, ...]:
    """Return a consumer's row."""
    line = QUOTED if "single" in consumer.blanks else PLAIN
    return (
        consumer.name,
        version,
        "yes",
        "yes" if consumer.a_shell else "no",
        "shown" if consumer.shows else "hidden",
        consumer.noise,
        f"{consumer.runs}, {consumer.runs_at_14_minutes}",
        f"``{line}``",
        consumer.quirks or "nothing",
    )


def rest() -> list[tuple[str, ...]]:
    """Return the rows of those that are not run."""
    unknown = ("none here", "not run", *("unknown",) * 4)
    return [(name, *unknown, f"``{QUOTED}``", why) for name, why in NOT_RUN.items()]


def table(rows: list[tuple[str, ...]]) -> str:
    """Return the rows as a list-table."""
    lines = [".. list-table::", "    :header-rows: 1", ""]
    for row in (HEADER, *rows):
        lines += [f"    {'* ' if not number else '  '}- {cell}" for number, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Install the consumers and print the table."""
    packages = {package for each in CONSUMERS for package in each.packages}
    with tempfile.TemporaryDirectory(prefix="consumers-") as folder:
        kept = os.environ.get("CREDPROC_TEST_CONSUMERS") or folder
        installer = Installer(Path(kept), packages)
        rows = [cells(each, each.get(installer).version) for each in CONSUMERS]
    sys.stdout.write(table(rows + rest()))


if __name__ == "__main__":
    main()
