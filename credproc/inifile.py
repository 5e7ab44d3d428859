"""Parses a shared config file as botocore does, in a tenth of the time (no configparser).

It declines any file that is not clearly valid, and leaves that file and its errors to botocore.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    #: A value, or the keys and values of an indented block.
    Value: TypeAlias = str | dict[str, str]
    Sections: TypeAlias = dict[str, dict[str, Value]]


class Declined(Exception):
    """The file must be read by botocore: it has a mistake, or syntax of configparser."""


def read(text: str) -> Sections:
    """Return the sections of a file with their keys and values; Declined, see above.

    A key has one value, or a block of keys and values that is indented more than the key.
    """
    found: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] | None = None
    value: list[str] | None = None  # the lines of the latest key
    indent = 0
    for line in text.split("\n"):
        content = line.strip()
        if not content or content[0] in "#;":
            if value is not None and not content:
                value.append("")
            continue
        depth = line.index(content[0])
        if value is not None and depth > indent:
            value.append(content)
            continue
        indent = depth
        if content[0] == "[":
            name = content[1:-1]
            if content[-1] != "]" or not name or name in found or name == "DEFAULT":
                raise Declined
            section = found[name] = {}
            value = None
            continue
        key, first = _pair(content)
        if section is None or key in section:
            raise Declined
        value = section[key] = [first]
    return {name: _joined(keys) for name, keys in found.items()}


def _pair(content: str) -> tuple[str, str]:
    """Return key and value of a line, separated by = or :, whichever comes first."""
    key, equals, value = content.partition("=")
    if not equals or ":" in key:
        key, equals, value = content.partition(":")
    key = key.rstrip().lower()
    if not equals or not key:
        raise Declined
    return key, value.strip()


def _joined(keys: dict[str, list[str]]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for key, lines in keys.items():
        value = "\n".join(lines).rstrip()
        found[key] = _block(value) if value.startswith("\n") else value
    return found


def _block(value: str) -> dict[str, str]:
    found = {}
    for line in map(str.strip, value.splitlines()):
        key, equals, part = line.partition("=")
        if line and not equals:
            raise Declined
        if line:
            found[key.strip()] = part.strip()
    return found


def profile_map(sections: Sections) -> dict[str, dict[str, dict[str, Value]]]:
    """Return the sections grouped as in botocore: profiles, sso_sessions, services, and the rest.

    ``[profile NAME]`` is the profile NAME, ``[default]`` the profile default.
    """
    gathered = {"profile": "profiles", "sso-session": "sso_sessions", "services": "services"}
    found: dict[str, dict[str, dict[str, Value]]] = {name: {} for name in gathered.values()}
    rest: dict[str, dict[str, Value]] = {}
    for header, keys in sections.items():
        kind = next((kind for kind in gathered if header.startswith(kind)), "")
        if kind:
            words = _words(header)
            if len(words) == 2:
                found[gathered[kind]][words[1]] = keys
        elif header == "default":
            found["profiles"][header] = keys
        else:
            rest[header] = keys
    return {**rest, **found}  # type: ignore[dict-item]  # the rest is not nested


def _words(header: str) -> list[str]:
    if header.isprintable() and not set(header) & set("\"'\\"):
        return header.split()
    import shlex  # for names in quotes

    try:
        return shlex.split(header)
    except ValueError:
        return []
