"""The full command line, the error line, the exit status."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from credproc import background, cache, credentials, options, recursion, refresh, supervision
from credproc.errors import CredprocError, ProviderFailed, UsageError, clean
from credproc.log import Log, say
from credproc.mfa import Mfa, end
from credproc.providers import Deadline, Run, provider
from credproc.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from credproc.request import Request

INTERRUPTED, TERMINATED = 130, 143


def main(argv: Sequence[str], environ: Mapping[str, str], in_background: bool = False) -> int:
    """Run credproc and return its exit status; every error becomes one line on stderr here."""
    supervision.on_sigterm()
    log = Log(environ.get("CREDPROC_LOG", ""), time.time)
    try:
        _hold_standard_streams()
        asked = options.parse(argv)
        log.verbose = asked.verbose and not in_background
        recursion.check(asked, environ)
        _answer(asked, argv, environ, log, in_background)
    except CredprocError as error:
        return _failed(error, log)
    except KeyboardInterrupt:
        return INTERRUPTED
    except supervision.Terminated:
        return TERMINATED
    except SystemExit as left:  # --help and --version
        return int(left.code or 0)
    except Exception as error:
        log.trace(error)
        return _failed(
            ProviderFailed(
                f"a mistake in credproc: {type(error).__name__}: {error}; run it with -v"
            ),
            log,
        )
    return 0


def _failed(error: CredprocError, log: Log) -> int:
    log.trace(error)
    line = clean(str(error), log.secrets)
    if isinstance(error, UsageError):
        line += " (see credproc --help)"
    say(line)
    log.record(line)
    return error.status


def _hold_standard_streams() -> None:
    """Occupy descriptors that the caller closed, lest a file of ours be taken for stdout."""
    for number, flags in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # the lowest free number; writing to the first two fails


def _answer(
    asked: Request,
    argv: Sequence[str],
    environ: Mapping[str, str],
    log: Log,
    in_background: bool,
) -> None:
    """Get what is asked for and print it."""
    deadline = Deadline(asked.timeout)
    mfa = Mfa(asked.mfa_command, environ)
    run = Run(environ, deadline, log, mfa, recursion.profiles(asked))
    store = Store("" if asked.no_cache else _directory(asked, environ, log))
    refresher = refresh.Refresher(store, run, asked.refresh, in_background)
    # Lazily, so that one provider's libraries are loaded when those before it have not answered.
    providers = map(provider, asked.providers)
    try:
        entry = supervision.supervised(lambda: refresher.answer(asked, providers), deadline, log)
    finally:
        end(run.children)
    if in_background:
        return
    document = refresh.printed(entry, time.time(), log)
    _print(_formatted(document, asked))
    if not asked.no_cache and entry.judge(time.time()) == cache.AHEAD:
        background.start(store.path, entry, argv, environ)


def _directory(asked: Request, environ: Mapping[str, str], log: Log) -> str:
    """Return the cache directory; "" turns the cache off."""
    quick = cache.directory(environ, asked.cache_dir)
    if quick:
        return quick
    chosen = environ.get("CREDPROC_CACHE_DIR", "")
    if not chosen:
        import platformdirs  # 24 ms, for what the quick rule declines

        chosen = platformdirs.user_cache_dir("credproc", appauthor=False)
    if os.path.isabs(chosen):
        return chosen
    log(f"cache: off, because {chosen} is no absolute path")
    return ""


def _formatted(document: bytes, asked: Request) -> bytes:
    if asked.field:
        return credentials.field(document, asked.field)
    return credentials.formatted(document, asked.format)


def _print(data: bytes) -> None:
    try:
        while data:
            data = data[os.write(1, data) :]
    except OSError as error:
        raise ProviderFailed(f"stdout cannot be written: {error.strerror}") from error
