"""A shared config file whose lines stay as they are, except for one key of one section.

Lines are told apart by the rules of configparser, which botocore reads the file with; whatever is
changed is read by configparser itself before and after, and refused if anything else would differ.
"""

from __future__ import annotations

import configparser
import io
import re
import shlex

from credproc.errors import RequestError
from credproc.syntax import unreadable

_HEADER = re.compile(r"\[(.+)\]")
_KEY = re.compile(r"(\s*)(.*?)(\s*[=:]\s*)(.*)", re.DOTALL)
_COMMENT = ("#", ";")


class Item:
    """A key of a section, and the lines it takes: from ``first`` up to, without, ``after``."""

    def __init__(self, name: str, indent: str, first: int) -> None:
        self.name = name
        self.indent = indent
        self.first = first
        self.after = first + 1


class Section:
    """A section: its header's text and line, its keys in order, and where the next one begins."""

    def __init__(self, header: str, indent: str, line: int) -> None:
        self.header = header
        self.indent = indent
        self.line = line
        self.items: list[Item] = []
        self.end = line + 1

    @property
    def profile(self) -> str | None:
        """The profile that the header names in a config file, as botocore sees it."""
        if self.header == "default":
            return "default"
        if not self.header.startswith("profile"):
            return None
        try:
            words = shlex.split(self.header)
        except ValueError:
            return None
        return words[1] if len(words) == 2 else None  # whatever the first one goes on with


class ConfigFile:
    """The text of a config file, its lines with their ends; ``path`` is for messages."""

    def __init__(self, data: bytes, path: str) -> None:
        self.path = path
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise RequestError(f"{path}: is not UTF-8, so no SDK reads it") from None
        self.values = _values(text, path)
        self.lines = list(io.StringIO(text, newline=""))
        self.sections = _scan(self.lines)

    def encode(self) -> bytes:
        """Return the file's bytes."""
        return "".join(self.lines).encode("utf-8")

    def section(self, profile: str) -> Section | None:
        """Return the profile's section; RequestError if it has more than one."""
        found = [section for section in self.sections if section.profile == profile]
        if len(found) > 1:
            first, second = (section.line + 1 for section in found[:2])
            raise RequestError(
                f"{self.path}: profile {profile} stands there twice (lines {first} and {second}): "
                "put both together by hand"
            )
        return found[0] if found else None

    def keys(self, profile: str) -> dict[str, str]:
        """Return the keys and values of the profile, as botocore reads them."""
        section = self.section(profile)
        return dict(self.values[section.header]) if section else {}

    def profiles(self) -> list[str]:
        """Return the names of all profiles, in the file's order."""
        names = [section.profile for section in self.sections]
        return list(dict.fromkeys(name for name in names if name is not None))

    def with_value(self, profile: str, key: str, value: str) -> ConfigFile:
        """Return the file with this value; a key or a section that is missing is added."""
        section = self.section(profile)
        lines = list(self.lines)
        end = _line_end(lines)
        if section is None:
            header = "default" if profile == "default" else f"profile {_quoted(profile)}"
            if lines and not lines[-1].endswith(("\n", "\r")):
                lines[-1] += end
            if lines and lines[-1].strip():
                lines.append(end)
            lines += [f"[{header}]{end}", f"{key} = {value}{end}"]
            return self._checked(lines, header, key, value)
        item = _item(section, key)
        if item is None:
            place = max((each.after for each in section.items), default=section.line + 1)
            indent = section.items[-1].indent if section.items else section.indent
            if not lines[place - 1].endswith(("\n", "\r")):
                lines[place - 1] += end
            lines.insert(place, f"{indent}{key} = {value}{end}")
        else:
            match = _KEY.fullmatch(lines[item.first])
            lead = "".join(match.group(1, 2, 3)) if match else f"{item.indent}{key} = "
            if lead.endswith(("\n", "\r")):
                lead = f"{lead.rstrip()} "  # the value stood in the line below
            last = lines[item.after - 1]
            lines[item.first : item.after] = [lead + value + last[len(last.rstrip("\r\n")) :]]
        return self._checked(lines, section.header, key, value)

    def without(self, profile: str, key: str) -> ConfigFile:
        """Return the file without this key; a section of which nothing is left goes, too."""
        section = self.section(profile)
        item = _item(section, key) if section else None
        if section is None or item is None:
            return self
        lines = list(self.lines)
        del lines[item.first : item.after]
        left = lines[section.line + 1 : section.end - (item.after - item.first)]
        if any(line.strip() for line in left):
            return self._checked(lines, section.header, key, None)
        first, after = section.line, section.line + 1 + len(left)
        if after == len(lines):
            while first and not lines[first - 1].strip():
                first -= 1  # the blank line that set it apart
        del lines[first:after]
        return self._checked(lines, section.header, key, None)

    def _checked(self, lines: list[str], header: str, key: str, value: str | None) -> ConfigFile:
        """Return the file of these lines, if nothing but the one key means something else now."""
        wanted = {name: dict(values) for name, values in self.values.items()}
        if value is None:
            del wanted[header][key]
        else:
            wanted.setdefault(header, dict(wanted["DEFAULT"]))[key] = value
        changed = self
        try:
            changed = ConfigFile("".join(lines).encode("utf-8"), self.path)
        except RequestError:
            pass  # then nothing has changed, which is not what is wanted
        if header not in changed.values and wanted[header] == wanted["DEFAULT"]:
            del wanted[header]
        if changed.values != wanted:
            raise RequestError(
                f"{self.path}: its layout makes it unsafe to change {key} of [{header}] by program "
                "(odd indentation?): edit it by hand"
            )
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


def _scan(lines: list[str]) -> list[Section]:
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
        header = _HEADER.match(text)
        if header:
            if sections:
                sections[-1].end = number
            sections.append(Section(header.group(1), indent, number))
            item = None
        elif sections:  # pragma: no branch - configparser refuses keys outside of sections
            name = (_KEY.fullmatch(line) or [line, "", text])[2]
            item = Item(name.strip().lower(), indent, number)
            sections[-1].items.append(item)
    if sections:
        sections[-1].end = len(lines)
    return sections


def _item(section: Section, key: str) -> Item | None:
    return next((item for item in section.items if item.name == key), None)


def _line_end(lines: list[str]) -> str:
    first = lines[0] if lines else "\n"
    return first[len(first.rstrip("\r\n")) :] or "\n"


def _quoted(profile: str) -> str:
    """Return the name as it stands in a header: quoted like the AWS CLI does it, if need be."""
    try:
        is_plain = shlex.split(f"profile {profile}") == ["profile", profile]
    except ValueError:
        is_plain = False
    return profile if is_plain else shlex.quote(profile)
