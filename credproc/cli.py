"""The full command line, the error line, the exit status."""

from __future__ import annotations

import errno
import os
import resource
import select
import time
import warnings
from functools import partial

from credproc import (
    answer,
    background,
    cache,
    credentials,
    invocation,
    outcome,
    processes,
    recursion,
    refresh,
    supervision,
)
from credproc.deadline import Deadline
from credproc.errors import (
    ELSEWHERE,
    NO_INSTANCE,
    CredprocError,
    DeadlineExceeded,
    ProviderFailed,
    ProviderUnavailable,
    TextAsked,
    UsageError,
    clean,
    mistake,
)
from credproc.log import Log, say
from credproc.mfa import Mfa
from credproc.providers import providers
from credproc.request import Imds
from credproc.run import Run
from credproc.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from credproc.credentials import Credentials
    from credproc.request import Request


UNREAD = "stdout is full, and the process that started credproc did not read it in time"

#: What the variables' names begin with that botocore, urllib3 and the standard library read.
EMPTY_IS_UNSET = (
    *("AWS_", "BOTO", "CURL_", "REQUESTS_", "SSL"),
    *("HTTP_", "HTTPS_", "ALL_", "NO_PROXY"),
)


def main(argv: Sequence[str], environ: Mapping[str, str], in_background: bool = False) -> int:
    """Run credproc as the one thing that this process does; return its exit status."""
    _hold_standard_streams()
    _leave_no_core()
    supervision.on_signals()
    _forget_empty(environ)
    # Whatever PYTHONWARNINGS says: a library's warning is nobody's failure, and stderr stays empty.
    warnings.simplefilter("ignore")
    return respond(argv, environ, in_background)


def _forget_empty(environ: Mapping[str, str]) -> None:
    """Remove variables that are set but empty: releases of botocore differ in what they mean.

    Some take an empty name of a CA bundle, say, for "do not verify".
    """
    if environ is os.environ:
        for name in [name for name, value in environ.items() if not value]:
            if name.upper().startswith(EMPTY_IS_UNSET):
                del os.environ[name]


def unread() -> int:
    """Say that a hit could not write its document in time; return the exit status."""
    say(UNREAD)
    return DeadlineExceeded.status


def write_rest(data: bytes) -> int:
    """Write what is left of a document whose beginning is out; return the exit status."""
    try:
        write(data)
    except CredprocError as error:
        say(clean(str(error)))
        return error.status
    return 0


def respond(argv: Sequence[str], environ: Mapping[str, str], in_background: bool = False) -> int:
    """Print what is asked for and return the status; every error ends here, as a line."""
    log = Log(environ.get("CREDPROC_LOG", ""), time.time)
    try:
        _answer(argv, environ, log, in_background)
    except TextAsked as text:
        return write_rest(str(text).encode())
    except CredprocError as error:
        return _failed(error, log)
    except MemoryError:
        raise  # which __main__ has words for
    except Exception as error:
        told = ProviderFailed(mistake(error))
        told.__cause__ = error
        return _failed(told, log)
    return 0


def _failed(error: CredprocError, log: Log) -> int:
    log.trace(error)
    line = clean(str(error), log.secrets)
    if isinstance(error, UsageError):
        line += " (see credproc --help)"
    log.record(line)
    say(f"{line} (CREDPROC_LOG: {log.trouble})" if log.trouble else line)
    return error.status


def _hold_standard_streams() -> None:
    """Occupy descriptors that the caller closed, lest a file of ours be taken for stdout."""
    for number, flags in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # the lowest free number; writing to the first two fails


def _leave_no_core() -> None:
    """Keep secrets out of core dumps: this process's, and those of helpers that it starts."""
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    except (OSError, ValueError):
        pass  # a system that allows no limit to be lowered


def _answer(argv: Sequence[str], environ: Mapping[str, str], log: Log, in_background: bool) -> None:
    """Get what is requested and print it."""
    asked = invocation.parsed(argv)
    log.verbose = asked.verbose and not in_background
    recursion.check(asked, environ)
    deadline = Deadline(asked.timeout)
    store = Store("", asked.timeout)
    mfa = Mfa(asked.mfa_command, recursion.environment(environ, recursion.resolved(asked)), store)
    run = Run(environ, deadline, log, mfa, recursion.profiles(asked))
    run.mfa_session = asked.mfa_session
    run.introduce()
    asked = _witnessed(asked, argv, run)

    def work() -> cache.Entry:
        store.path = "" if asked.no_cache else directory(asked, environ, log)
        trouble = store.unusable()
        if trouble:
            log(f"cache: off: {trouble}")
        refresher = refresh.Refresher(store, run, asked.refresh, in_background)
        made = providers(run, asked)
        key = _key(asked, argv, environ)
        try:
            return refresher.answer(key, made, partial(_render, asked))
        except (ProviderFailed, ProviderUnavailable) as error:
            implied = asked.providers == [Imds()] and "--imds" not in argv
            if not implied or NO_INSTANCE not in str(error):
                raise
            raise type(error)(f"{error}{ELSEWHERE}") from error

    entry = _supervised(work, store, run)
    if not in_background:
        _print(entry, deadline)
        if entry.key and not asked.no_cache and entry.judge(time.time()) == cache.AHEAD:
            background.start(
                store.path, entry, argv, lambda: main(argv, environ, in_background=True)
            )
    if store.written:
        _sweep(store, log, in_background)


def _witnessed(asked: Request, argv: Sequence[str], run: Run) -> Request:
    """Note what the command line itself depends on; return it as it reads after that."""
    run.witness_paths()
    for path in asked.files:
        run.witnesses.file(path)
    return invocation.parsed(argv) if asked.files else asked


def _supervised(work: Callable[[], cache.Entry], store: Store, run: Run) -> cache.Entry:
    """Return what ``work`` returns, within the deadline; end all that it started."""

    def farewell(signal: str) -> None:
        store.path = ""  # what comes of ending helpers is not cached
        run.mfa.end()
        run.log.record(f"ended by {signal}")

    supervision.attend(farewell, run.mfa.resume)
    try:
        return supervision.supervised(work, run.deadline, run.log)
    except DeadlineExceeded:
        store.path = ""
        raise
    finally:
        run.mfa.end()
        supervision.dismiss(farewell, run.mfa.resume)


def _key(asked: Request, argv: Sequence[str], environ: Mapping[str, str]) -> bytes:
    """Return the answer's key; b"" where --verbose is written so that a hit would not see it."""
    is_plain = not asked.verbose or any(word in answer.ONCE for word in argv)
    return answer.key(argv, environ) if is_plain else b""


def _print(entry: cache.Entry, deadline: Deadline) -> None:
    """Print an answer: never one that has expired."""
    if time.time() >= entry.expiration and not outcome.has_outlived(entry):
        why = f": {entry.failure}" if entry.failure else ""
        raise ProviderFailed(f"the cached credentials expired during the refresh{why}")
    write(entry.document, deadline)


def _render(asked: Request, got: Credentials, expiration: int) -> bytes:
    """Return what is printed of credentials; ``expiration`` is the one to show."""
    document = credentials.document(got, expiration)
    if asked.field == "Arn":
        return credentials.arn_line(got)
    if asked.field:
        return credentials.field(document, asked.field)
    return credentials.formatted(document, asked.format)


def _sweep(store: Store, log: Log, in_background: bool) -> None:
    """Remove old files of the cache, once a day, in a process that nobody waits for."""
    from credproc import sweep

    now = time.time()
    if not sweep.is_due(store, now):
        return
    if not in_background and processes.may_fork():
        try:
            background.detach(lambda: sweep.sweep(store, now, log))
            return
        except OSError:
            pass  # no processes left, or none that would go when it has ended
    sweep.sweep(store, now, log)


def directory(asked: Request, environ: Mapping[str, str], log: Log) -> str:
    """Return the cache directory; "" turns the cache off."""
    quick = cache.directory(environ, asked.cache_dir)
    if quick:
        return _below_home(quick, environ, log)
    chosen = environ.get("CREDPROC_CACHE_DIR", "")
    if not chosen:
        import platformdirs  # 24 ms, for what the quick rule declines

        try:
            chosen = platformdirs.user_cache_dir("credproc", appauthor=False)
        except RuntimeError:
            pass  # no home; releases before 4.14 leave it to the next line
        if not os.path.isabs(chosen):
            # A relative XDG_CACHE_HOME is to be ignored; releases before 4.12 do not.
            chosen = os.path.expanduser("~/.cache/credproc")
    if os.path.isabs(chosen):
        return _below_home(chosen, environ, log)
    log(f"cache: off, because {chosen} is no absolute path")
    return ""


def _below_home(chosen: str, environ: Mapping[str, str], log: Log) -> str:
    """Return the directory, "" if it is in a home that does not exist and must not be made."""
    home = environ.get("HOME") or os.path.expanduser("~")
    inside = os.path.join(home, "")
    if not (os.path.isabs(home) and os.path.join(chosen, "").startswith(inside)):
        return chosen
    if os.path.isdir(home):
        return chosen
    log(f"cache: off, because the home {home} does not exist")
    return ""


def write(data: bytes, deadline: Deadline | None = None) -> None:
    """Write to stdout, whole; ProviderFailed if that cannot be done."""
    try:
        while data:
            # A pipe that is full, and whose reader sleeps, must not outlast the deadline.
            patience = None if deadline is None else max(deadline.left(), 1)
            if not select.select([], [1], [], patience)[1]:
                raise DeadlineExceeded(UNREAD)
            data = data[os.write(1, data) :]
    except OSError as error:
        reason = "it is closed" if error.errno == errno.EBADF else error.strerror
        raise ProviderFailed(f"stdout cannot be written: {reason}") from error
