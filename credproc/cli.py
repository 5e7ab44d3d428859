"""The full command line: from arguments to the printed document, error line and exit status."""

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
    location,
    processes,
    recursion,
    refresh,
    result,
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
    TextRequested,
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


UNREAD = "stdout is full: the process that started credproc did not read it in time"

#: Prefixes of the variables that botocore, urllib3 and the standard library read.
EMPTY_IS_UNSET = (
    *("AWS_", "BOTO", "CURL_", "REQUESTS_", "SSL"),
    *("HTTP_", "HTTPS_", "ALL_", "NO_PROXY"),
)


def main(argv: Sequence[str], environ: Mapping[str, str], in_background: bool = False) -> int:
    """Run credproc in a process of its own; return the exit status."""
    _open_standard_streams()
    _disable_core_dumps()
    supervision.on_signals()
    forget_empty(environ)
    # Despite PYTHONWARNINGS: a library's warning is not a failure, and stderr must stay empty.
    warnings.simplefilter("ignore")
    return respond(argv, environ, in_background)


def forget_empty(environ: Mapping[str, str]) -> None:
    """Remove variables that are set but empty: releases of botocore treat them differently.

    Some take an empty AWS_CA_BUNDLE, for example, as "do not verify".
    """
    if environ is os.environ:
        for name in [name for name, value in environ.items() if not value]:
            if name.upper().startswith(EMPTY_IS_UNSET):
                del os.environ[name]


def unread() -> int:
    """Report that a hit could not write its document in time; return the exit status."""
    say(UNREAD)
    return DeadlineExceeded.status


def write_rest(data: bytes) -> int:
    """Write the rest of a partly written document; return the exit status."""
    try:
        write(data)
    except CredprocError as error:
        say(clean(str(error)))
        return error.status
    return 0


def respond(argv: Sequence[str], environ: Mapping[str, str], in_background: bool = False) -> int:
    """Print what was requested and return the exit status; every error becomes one line here."""
    log = Log(environ.get("CREDPROC_LOG", ""), time.time)
    try:
        _answer(argv, environ, log, in_background)
    except TextRequested as text:
        return write_rest(str(text).encode())
    except CredprocError as error:
        return _failed(error, log)
    except MemoryError:
        raise  # __main__ reports it
    except Exception as error:
        failure = ProviderFailed(mistake(error))
        failure.__cause__ = error
        return _failed(failure, log)
    return 0


def _failed(error: CredprocError, log: Log) -> int:
    log.trace(error)
    line = clean(str(error), log.secrets)
    if isinstance(error, UsageError):
        line += " (see credproc --help)"
    log.record(line)
    unused = "; ".join(f"{name}: {why}" for name, why in log.unused.items())
    say(f"{line} ({log.fit(unused)})" if unused else line)
    return error.status


def _open_standard_streams() -> None:
    """Open descriptors that the caller closed, so that no file of ours becomes stdout."""
    for number, flags in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # the lowest free number; writing to the first two fails


def _disable_core_dumps() -> None:
    """Disable core dumps, which would contain secrets, for this process and its helpers."""
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    except (OSError, ValueError):
        pass  # some systems do not allow a limit to be lowered


def _answer(argv: Sequence[str], environ: Mapping[str, str], log: Log, in_background: bool) -> None:
    """Get the requested credentials and print them."""
    requested = invocation.parsed(argv)
    log.verbose = requested.verbose and not in_background
    recursion.check(requested, environ)
    deadline = Deadline(requested.timeout)
    store = Store("", requested.timeout)
    mfa = Mfa(
        requested.mfa_command, recursion.environment(environ, recursion.resolved(requested)), store
    )
    run = Run(environ, deadline, log, mfa, recursion.profiles(requested))
    run.mfa_session = requested.mfa_session
    run.introduce()
    requested = _witnessed(requested, argv, run)

    def work() -> cache.Entry:
        location.settle(store, requested, environ, log)
        refresher = refresh.Refresher(store, run, requested.refresh, in_background)
        made = providers(run, requested)
        key = _key(requested, argv, environ)
        try:
            return refresher.answer(key, made, partial(_render, requested))
        except (ProviderFailed, ProviderUnavailable) as error:
            implied = requested.providers == [Imds()] and "--imds" not in argv
            if not implied or NO_INSTANCE not in str(error):
                raise
            raise type(error)(f"{error}{ELSEWHERE}") from error

    entry = _supervised(work, store, run)
    if not in_background:
        _print(entry, deadline)
        if entry.key and not requested.no_cache and entry.judge(time.time()) == cache.AHEAD:
            background.start(
                store.path, entry, argv, lambda: main(argv, environ, in_background=True)
            )
    if store.written:
        _sweep(store, log, in_background)


def _witnessed(requested: Request, argv: Sequence[str], run: Run) -> Request:
    """Record the files and variables behind the arguments; return the request as parsed after."""
    run.witness_paths()
    for path in requested.files:
        run.witnesses.file(path)
    return invocation.parsed(argv) if requested.files else requested


def _supervised(work: Callable[[], cache.Entry], store: Store, run: Run) -> cache.Entry:
    """Return what ``work`` returns, within the deadline; then end every helper it started."""

    def before_end(signal: str) -> None:
        store.path = ""  # failures that come from ending helpers are not cached
        run.mfa.end()
        run.log.record(f"ended by {signal}")

    with supervision.calling(before_end, run.mfa.resume):
        try:
            return supervision.supervised(work, run.deadline, run.log)
        except DeadlineExceeded:
            store.path = ""
            raise
        finally:
            run.mfa.end()


def _key(requested: Request, argv: Sequence[str], environ: Mapping[str, str]) -> bytes:
    """Return the answer's cache key; b"" if --verbose is written in a form that a hit misses."""
    is_plain = not requested.verbose or any(word in answer.ONCE for word in argv)
    return answer.key(argv, environ) if is_plain else b""


def _print(entry: cache.Entry, deadline: Deadline) -> None:
    """Print an answer, unless it has expired."""
    if time.time() >= entry.expiration and not result.is_served_expired(entry):
        why = f": {entry.failure}" if entry.failure else ""
        raise ProviderFailed(f"the cached credentials expired during the refresh{why}")
    write(entry.document, deadline)


def _render(requested: Request, got: Credentials, expiration: int) -> bytes:
    """Return the credentials as they are printed, with the ``expiration`` to show."""
    document = credentials.document(got, expiration)
    if requested.field == "Arn":
        return credentials.arn_line(got)
    if requested.field:
        return credentials.field(document, requested.field)
    return credentials.formatted(document, requested.format)


def _sweep(store: Store, log: Log, in_background: bool) -> None:
    """Remove old files from the cache, once a day, in a detached process."""
    from credproc import sweep

    now = time.time()
    if not sweep.is_due(store, now):
        return
    if not in_background and processes.may_fork():
        try:
            background.detach(lambda: sweep.sweep(store, now, log))
            return
        except OSError:
            pass  # the process limit is reached, or there is no parent to reap the process
    sweep.sweep(store, now, log)


def write(data: bytes, deadline: Deadline | None = None) -> None:
    """Write all of the data to stdout; ProviderFailed if that fails."""
    try:
        while data:
            # A full pipe whose reader sleeps must not keep us past the deadline.
            patience = None if deadline is None else max(deadline.left(), 1)
            if not select.select([], [1], [], patience)[1]:
                raise DeadlineExceeded(UNREAD)
            data = data[os.write(1, data) :]
    except OSError as error:
        reason = "it is closed" if error.errno == errno.EBADF else error.strerror
        raise ProviderFailed(f"stdout cannot be written: {reason}") from error
