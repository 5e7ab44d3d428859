"""What is made from the code and from the manual: ``python -m tests.generated`` makes it again.

The manual pages and the completion scripts are in the repository, so that an installation needs no
library to make them. A test fails where one of them is out of date.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc.ctl import completion
from tests import completions, manpages

if TYPE_CHECKING:
    from pathlib import Path


def files() -> dict[Path, str]:
    """Return the text of each file that is made, by its path in the source tree."""
    found = {}
    for name in manpages.SECTIONS:
        text = manpages.current(name)
        found[manpages.source(name)] = text
        found[manpages.path(name)] = manpages.roff(name, text)
    for shell in completion.SHELLS:
        for command in completion.COMMANDS:
            found[completions.path(shell, command)] = completions.script(shell, command)
    return found


def main() -> None:
    """Write the files."""
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
