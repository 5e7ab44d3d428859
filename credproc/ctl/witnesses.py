"""Descriptions of what a cached answer depends on: the variables of its key, its witnesses."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from credproc import answer, credentials, knownsecrets, system
from credproc.errors import clean, masked

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The witnesses that depend on where and how credproc is started, not on this machine's state.
OF_THE_CALLER = (answer.DIRECTORY, answer.VARIABLE)


def records(encoded: bytes) -> list[bytes]:
    """Return the records of witnesses one by one, each with the NUL at its end."""
    return [record + b"\0" for record in encoded.split(b"\0")[:-1]]


def changes(encoded: bytes, environ: Mapping[str, str], anywhere: bool = False) -> list[str]:
    """Describe what has changed since the witnesses were recorded; empty if nothing has.

    ``anywhere``: only changes that matter wherever on this machine credproc is started.
    """
    return [
        _change(record)
        for record in records(encoded)
        if not (anywhere and _kind(record) in OF_THE_CALLER)
        and not answer.unchanged(record, environ)
    ]


def dependences(encoded: bytes) -> list[str]:
    """Describe the witnesses."""
    return [_described(record) for record in records(encoded)]


def variables(key: bytes) -> list[str]:
    """Return the variables in an answer's key as NAME=VALUE, without secrets."""
    parts = os.fsdecode(key).split("\0")
    return [_shown(part) for part in parts[2 + int(parts[1]) :]]


def _shown(part: str) -> str:
    name, _, value = part.partition("=")
    if name == "AWS_ACCESS_KEY_ID":
        return f"{name}={masked(value)}"
    if value.startswith("#"):
        return f"{name}=..."
    return f"{name}={clean(value, knownsecrets.of_environment({name: value}))}"


def _kind(record: bytes) -> str:
    return os.fsdecode(record).partition(" ")[0]


def _parts(record: bytes) -> tuple[str, list[str]]:
    """Return a record's name and the fields before it; ValueError if it is not a record."""
    kind, _, rest = os.fsdecode(record[:-1]).partition(" ")
    count = 6 if kind == answer.FILE else 1 if kind == answer.ABSENT else -1
    if count < 0:
        state, _, name = rest.rpartition(" ")
        return name, [kind, state]
    *states, name = rest.split(" ", count)
    return name, [kind, *states]


def _described(record: bytes) -> str:
    name, (kind, *state) = _parts(record)
    if kind == answer.FILE:
        changed = credentials.write_time(int(state[3]) // 10**9)
        return f"{name} ({state[2]} bytes, changed {changed})"
    if kind == answer.ABSENT:
        return f"{name} (does not exist)"
    if kind == answer.INSTANCE:
        return f"this machine ({state[0].rpartition(' ')[2]}) since it was started"
    if kind == answer.HOST:
        return f"the host name {state[0]}"
    return "the working directory" if kind == answer.DIRECTORY else f"the variable {name}"


def _change(record: bytes) -> str:
    name, (kind, *state) = _parts(record)
    if kind == answer.FILE:
        if not os.path.lexists(name):
            return f"{name} no longer exists"
        return f"{name} has changed" if os.access(name, os.R_OK) else f"{name} cannot be read"
    host = state[0].rpartition(" ")[2]
    return {
        answer.ABSENT: f"{name} now exists",
        answer.INSTANCE: f"it was cached on another machine ({host})"
        if host != system.host_name()
        else "this machine was restarted, or it is another one with the same name",
        answer.HOST: f"the host name is {system.host_name()}, not {host}",
        answer.DIRECTORY: "the working directory is different",
    }.get(kind, f"the variable {name} has changed")
