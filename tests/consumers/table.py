"""The table of the consumers: ``python -m tests.consumers.table`` prints it as reStructuredText.

The facts are those that the tests hold the consumers to; the versions are those that are found.
CREDPROC_TEST_CONSUMERS names a folder where the consumers are, or are to be kept.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.consumers.consumer import CONSUMERS, LINE, REQUESTS, Consumer
from tests.consumers.install import Installer

HEADER = (
    "Consumer",
    "Version",
    "A shell between",
    "credproc's line on failure",
    "When credproc fails",
    "Runs (1 h; 14 min)",
    "To know",
)

JAVA_1 = (
    "comes in 181 MB, too much for each run of the tests; refuses an ``Expiration`` that ends in "
    "``+00:00`` (credproc's ends in ``Z``); reads ``~/.aws/credentials``, ``[app]``"
)
UNKNOWN = ("not tried", *("unknown",) * 4)
#: What the last column but two says.
FAILS, INSTEAD = "fails", "**goes on as the instance**"

#: Those that no test runs, with what is known of them.
NOT_RUN = (
    ("AWS SDK for Java v1", "1.11.901, by hand", "yes", "hidden", "not tried", "1; 1", JAVA_1),
    ("AWS SDK for .NET", *UNKNOWN, "neither Debian nor PyPI nor npm has it"),
    ("OpenTofu", *UNKNOWN, "as .NET; what is said of Terraform should hold"),
)

#: What those do who want an answer within a minute.
GIVES_UP = {"at once": "gives up after 60 s", "late": "refuses what takes more than 60 s"}


def cells(consumer: Consumer, version: str) -> tuple[str, ...]:
    """Return a consumer's row."""
    return (
        consumer.name,
        f"{version} ({consumer.source})",
        "yes" if consumer.a_shell else "no",
        "shown" if consumer.shows else "hidden",
        failing(consumer),
        f"{consumer.runs}; {consumer.runs_at_14_minutes}",
        "; ".join(to_know(consumer)) or "nothing",
    )


def failing(consumer: Consumer) -> str:
    """Return what it does when credproc fails and the instance has a role."""
    said = INSTEAD if consumer.becomes_instance else FAILS
    default = consumer.default
    if default and default.becomes_instance != consumer.becomes_instance:
        said += f"; {default.name}: {INSTEAD if default.becomes_instance else FAILS}"
    return said


def to_know(consumer: Consumer) -> list[str]:
    """Return what is not as it is with most of them."""
    said = []
    if consumer.line != LINE:
        said.append(f"write ``{consumer.line}``: no quotes, no blanks, and one option at least")
    elif consumer.quotes != {"single", "double"}:
        left = "single" in consumer.quotes
        said.append(f"no {'double ' * left}quotes around the path")
    if consumer.file == "credentials":
        said.append("reads ``~/.aws/credentials`` alone, ``[app]``")
    for name in consumer.needs:
        other = name != "AWS_PROFILE"
        said.append(f"wants ``{name}=1``" if other else f"the profile comes from ``{name}``")
    if consumer.gives_up:
        said.append(GIVES_UP[consumer.gives_up])
    if consumer.runs == REQUESTS:
        said.append("runs credproc for every request")
    elif consumer.runs > 1:
        said.append("runs credproc twice at its start")
    if consumer.noise == "shown":
        said.append("lets stderr through")
    if consumer.adds:
        names = [f"``{name}``" for name in sorted(consumer.adds)]
        said.append(f"adds {', '.join(names)} to the environment")
    return [*said, *consumer.quirks]


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
        installer = Installer(Path(kept), packages, may_change_debian=True)
        rows = [cells(each, each.get(installer).version) for each in CONSUMERS]
    sys.stdout.write(table([*rows, *NOT_RUN]))


if __name__ == "__main__":
    main()
