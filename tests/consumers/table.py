"""The table of the consumers: ``python -m tests.consumers.table`` prints it as reStructuredText.

The facts are those that the tests hold the consumers to; the versions are those that are found.
CREDPROC_TEST_CONSUMERS names a folder where the consumers are, or are to be kept.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.consumers.consumer import CONSUMERS, REQUESTS, Consumer
from tests.consumers.install import Installer

HEADER = (
    "Consumer",
    "Version run",
    "A shell between?",
    "The line of a failure",
    "stderr on success",
    f"Runs for {REQUESTS} requests: 1 h left, 14 min left",
    "The path in the config",
)

#: What the user of a consumer without blanks in its line has to write.
PLAIN = "in the credentials file, without blanks or quotes, with at least one option"


def cells(consumer: Consumer, version: str) -> tuple[str, ...]:
    """Return a consumer's row."""
    if not consumer.blanks:
        path = PLAIN
    elif "double" in consumer.blanks:
        path = "any quotes"
    else:
        path = "with blanks: single quotes"
    if consumer.blanks and consumer.file == "credentials":
        path = f"in the credentials file; {path}"
    return (
        consumer.name,
        version,
        "yes" if consumer.a_shell else "no",
        "shown" if consumer.shows else "not shown",
        consumer.noise,
        f"{consumer.runs}, {consumer.runs_at_14_minutes}",
        path,
    )


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
    sys.stdout.write(table(rows))


if __name__ == "__main__":
    main()
