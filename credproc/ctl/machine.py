"""credproc's own parts as a person uses them: a run of its providers, its cache directory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from credproc import cli, limits
from credproc.ctl.steps import Failed
from credproc.deadline import Deadline
from credproc.errors import UsageError
from credproc.mfa import Mfa
from credproc.request import Request
from credproc.run import Run
from credproc.store import Store

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

#: Seconds.
TIMEOUT = 10


def run(given: argparse.Namespace, profiles: Sequence[str] = ()) -> Run:
    """Return a run that logs as the command line says; ``profiles`` are those that it names."""
    made = Run(os.environ, Deadline(TIMEOUT), given.log, Mfa("", os.environ), profiles)
    made.patient = False  # a person wants to know what is wrong now
    return made


def store(given: argparse.Namespace, asked: Request | None = None) -> Store:
    """Return the cache that credproc would use, by its own rule; Failed if it would use none.

    The request says where it is, else the command's own --cache-dir.
    """
    if asked is None:
        asked = Request()
        asked.cache_dir = getattr(given, "cache_dir", "") or ""
        problem = limits.cache_dir(asked.cache_dir) if asked.cache_dir else ""
        if problem:
            raise UsageError(f"--cache-dir: {problem}")
    path = cli.directory(asked, os.environ, given.log)
    if not path:
        raise Failed(f"the cache is off: {': '.join(off(os.environ))}")
    return Store(path)


def off(environ: Mapping[str, str]) -> tuple[str, str]:
    """Say why there is no place for the cache, and what to do."""
    chosen, home = environ.get("CREDPROC_CACHE_DIR"), environ.get("HOME")
    if home and os.path.isabs(home) and not os.path.isdir(home):
        why = f"the home {home} does not exist"
        return why, "create it, or set CREDPROC_CACHE_DIR to a directory somewhere else"
    if chosen:
        return f"CREDPROC_CACHE_DIR={chosen} is not an absolute path", "make it one, or unset it"
    why = f"HOME={home} is not an absolute path" if home else "there is no home directory"
    return why, "set HOME, or give it a place of its own by CREDPROC_CACHE_DIR"
