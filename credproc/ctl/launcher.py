"""credprocctl launcher: a way to start credproc that is faster than what pip installs."""

from __future__ import annotations

import os
import sys
import sysconfig
from typing import TYPE_CHECKING

from credproc import __version__, system
from credproc.ctl import arguments, commandline, native, rewriting
from credproc.ctl.output import Result
from credproc.errors import RequestError

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from credproc.ctl.output import Console

#: -I: no variable and no folder of the caller's decides what is imported. -S: without `site`, which
#: is a quarter of an interpreter's start; the folders that it would have found are written down.
OPTIONS = "-IS"
CODE = """\
import sys
sys.path += {folders!r}
from credproc.__main__ import main
sys.exit(main())
"""
SCRIPT = """\
#!{python} {options}
# credproc {version}, started without `site`. Written by `credprocctl launcher`; write it again when
# Python or credproc has moved.
{code}"""

#: What each launcher has in it; and bytes that the largest one has.
MARK = b"Written by `credprocctl launcher`"
MOST = 8 * 2**20

#: Bytes of a first line that every kernel reads.
LONGEST = 127


def add(commands: Any) -> None:
    """Add the command to the parser."""
    made = arguments.command(
        commands,
        "launcher",
        write,
        "write a program that starts credproc faster",
        "It prints a cached answer 20 times faster than the installed command: a program in C, "
        "compiled here, which becomes the full command for everything else. Without a C compiler, "
        "or with --python, it is a script that starts Python faster. Write it again after an "
        "update: until then it does what the installed command does, and no faster.",
    )
    made.add_argument("path", metavar="PATH", help="the file to write, like ~/bin/credproc-fast")
    made.add_argument(
        "--python", action="store_true", help="write the script, even if there is a C compiler"
    )


def write(given: argparse.Namespace, console: Console) -> Result:
    """Write the launcher, in one step, and say how a profile names it."""
    path = os.path.abspath(os.path.expanduser(given.path))
    if os.path.lexists(path) and not _is_ours(path):
        raise RequestError(
            f"{path} exists and was not written by `credprocctl launcher`: give another path"
        )
    data = b"" if given.python else _native(console)
    rewriting.put(path, data or _script(), 0o755)
    shown = commandline.join([path])
    return Result(
        f"{path} is written. In a profile:\n  credential_process = {shown}\n",
        {"path": path, "language": "C" if data else "Python"},
    )


def _native(console: Console) -> bytes:
    """Return the program in C, b"" where it cannot be compiled; a note says why."""
    using = native.compiler(os.environ) if native.is_supported() else ""
    try:
        if using:
            python = os.path.abspath(sys.executable)
            return native.compiled(native.source(python, OPTIONS, _code()), using)
        why = "there is no C compiler here (cc, gcc or clang; CC names another)"
    except RequestError as error:
        why = str(error)
    console.note(f"{why}: the launcher is a Python script, as with --python")
    return b""


def _script() -> bytes:
    python = os.path.abspath(sys.executable)
    if len(python) + 6 > LONGEST or " " in python:
        raise RequestError(
            f"{python} cannot be named in the first line of a script: it is too long, or has blanks"
        )
    text = SCRIPT.format(python=python, options=OPTIONS, version=__version__, code=_code())
    return text.encode()


def _code() -> str:
    return CODE.format(folders=folders())


def folders() -> list[str]:
    """Return where this interpreter finds what was installed, beside its own library."""
    standard = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    standard |= {os.path.join(folder, "lib-dynload") for folder in standard}
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    known = [here, *(os.path.abspath(path) for path in sys.path if os.path.isdir(path))]
    return [
        path
        for path in dict.fromkeys(known)
        if path == here or (path not in standard and "-packages" in os.path.basename(path))
    ]


def _is_ours(path: str) -> bool:
    try:
        return MARK in system.read(path, MOST)
    except (OSError, ValueError):
        return False
