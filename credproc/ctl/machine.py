"""credproc's own parts, for credprocctl: a run of its providers, its cache directory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from credproc import limits, location, variables
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
    made.patient = False  # report an error at once, instead of waiting for a service
    return made


def store(given: argparse.Namespace, request: Request | None = None) -> Store:
    """Return the cache that credproc would use, by its own rule; Failed if it would use none.

    Its directory is that of the request, else that of the command's own --cache-dir.
    """
    if request is None:
        request = Request()
        request.cache_dir = getattr(given, "cache_dir", "") or ""
        problem = limits.cache_dir(request.cache_dir) if request.cache_dir else ""
        if problem:
            raise UsageError(f"--cache-dir: {problem}")
    path = location.directory(request, os.environ, given.log)
    if not path:
        raise Failed(f"the cache is off: {': '.join(off(os.environ))}")
    return Store(path)


def off(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return why there is no directory for the cache, and what to do."""
    chosen, home = environ.get("CREDPROC_CACHE_DIR"), environ.get("HOME")
    if home and os.path.isabs(home) and not os.path.isdir(home):
        why = f"the home directory {home} does not exist"
        return why, "create it, or set CREDPROC_CACHE_DIR to another directory"
    if chosen:
        slip = variables.misplaced(chosen).removeprefix("must be an absolute path")
        why = f"CREDPROC_CACHE_DIR={chosen} is not an absolute path{slip}"
        return why, "set it to an absolute path, or unset it"
    return location.no_home(environ), "set HOME or CREDPROC_CACHE_DIR"
