"""A shared config file in which one key is changed and every other line stays as it is.

Lines are interpreted by the rules of configparser, which botocore uses. configparser itself reads
the text before and after a change, and the change is refused if anything else would differ.
"""

from __future__ import annotations

import configparser
import io
import re
import shlex
from typing import TYPE_CHECKING

from credproc.errors import RequestError
from credproc.headers import config_profile
from credproc.syntax import BadBlock, bad_block, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

_HEADER = re.compile(r"\[(.+)\]")
KEY_LINE = re.compile(r"(\s*)(.*?)(\s*[=:]\s*)(.*)", re.DOTALL)
_COMMENT = ("#", ";")


class Item:
    """A key of a section and its lines: from ``first`` up to, but not including, ``after``."""

    def __init__(self, name: str, indent: str, first: int) -> None:
        self.name = name
        self.indent = indent
        self.first = first
        self.after = first + 1


class Section:
    """A section: its header's text and line, its keys in order, and where the next one begins.

    ``profile`` is the profile that it describes, None for another kind of section.
    """

    def __init__(self, header: str, profile: str | None, indent: str, line: int) -> None:
        self.header = header
        self.profile = profile
        self.indent = indent
        self.line = line
        self.items: list[Item] = []
        self.end = line + 1


class ConfigFile:
    """The text of a shared file as lines with their line ends; ``path`` is for messages.

    ``naming`` says which profile a header names: config_profile, or credentials_profile.
    """

    def __init__(
        self, data: bytes, path: str, naming: Callable[[str], str | None] = config_profile
    ) -> None:
        self.path = path
        self.naming = naming
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise RequestError(f"{path} is not valid UTF-8") from None
        self.values = _values(text, path)
        self.lines = list(io.StringIO(text, newline=""))
        self.sections = _scan(self.lines, naming)
        self._by_profile: dict[str, list[Section]] = {}
        for section in self.sections:
            if section.profile is not None:
                self._by_profile.setdefault(section.profile, []).append(section)

    def encode(self) -> bytes:
        """Return the file's bytes."""
        return "".join(self.lines).encode("utf-8")

    def check(self) -> None:
        """Raise if botocore cannot read the file although configparser can."""
        line = bad_block("".join(self.lines).replace("\r\n", "\n").replace("\r", "\n"))
        if line is not None:
            raise unreadable(self.path, BadBlock(line))

    def section(self, profile: str) -> Section | None:
        """Return the profile's section; if two headers name it, the last one, like botocore."""
        found = self._by_profile.get(profile)
        return found[-1] if found else None

    def twice(self, profile: str) -> str:
        """Say where a profile has two sections with different headers; "" if it does not."""
        found = self._by_profile.get(profile, [])
        if len(found) < 2:
            return ""
        (one, other), lines = found[-2:], [section.line + 1 for section in found[-2:]]
        return (
            f"{self.path}: profile {profile} has two sections, [{one.header}] on line {lines[0]} "
            f"and [{other.header}] on line {lines[1]}"
        )

    def keys(self, profile: str) -> dict[str, str]:
        """Return the keys and values of the profile, as botocore reads them."""
        section = self.section(profile)
        return dict(self.values[section.header]) if section else {}

    def profiles(self) -> list[str]:
        """Return the names of all profiles, in the file's order."""
        return list(self._by_profile)

    def has(self, profile: str) -> bool:
        """Whether the file has the profile."""
        return profile in self._by_profile

    def with_value(self, profile: str, key: str, value: str) -> ConfigFile:
        """Return the file with this value; a key or a section that is missing is added.

        A file without a final newline stays that way, so that the change can be undone to the byte.
        """
        section = self._one_section(profile)
        lines = list(self.lines)
        end = line_end(lines)
        is_open = _is_open(lines)
        if section is None:
            name = header(profile)
            added = [f"[{name}]{end}", f"{key} = {value}{end}"]
            if lines:
                lines[-1] = _closed(lines[-1], end)
                added.insert(0, end)
            lines += added
        else:
            name = section.header
            _put(lines, section, key, value, end)
        if is_open:
            lines[-1] = lines[-1].rstrip("\r\n")
        return self.checked(lines, {name: {key: value}})

    def without(self, profile: str, *keys: str, empty: bool = False) -> ConfigFile:
        """Return the file without these keys; a section that is then empty is removed, too.

        It is not removed if it was ``empty`` before. What with_value added is removed to the byte.
        """
        section = self._one_section(profile)
        items = [item for item in section.items if item.name in keys] if section else []
        if section is None or not items:
            return self
        gone = {number for item in items for number in range(item.first, item.after)}
        left = set(range(section.line + 1, section.end)) - gone
        if not empty and not any(self.lines[number].strip() for number in left):
            gone.add(section.line)
            first = section.line
            blank = first - 1 if first else max(gone) + 1  # the line that separates it
            if blank < len(self.lines) and not self.lines[blank].strip("\r\n"):
                gone.add(blank)
        lines = [line for number, line in enumerate(self.lines) if number not in gone]
        if lines and _is_open(self.lines):
            lines[-1] = lines[-1].rstrip("\r\n")
        return self.checked(lines, {section.header: dict.fromkeys(item.name for item in items)})

    def _one_section(self, profile: str) -> Section | None:
        """Return the section to change; RequestError for two, since tools use either one."""
        twice = self.twice(profile)
        if twice:
            raise RequestError(f"{twice}: merge them by hand first")
        return self.section(profile)

    def checked(
        self,
        lines: list[str],
        changes: Mapping[str, Mapping[str, str | None]],
        renamed: Mapping[str, str] | None = None,
        gone: Collection[str] = (),
    ) -> ConfigFile:
        """Return the file with these lines; RequestError if anything but these changes differs.

        ``gone`` are the headers of removed sections, ``renamed`` maps old headers to new ones, and
        ``changes`` are the new values of keys by new header, None for a removed key.
        """
        names = renamed or {}
        wanted = {
            names.get(name, name): dict(values)
            for name, values in self.values.items() if name not in gone
        }  # fmt: skip
        for header, values in changes.items():
            section = wanted.setdefault(header, dict(wanted["DEFAULT"]))
            section.update({key: value for key, value in values.items() if value is not None})
            for key in [key for key, value in values.items() if value is None]:
                section.pop(key, None)
        changed = self
        try:
            changed = ConfigFile("".join(lines).encode("utf-8"), self.path, self.naming)
        except RequestError:
            pass  # the unchanged file then differs from the wanted one
        for header in changes:
            if header not in changed.values and wanted[header] == wanted["DEFAULT"]:
                del wanted[header]
        if changed.values != wanted:
            where = " and ".join(f"[{header}]" for header in [*changes][:3]) or "its headers"
            raise RequestError(
                f"{self.path}: {where} cannot be changed safely (odd indentation?): edit it by hand"
            )
        changed.check()
        return changed


def _values(text: str, path: str) -> dict[str, dict[str, str]]:
    """Return what configparser reads; RequestError, with the line, for what it refuses."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text.replace("\r\n", "\n").replace("\r", "\n"))
    except configparser.Error as error:
        raise unreadable(path, error) from None
    found = {name: dict(parser.items(name)) for name in parser.sections()}
    return {**found, "DEFAULT": dict(parser.defaults())}


def _scan(lines: list[str], naming: Callable[[str], str | None]) -> list[Section]:
    """Find sections and keys; a line indented deeper than the key above it belongs to that key."""
    sections: list[Section] = []
    item: Item | None = None
    for number, line in enumerate(lines):
        text = line.strip()
        if not text or text.startswith(_COMMENT):
            continue
        indent = line[: len(line) - len(line.lstrip())]
        if item is not None and len(indent) > len(item.indent):
            item.after = number + 1
            continue
        found = _HEADER.match(text)
        if found:
            if sections:
                sections[-1].end = number
            name = found.group(1)
            sections.append(Section(name, naming(name), indent, number))
            item = None
        elif sections:  # pragma: no branch - configparser refuses keys outside of sections
            name = (KEY_LINE.fullmatch(line) or [line, "", text])[2]
            item = Item(name.strip().lower(), indent, number)
            sections[-1].items.append(item)
    if sections:
        sections[-1].end = len(lines)
    return sections


def _put(lines: list[str], section: Section, key: str, value: str, end: str) -> None:
    """Set a key in a section's lines; a missing key is added below the last one."""
    item = next((item for item in section.items if item.name == key), None)
    if item is None:
        place = max((each.after for each in section.items), default=section.line + 1)
        indent = section.items[-1].indent if section.items else section.indent
        lines[place - 1] = _closed(lines[place - 1], end)
        lines.insert(place, f"{indent}{key} = {value}{end}")
        return
    match = KEY_LINE.fullmatch(lines[item.first])
    lead = "".join(match.group(1, 2, 3)) if match else f"{item.indent}{key} = "
    if lead.endswith(("\n", "\r")):
        lead = f"{lead.rstrip()} "  # the value was on the next line
    last = lines[item.after - 1]
    lines[item.first : item.after] = [lead + value + last[len(last.rstrip("\r\n")) :]]


def line_end(lines: list[str]) -> str:
    """Return the line end of a file, which is that of its first line."""
    first = lines[0] if lines else "\n"
    return first[len(first.rstrip("\r\n")) :] or "\n"


def _is_open(lines: list[str]) -> bool:
    """Whether the last line has no end."""
    return bool(lines) and not lines[-1].endswith(("\n", "\r"))


def _closed(line: str, end: str) -> str:
    return line if line.endswith(("\n", "\r")) else line + end


def header(profile: str) -> str:
    """Return the text between the brackets of a profile's header in the config file."""
    return "default" if profile == "default" else f"profile {quoted(profile)}"


def quoted(profile: str) -> str:
    """Return the name for a header: in quotes, as the AWS CLI writes it, if it needs them."""
    try:
        is_plain = shlex.split(f"profile {profile}") == ["profile", profile]
    except ValueError:
        is_plain = False
    return profile if is_plain else shlex.quote(profile)
