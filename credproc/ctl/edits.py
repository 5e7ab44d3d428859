"""Several changes to one config file, made at once and checked once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from credproc.ctl.configfile import KEY_LINE, header, line_end, quoted
from credproc.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from credproc.ctl.configfile import ConfigFile, Section


class Edits:
    """Changes to a file that are collected, and then made in one pass."""

    def __init__(self, file: ConfigFile) -> None:
        self.file = file
        self.end = line_end(file.lines)
        #: The lines that replace a line, by its number, and those added after the last one.
        self._lines: dict[int, list[str]] = {}
        self._tail: list[str] = []
        #: The expected result, by header: changed values, new sections, new names, removed ones.
        self._changes: dict[str, dict[str, str]] = {}
        self._new: dict[str, dict[str, str]] = {}
        self._renamed: dict[str, str] = {}
        self._gone: set[str] = set()

    def rename(self, section: Section, name: str, is_config: bool) -> None:
        """Give a section's profile another name, in the style of its header."""
        header = _renamed(section.header, name) if is_config else name
        head = self.file.lines[section.line].replace(f"[{section.header}]", f"[{header}]")
        self._lines[section.line] = [*self._lines.get(section.line, []), head.rstrip("\r\n")]
        self._renamed[section.header] = header

    def retitle(self, section: Section, other: Section) -> None:
        """Give a section the header of another one, which is removed."""
        self._lines[section.line] = [self.file.lines[other.line].rstrip("\r\n")]
        self._renamed[section.header] = other.header

    def insert_above(
        self, section: Section, values: Mapping[str, str], lines: Iterable[str]
    ) -> None:
        """Put a new section with the same header above a section, which is to be renamed."""
        head = self.file.lines[section.line].rstrip("\r\n")
        indent = section.items[0].indent if section.items else section.indent
        self._lines[section.line] = [head, *[indent + line for line in lines], ""]
        self._new[section.header] = dict(values)

    def append(self, profile: str, values: Mapping[str, str], lines: Iterable[str]) -> None:
        """Put a new section at the end of the file."""
        self._tail += [*[""] * bool(self.file.lines or self._tail), f"[{header(profile)}]", *lines]
        self._new[header(profile)] = dict(values)

    def remove(self, section: Section) -> None:
        """Remove a section's header and keys, and the blank line that sets off the next one."""
        gone = [section.line, *(n for each in section.items for n in range(each.first, each.after))]
        below = max(gone) + 1
        if below < len(self.file.lines) and not self.file.lines[below].strip("\r\n"):
            gone.append(below)
        self._lines.update((number, []) for number in gone)
        self._gone.add(section.header)

    def set(self, section: Section, key: str, value: str) -> None:
        """Change the value of a one-line key, and leave the rest of its line as it is."""
        item = next((each for each in section.items if each.name == key), None)
        match = KEY_LINE.fullmatch(self.file.lines[item.first]) if item else None
        if item is None or match is None or item.after != item.first + 1:
            raise RequestError(
                f"{self.file.path}: {key} of [{section.header}] has several lines: edit it by hand"
            )
        old = match[4].strip()
        changed = "".join(match.group(1, 2, 3)) + match[4].replace(old, value, 1)
        self._lines[item.first] = [changed.rstrip("\r\n")]
        self._changes.setdefault(section.header, {})[key] = value

    def made(self) -> ConfigFile:
        """Return the changed file; RequestError if anything else would change with it."""
        if not (self._lines or self._tail):
            return self.file
        lines = self._edited()
        if self._tail:
            is_open = bool(lines) and not lines[-1].endswith(("\n", "\r"))
            if is_open:
                lines[-1] += self.end
            lines += [line + self.end for line in self._tail]
            if is_open:
                lines[-1] = lines[-1].rstrip("\r\n")
        changes = {self._renamed.get(name, name): each for name, each in self._changes.items()}
        return self.file.checked(lines, {**changes, **self._new}, self._renamed, self._gone)

    def _edited(self) -> list[str]:
        lines: list[str] = []
        for number, line in enumerate(self.file.lines):
            if number not in self._lines:
                lines.append(line)
                continue
            end = line[len(line.rstrip("\r\n")) :]
            replaced: Sequence[str] = self._lines[number]
            lines += [each + self.end for each in replaced[:-1]]
            lines += [each + end for each in replaced[-1:]]
        return lines


def _renamed(old: str, profile: str) -> str:
    """Return a header with another profile's name, otherwise as it was."""
    words = re.match(r"\S+\s+", old)
    return f"{words[0]}{quoted(profile)}" if words else header(profile)
