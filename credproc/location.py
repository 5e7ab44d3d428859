"""Where the cache is, by options, variables and home; and why it is not used."""

from __future__ import annotations

import os

from credproc import cache, variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from credproc.log import Log
    from credproc.request import Request
    from credproc.store import Store

VARIABLE = "CREDPROC_CACHE_DIR"


def settle(store: Store, requested: Request, environ: Mapping[str, str], log: Log) -> None:
    """Give the store its directory, or none.

    If the chosen directory cannot be used, the log says why, and a failing run on its line, too.
    """
    store.path = "" if requested.no_cache else directory(requested, environ, log)
    where = store.path
    trouble = store.unusable()
    if trouble:
        log(f"cache: off: {trouble}")
    elif where and not os.access(where, os.W_OK):
        trouble = f"{where} is not writable"
        log(f"cache: {trouble}")
    if trouble:
        _report(trouble, requested, environ, log)


def directory(requested: Request, environ: Mapping[str, str], log: Log) -> str:
    """Return the cache directory; "" turns the cache off."""
    quick = cache.directory(environ, requested.cache_dir)
    if quick:
        return _below_home(quick, requested, environ, log)
    chosen = environ.get(VARIABLE, "")
    if not chosen:
        import platformdirs  # 24 ms, only where the quick rule does not apply

        try:
            chosen = platformdirs.user_cache_dir("credproc", appauthor=False)
        except RuntimeError:
            pass  # no home directory; releases before 4.14 do not raise
        if not os.path.isabs(chosen):
            # A relative XDG_CACHE_HOME must be ignored; releases before 4.12 do not ignore it.
            chosen = os.path.expanduser("~/.cache/credproc")
    problem = variables.misplaced(chosen)
    if not problem:
        return _below_home(chosen, requested, environ, log)
    if environ.get(VARIABLE):
        log(f"cache: off: {chosen}: {problem}")
        _report(problem, requested, environ, log)
    else:
        log(f"cache: off, because {no_home(environ)}")
    return ""


def no_home(environ: Mapping[str, str]) -> str:
    """Return why the default directory cannot be found."""
    home = environ.get("HOME")
    return f"HOME={home} is not an absolute path" if home else "there is no home directory"


def _below_home(chosen: str, requested: Request, environ: Mapping[str, str], log: Log) -> str:
    """Return the directory; "" if it is in a home that does not exist, which is not created."""
    home = environ.get("HOME") or os.path.expanduser("~")
    inside = os.path.join(home, "")
    if not (os.path.isabs(home) and os.path.join(chosen, "").startswith(inside)):
        return chosen
    if os.path.isdir(home):
        return chosen
    why = f"the home directory {home} does not exist"
    log(f"cache: off, because {why}")
    _report(why, requested, environ, log)
    return ""


def _report(why: str, requested: Request, environ: Mapping[str, str], log: Log) -> None:
    """Let a failing run say why the cache is off, if the user chose the directory."""
    if requested.cache_dir or environ.get(VARIABLE):
        log.unused["--cache-dir" if requested.cache_dir else VARIABLE] = why
