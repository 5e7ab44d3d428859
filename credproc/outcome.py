"""What a refresh came to, as an entry: an answer with its times, or a failure that others report.

Times are epoch seconds. Nothing here reads a clock or a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc import cache, credentials, windows
from credproc.errors import (
    CredprocError,
    DeadlineExceeded,
    NobodyToAsk,
    ProviderFailed,
    ProviderUnavailable,
    Remembered,
    clean,
    mistake,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from credproc.credentials import Credentials

#: Seconds. Long-term keys have no end, but a process that holds them should notice a rotation.
LONG_TERM = 3600
#: Failures that a run with other means need not share: a terminal, or more time.
NOBODY, LATE = "nobody to ask", "late"


def answered(
    identity: bytes,
    held: cache.Entry | None,
    got: Credentials,
    now: float,
    log: Callable[[str], None],
) -> cache.Entry:
    """Return the entry of credentials that came now: a new one, or what is held if nothing is."""
    entry = cache.Entry(identity)
    entry.provider = got.provider
    entry.issued = got.issued or int(now)
    entry.expiration = got.expiration or int(now) + LONG_TERM
    entry.document = credentials.document(got, entry.expiration)
    if not got.expiration:
        entry.request = b""  # never on the disk
    elif got.expiration <= now:  # IMDS's own, and nobody else's
        entry.look = windows.next_look(now, int(now) + 4 * windows.RETRY, windows.jitter())
    elif held and held.is_valid(now) and held.document == entry.document:
        log(f"{got.provider}: nothing newer than what is held")
        held.failure = ""
        held.look = _next_look(held, now)
        return held
    else:
        entry.ahead, entry.now = windows.windows(entry.issued, entry.expiration, got.draw())
        if got.person:
            entry.ahead = entry.now  # nobody is there in the background to type a code
    return entry


def failed(
    identity: bytes,
    held: cache.Entry | None,
    error: Exception,
    now: float,
    secrets: Iterable[str],
    seconds: float = 0,
) -> cache.Entry:
    """Return the entry that tells others of a failure: what is held, if it is valid, or only that.

    Either way nobody asks again before the next look. ``seconds`` are those that --timeout allowed.
    """
    if held and held.is_valid(now):
        entry = held
        entry.look = _next_look(held, now)
    else:
        entry = cache.Entry(identity)
        entry.provider = "failed"
        if isinstance(error, ProviderUnavailable):
            entry.provider = "doubt" if error.doubt else "unavailable"
        elif isinstance(error, NobodyToAsk):
            entry.provider = NOBODY
        elif isinstance(error, DeadlineExceeded):
            entry.provider = f"{LATE} {seconds:g}"
        if not isinstance(error, CredprocError) or error.remembered:
            entry.look = windows.forgotten(now, windows.jitter())
    entry.failure = clean(words(error), secrets)
    return entry


def words(error: Exception) -> str:
    """Return what to say of an error, foreseen or not."""
    return str(error) if isinstance(error, CredprocError) else mistake(error)


def _next_look(entry: cache.Entry, now: float) -> int:
    """Return when to look again for something newer than the entry.

    All entries of one set of credentials draw alike. Drawn one by one, an answer would come to its
    next look, in half of all cases, before its last hop does, and would find nothing newer there.
    """
    draw = int(cache.fingerprint(entry.document), 16) % 9973 / 9973
    return windows.next_look(now, entry.expiration, draw)


def concerns(entry: cache.Entry, can_ask: Callable[[], bool], seconds: float) -> bool:
    """Whether the failure that an entry holds would also be that of a run which can do this much.

    ``can_ask`` says whether it could get an MFA code; ``seconds`` are those that it may take.
    """
    if entry.provider == NOBODY:
        return not can_ask()
    kind, _, allowed = entry.provider.rpartition(" ")
    return kind != LATE or seconds <= float(allowed)


def recall(entry: cache.Entry, now: float, is_news: bool) -> None:
    """Raise the failure that an entry without a document holds, if it is of a moment ago.

    It is news if it came while this process waited for the one that failed: then it is also the
    answer here, so that a hundred waiters cost one failing call.
    """
    if entry.document or not entry.failure:
        return
    text = entry.failure
    if not is_news:
        if not now < entry.look <= windows.forgotten(now, 1):
            return
        seconds = round(entry.look - now) or 1
        text += f" (a moment ago; asked again in {seconds} s, or at once with --refresh)"
    if entry.provider in ("unavailable", "doubt"):
        raise ProviderUnavailable(text, doubt=entry.provider == "doubt")
    raise Remembered(text)


def credentials_of(entry: cache.Entry) -> Credentials:
    """Return the credentials of an entry as they were when they came."""
    found = credentials.from_document(entry.document, entry.provider)
    found.issued = entry.issued
    found.person = needs_person(entry)
    if not entry.request:
        found.expiration = 0
    return found


def needs_person(entry: cache.Entry) -> bool:
    """Whether somebody was asked for a code: then there is no window for refreshing ahead."""
    return 0 < entry.ahead == entry.now


def is_stable(entry: cache.Entry, now: float) -> bool:
    """Whether IMDS handed these credentials out a moment ago, when they had expired already."""
    return _has_outlived(entry) and entry.issued <= now < entry.look <= now + cache.MAX_PAUSE


def printed(entry: cache.Entry, now: float, log: Callable[[str], None]) -> bytes:
    """Return the document to print at ``now``: never one that has expired, as it is.

    The one exception to an expiration that has passed is IMDS's own (see static_stability).
    """
    if now < entry.expiration:
        return entry.document
    if not _has_outlived(entry):
        why = f": {entry.failure}" if entry.failure else ""
        raise ProviderFailed(f"what was held expired while newer credentials were asked for{why}")
    log("imds: serves credentials past their expiration; printed with 15 to 20 minutes from now")
    held = credentials.from_document(entry.document, entry.provider)
    return credentials.document(held, windows.static_stability(now, windows.jitter()))


def _has_outlived(entry: cache.Entry) -> bool:
    return entry.provider == "imds" and entry.issued >= entry.expiration
