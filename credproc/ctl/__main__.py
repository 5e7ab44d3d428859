"""credprocctl: the commands, the error line, the exit status."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from credproc import __version__
from credproc.ctl import role
from credproc.errors import CredprocError, clean
from credproc.log import say

if TYPE_CHECKING:
    from collections.abc import Callable

INTERRUPTED = 130


def main() -> int:
    """Run credprocctl and return its exit status."""
    try:
        given = parser().parse_args()
        command: Callable[[argparse.Namespace], str] = given.command
        sys.stdout.write(command(given))
        sys.stdout.flush()
    except CredprocError as error:
        say(clean(str(error)), "credprocctl")
        return error.status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read has seen enough; nothing is left to be flushed at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser; each command sets ``command`` to what runs it and returns its output."""
    made = argparse.ArgumentParser(
        prog="credprocctl",
        description="Look after credproc and what it gets its credentials from.",
        allow_abbrev=False,
    )
    made.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    role.add(made.add_subparsers(title="commands", required=True, metavar="COMMAND"))
    return made


if __name__ == "__main__":
    sys.exit(main())
