"""credprocctl launcher: a way to start credproc that is faster than what pip installs."""

from __future__ import annotations

import os
import sys
import sysconfig
from typing import TYPE_CHECKING

from credproc import __version__
from credproc.ctl import arguments, commandline, rewriting
from credproc.ctl.output import Result
from credproc.errors import RequestError

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from credproc.ctl.output import Console

#: -I: no variable and no folder of the caller's decides what is imported. -S: without `site`, which
#: is a quarter of an interpreter's start; the folders that it would have found are written down.
SCRIPT = """\
#!{python} -IS
# credproc {version}, started without `site`. Written by `credprocctl launcher`; write it anew when
# Python or credproc has moved.
import sys
sys.path += {folders!r}
from credproc.__main__ import main
sys.exit(main())
"""

#: Bytes of a first line that every kernel reads.
LONGEST = 127


def add(commands: Any) -> None:
    """Add the command to the parser."""
    made = arguments.command(
        commands,
        "launcher",
        write,
        "write a program that starts credproc faster",
        "It does what credproc does, and ignores PYTHONPATH and the like.",
    )
    made.add_argument("path", metavar="PATH", help="the file to write, like ~/bin/credproc-fast")


def write(given: argparse.Namespace, _: Console) -> Result:
    """Write the launcher, in one step, and say how a profile names it."""
    python = os.path.abspath(sys.executable)
    if len(python) + 6 > LONGEST or " " in python:
        raise RequestError(
            f"{python} cannot stand in the first line of a script: too long, or blanks"
        )
    path = os.path.abspath(os.path.expanduser(given.path))
    if os.path.lexists(path) and not _is_ours(path):
        raise RequestError(f"{path} is there, and no launcher of credproc's: give another path")
    text = SCRIPT.format(python=python, version=__version__, folders=folders())
    rewriting.put(path, text.encode(), 0o755)
    shown = commandline.join([path])
    return Result(
        f"{path} is written. In a profile:\n  credential_process = {shown}\n", {"path": path}
    )


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
        with open(path, encoding="utf-8") as file:
            return "`credprocctl launcher`" in file.read(4096)
    except (OSError, ValueError):
        return False
