"""A change to a shared config file: reported or made, and shown as a diff without secrets."""

from __future__ import annotations

import difflib
import os
import re
from typing import TYPE_CHECKING

from credproc.ctl import commandline, rewriting
from credproc.ctl.output import legible
from credproc.ctl.rewriting import Unwritable
from credproc.ctl.shared import KEY, read
from credproc.errors import HIDDEN, NAMED, RequestError, masked

if TYPE_CHECKING:
    from collections.abc import Callable

    from credproc.ctl.configfile import ConfigFile, Item
    from credproc.ctl.steps import Steps

#: Parts of key names that mark values as secret.
SECRET = ("secret", "session_token", "security_token", "password", "external_id")


def change(
    path: str,
    subject: str,
    participle: str,
    work: Callable[[ConfigFile], ConfigFile | None],
    steps: Steps,
) -> None:
    """Change the config under its lock to what ``work`` makes of it; None means no change."""
    check(path)
    if steps.dry_run:
        if work(read(path)) is None:
            steps.same(subject, f"unchanged in {path}")
        else:
            steps.change(subject, f"{participle} {path}", lambda: None)
        return
    with rewriting.rewriting(path) as file:
        before = file.config(path)
        after = work(before)
        if after is None:
            steps.same(subject, f"unchanged in {path}")
            return
        data = after.encode()
        backup = steps.change(subject, f"{participle} {path}", lambda: file.replace(data))
        if backup:
            steps.same("your original file", f"saved as {backup}")


def check(path: str) -> None:
    """Raise if the file has no path, or cannot be replaced."""
    if not path:
        raise RequestError("no home directory for ~/.aws/config: set HOME")
    reason = rewriting.obstacle(os.path.realpath(path))
    if reason:
        raise Unwritable(f"{path} {reason}")


def diff(before: ConfigFile, after: ConfigFile) -> str:
    """Return what changes, as `diff -u` shows it, without secrets; "" if nothing does."""
    lines = difflib.unified_diff(_shown(before), _shown(after), before.path, after.path)
    return "".join(f"{line}\n" for line in map(str.rstrip, lines))


def _shown(file: ConfigFile) -> list[str]:
    lines = [re.sub(NAMED, rf"\1{HIDDEN}", line) for line in file.lines]
    for section in file.sections:
        for item in section.items:
            value = _value(item, file.values[section.header].get(item.name, ""))
            if value is not None:
                rest = [f"{item.indent}  ...\n"] * (item.after - item.first - 1)
                lines[item.first : item.after] = [f"{item.indent}{item.name} = {value}\n", *rest]
    return [legible(line.rstrip("\r\n")) for line in lines]


def _value(item: Item, value: str) -> str | None:
    """Return the text to show instead of a value; None if the value itself can be shown."""
    if item.name == KEY:
        return commandline.line_shown(value)
    if item.name == "aws_access_key_id":
        return masked(value)
    return "..." if any(part in item.name for part in SECRET) else None
