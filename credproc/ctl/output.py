"""How results are shown: text for people, JSON for scripts; colors, widths, times."""

from __future__ import annotations

import json
import os
import re
import sys
import textwrap
import unicodedata
from typing import TYPE_CHECKING, TextIO

from credproc.errors import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

#: The colors by meaning, as numbers of the terminal.
COLORS = {"ok": "32", "warn": "33", "fail": "1;31", "head": "1", "dim": "2"}

#: The states that tables show, and their colors.
STATES = {"ok": "ok", "fresh": "ok", "problem": "fail", "failed": "fail", "expired": "dim"}

#: Columns between two cells.
GAP = 2
#: Columns that the last cell of a row needs beside the others.
ROOM = 24

_ROLE = re.compile(r"\barn:aws[a-z-]*:iam::(\d{12}):role/(?:[\w+=,.@-]+/)*([\w+=,.@-]+)")


class Result:
    """The result of a command: text for people, data for JSON, the exit status."""

    def __init__(self, text: str, data: Any, status: int = 0) -> None:
        self.text = text
        self.data = data
        self.status = status


class Console:
    """stdout and stderr; with ``machine``, stdout gets one JSON document and nothing else."""

    def __init__(
        self,
        environ: Mapping[str, str],
        machine: bool = False,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        secrets: Sequence[str] = (),
    ) -> None:
        #: Secrets, which are never shown, even if a service repeats them; the list may grow.
        self.secrets = secrets
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        self.machine = machine
        terminal = self.stdout.isatty()
        #: Only a terminal gets colors and folded lines: piped output is searched and compared.
        self.colors = terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        self.width = _terminal_width(environ, self.stdout) if terminal else 0

    def paint(self, text: str, color: str) -> str:
        """Return the text in a color, if colors are on."""
        return f"\x1b[{COLORS[color]}m{text}\x1b[0m" if self.colors else text

    def say(self, text: str) -> None:
        """Show a line at once, unless stdout is for JSON."""
        if not self.machine:
            self.stdout.write(f"{clean(text, self.secrets)}\n")
            self.stdout.flush()

    def lines(self, lines: Sequence[str]) -> None:
        """Show lines that are ready for the terminal at once, unless stdout is for JSON."""
        if not self.machine:
            self.stdout.write("".join(f"{line}\n" for line in lines))
            self.stdout.flush()

    def note(self, text: str) -> None:
        """Show a note on stderr."""
        self.stderr.write(f"credprocctl: {clean(text, self.secrets)}\n")
        self.stderr.flush()

    def show(self, result: Result) -> None:
        """Show a result."""
        text = f"{json.dumps(result.data, indent=2)}\n" if self.machine else result.text
        self.stdout.write(text)
        self.stdout.flush()

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        """Return rows under their heads in columns; on a terminal, the last column is folded.

        Nothing is cut. If there is too little room for the last column, it is put below its row; if
        there is too little for the others, too, each cell gets a line of its own.
        """
        cells = [[legible(cell) for cell in row] for row in [head, *rows]]
        widths = [max(map(columns, column)) for column in zip(*cells, strict=True)]
        indent = sum(widths[:-1]) + GAP * len(widths[:-1])
        if self.width and indent - GAP > self.width:
            return self._records(cells)
        longest = max(columns(word) for *_, last in cells for word in ["", *last.split()])
        below = bool(self.width) and self.width - indent < max(min(widths[-1], ROOM), longest)
        lines = []
        for *first, last in cells:
            lead = "".join(
                self._state(cell) + " " * (width + GAP - columns(cell))
                for cell, width in zip(first, widths, strict=False)
            )
            blank = len(last) - len(last.lstrip())
            left = 2 * GAP if below else indent
            folded = self.hanging(" " * (left + blank), last.strip())
            if below:
                lines += [line for line in (lead.rstrip(), *folded) if line]
            else:
                lines += [(lead + folded[0][indent:]).rstrip(), *folded[1:]]
        count = 1 + below
        lines[:count] = [self.paint(line, "head") for line in lines[:count]]
        return "".join(f"{line}\n" for line in lines)

    def _records(self, cells: Sequence[Sequence[str]]) -> str:
        """Return the rows of a table one below the other, each cell on a line with its head."""
        head, *rows = cells
        width = max(columns(name) for name in head[1:]) + GAP
        lines = []
        for first, *others in rows:
            lines += [self.paint(first, "head")] * bool(first)
            for name, cell in zip(head[1:], others, strict=True):
                lead = " " * GAP + pad(name if first else "", width)
                if cell in STATES:
                    lines.append(lead + self._state(cell))
                elif cell:
                    lines += self.hanging(lead, cell.strip())
        return "".join(f"{line}\n" for line in lines)

    def _state(self, text: str) -> str:
        """Return a cell, in color if it is a state."""
        return self.paint(text, STATES[text]) if text in STATES else text

    def pairs(
        self, pairs: Sequence[tuple[str, str]], colors: Mapping[str, str] | None = None
    ) -> str:
        """Return names and their values, one pair a line, long values folded.

        ``colors`` are those of values, by their names.
        """
        width = max((columns(name) for name, _ in pairs), default=0) + GAP
        lines = []
        for name, value in pairs:
            first, *rest = self.hanging(pad(name, width), value)
            color = (colors or {}).get(name, "")
            if color:
                first = first[:width] + self.paint(first[width:], color)
                rest = [" " * width + self.paint(line[width:], color) for line in rest]
            lines += [first, *rest]
        return "".join(f"{line}\n" for line in lines)

    def hanging(self, lead: str, text: str) -> list[str]:
        """Return the text folded to the terminal's width, all of it right of the lead."""
        text, indent = clean(text), " " * columns(lead)
        if not self.width:
            return [(lead + text).rstrip()]
        # Long words are left whole: an ARN or a path that is cut in two cannot be copied.
        folded = textwrap.wrap(
            text,
            max(self.width - len(indent), 20),
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
        return [(lead + folded[0]).rstrip(), *(indent + line for line in folded[1:])]


def _terminal_width(environ: Mapping[str, str], stdout: TextIO) -> int:
    """Return the columns of a terminal: as COLUMNS says, else as the terminal does."""
    given = environ.get("COLUMNS", "")
    if given.isascii() and given.isdigit() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def legible(text: str) -> str:
    """Return the text with control characters replaced, and its spaces as they are."""
    return "".join(character if character.isprintable() else " " for character in text)


def columns(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    return sum(
        0 if unicodedata.combining(character) else
        2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )  # fmt: skip


def pad(text: str, width: int) -> str:
    """Return the text padded with spaces to the width."""
    return text + " " * (width - columns(text))


def short(text: str) -> str:
    """Return the text with its roles as people name them: NAME@ACCOUNT instead of an ARN."""
    return _ROLE.sub(r"\2@\1", text)


def span(seconds: float) -> str:
    """Return a length of time in its two largest units."""
    rest = int(abs(seconds))
    parts = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, rest = divmod(rest, size)
        parts.append((count, f"{count} {unit}"))
    while len(parts) > 1 and not parts[0][0]:
        parts.pop(0)
    shown = [text for count, text in parts[:2] if count] or ["0 s"]
    # From ten minutes on, seconds do not matter.
    return shown[0] if parts[0][1].endswith("min") and parts[0][0] >= 10 else " ".join(shown)


def size(count: float) -> str:
    """Return a number of bytes in the largest unit that fits."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.0f} TiB"
