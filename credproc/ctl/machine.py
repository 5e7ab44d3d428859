"""credproc's own parts as a person uses them: a run of its providers, its cache directory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from credproc import cli, limits
from credproc.ctl.steps import Failed
from credproc.errors import UsageError
from credproc.mfa import Mfa
from credproc.providers import Deadline, Run
from credproc.request import Request
from credproc.store import Store

if TYPE_CHECKING:
    import argparse

#: Seconds.
TIMEOUT = 10


def run(given: argparse.Namespace) -> Run:
    """Return a run that tells what happens as the command line asks for."""
    return Run(os.environ, Deadline(TIMEOUT), given.log, Mfa("", os.environ))


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
        raise Failed("the cache is off: there is no absolute path for it (HOME, --cache-dir)")
    return Store(path)
