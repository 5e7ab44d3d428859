"""credprocctl launcher: write a program that starts credproc faster than the one of pip."""

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

#: -I: no variable or directory of the caller decides what is imported. -S: without `site`, which
#: takes a quarter of the interpreter's start; the script lists the directories that it would find.
OPTIONS = "-IS"
CODE = """\
import sys
sys.path += {folders!r}
from credproc.__main__ import main
sys.exit(main())
"""
SCRIPT = """\
#!{python} {options}
# credproc {version}, started without `site`. Written by `credprocctl launcher`; write it again
# after you move or upgrade Python or credproc.
{code}"""

#: Text that each launcher contains, and the size of the largest launcher in bytes.
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
        "The program prints a cached answer 20 times faster than the installed command, and runs "
        "the full command for everything else. It is written in C and compiled here; without a C "
        "compiler, or with --python, it is a script that starts Python faster. Write it again "
        "after an upgrade: until then it still works, but no faster than the installed command.",
        example="credprocctl launcher ~/bin/credproc-fast",
    )
    made.add_argument("path", metavar="PATH", help="the file to write, like ~/bin/credproc-fast")
    made.add_argument(
        "--python", action="store_true", help="write the script, even if there is a C compiler"
    )


def write(given: argparse.Namespace, console: Console) -> Result:
    """Write the launcher atomically, and show the line for a profile."""
    path = os.path.abspath(os.path.expanduser(given.path))
    if os.path.lexists(path) and not _is_ours(path):
        raise RequestError(
            f"{path} exists and was not written by `credprocctl launcher`: give another path"
        )
    data = b"" if given.python else _native(console)
    rewriting.put(path, data or _script(), 0o755)
    shown = commandline.join([path])
    return Result(
        f"{path}: written. In a profile:\n  credential_process = {shown}\n",
        {"path": path, "language": "C" if data else "Python"},
    )


def _native(console: Console) -> bytes:
    """Return the program in C; b"" if it cannot be compiled, and a note says why."""
    using = native.compiler(os.environ) if native.is_supported() else ""
    try:
        if using:
            python = os.path.abspath(sys.executable)
            return native.compiled(native.source(python, OPTIONS, _code()), using)
        why = "no C compiler was found (cc, gcc or clang; set CC for another)"
    except RequestError as error:
        why = str(error)
    console.note(f"{why}: the launcher is a Python script, as with --python")
    return b""


def _script() -> bytes:
    python = os.path.abspath(sys.executable)
    if len(python) + 6 > LONGEST or " " in python:
        raise RequestError(
            f"{python} cannot be the interpreter of a script: the path is too long or has spaces"
        )
    text = SCRIPT.format(python=python, options=OPTIONS, version=__version__, code=_code())
    return text.encode()


def _code() -> str:
    return CODE.format(folders=folders())


def folders() -> list[str]:
    """Return the directories of installed packages, without those of the standard library."""
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
