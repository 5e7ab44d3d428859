"""The pages of the documentation as tests see them: their sections, blocks and tables.

A comment before a block says how it is tested: ``.. test: KIND``. Readers do not see it.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

from tests import artefacts

UNDERLINE = re.compile(r"([=~-])\1+")
COMMENT = re.compile(r"\.\. test: (\S+)")
BLOCK = re.compile(r"\.\. code-block:: (\S+)")
TABLE = re.compile(r"\.\. list-table::")

FRONT = "README.rst"
MANUAL = "credproc/man"
#: The folders with pages, in the source tree.
FOLDERS = (".", MANUAL, ".github", "tests", "tests/bench")


@dataclass
class Block:
    """A literal block: how it is tested ("" if it is not), its language, its text."""

    kind: str
    language: str
    text: str
    line: int

    @property
    def commands(self) -> list[tuple[str, str]]:
        """The commands of a console block, each with the output that is promised."""
        found: list[tuple[str, str]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], ""))
            else:
                command, output = found.pop()
                found.append((command, f"{output}{line}\n"))
        return found


@dataclass
class Section:
    """The part of a page under a heading, down to the next one of any level."""

    page: str
    title: str
    blocks: list[Block] = field(default_factory=list)
    tables: list[list[list[str]]] = field(default_factory=list)
    text: str = ""

    def __str__(self) -> str:
        return f"{Path(self.page).stem}-{self.title}"


def pages() -> list[str]:
    """Return the paths of all pages, relative to the source tree."""
    tree = artefacts.source()
    return [
        path.relative_to(tree).as_posix()
        for folder in FOLDERS
        for path in sorted((tree / folder).glob("*.rst"))
    ]


def text(page: str) -> str:
    """Return the text of a page."""
    return (artefacts.source() / page).read_text(encoding="utf-8")


def sections() -> list[Section]:
    """Return the sections of all pages, in order."""
    return [section for page in pages() for section in _sections(page)]


def section(title: str, page: str = "") -> Section:
    """Return the section with that title; ``page``: on a page with that path or name."""
    (found,) = [
        each
        for each in sections()
        if each.title == title and page in ("", each.page, Path(each.page).stem)
    ]
    return found


def _sections(page: str) -> list[Section]:
    lines = text(page).splitlines()
    found: list[Section] = []
    kind = ""
    for number, line in enumerate(lines):
        below = lines[number + 1] if number + 1 < len(lines) else ""
        if line and UNDERLINE.fullmatch(below) and len(below) == len(line):
            found.append(Section(page, line))
            continue
        section = found[-1]
        section.text += f"{line}\n"
        if match := COMMENT.fullmatch(line):
            kind = match[1]
        elif match := BLOCK.fullmatch(line):
            section.blocks.append(Block(kind, match[1], _indented(lines[number + 1 :]), number + 1))
            kind = ""
        elif TABLE.match(line):
            section.tables.append(_rows(_indented(lines[number + 1 :])))
    return found


def _indented(lines: list[str]) -> str:
    """Return the indented lines that follow, without their indentation."""
    taken = []
    for line in lines:
        if line and not line.startswith(" "):
            break
        taken.append(line)
    return textwrap.dedent("\n".join(taken)).strip("\n") + "\n"


def _rows(table: str) -> list[list[str]]:
    """Return the cells of a list-table's rows; a cell is one line, however it is wrapped."""
    rows: list[list[str]] = []
    for line in table.splitlines():
        if line.startswith(":"):
            continue
        mark, text = line[:4].strip(), line[4:].strip()
        if mark == "* -":
            rows.append([text])
        elif mark == "-":
            rows[-1].append(text)
        elif text:
            rows[-1][-1] += f" {text}"
    return rows
