"""The result of a refresh as a cache entry: credentials with their times, or a shared failure.

Times are epoch seconds. Nothing here reads a clock or a file.
"""

from __future__ import annotations

import json

from credproc import cache, credentials, windows
from credproc.errors import (
    CachedFailure,
    CodeNotGiven,
    CredprocError,
    DeadlineExceeded,
    ProviderUnavailable,
    clean,
    mistake,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from credproc.credentials import Credentials

#: Seconds. Long-term keys never expire, but a process that uses them should notice a rotation.
LONG_TERM = 3600
#: The provider name of an MFA session; seconds before its end in which it assumes no more roles.
MFA_SESSION, MOMENT = "mfa-session", 60


def fetched(
    key: bytes,
    cached: cache.Entry | None,
    got: Credentials,
    now: float,
    log: Callable[[str], None],
) -> cache.Entry:
    """Return the entry for credentials fetched now: a new one, or the cached one if it is the same.

    An entry without a key is never written to disk.
    """
    entry = cache.Entry(key)
    entry.provider = got.provider
    entry.person = got.person
    entry.issued = got.issued or int(now)
    entry.expiration = got.expiration or int(now) + LONG_TERM
    entry.document = credentials.document(got, entry.expiration)
    details = {name: value for name, value in (("arn", got.arn), ("role", got.role)) if value}
    if details:
        entry.about = json.dumps(details).encode()
    if not got.expiration:
        entry.key = b""
    elif got.expiration <= now:  # only from IMDS, which serves expired credentials in an outage
        entry.look = windows.retry_at(now, int(now) + 4 * windows.RETRY, windows.jitter())
    elif cached and cached.is_valid(now) and cached.document == entry.document:
        log(f"{got.provider}: nothing newer than the cached credentials")
        cached.failure = ""
        cached.look = retry_at(cached, now)
        return cached
    else:
        entry.ahead, entry.now = windows.windows(entry.issued, entry.expiration, got.draw())
        if got.provider == MFA_SESSION:
            # It only signs calls, which take a moment, so it can be used until its last minute.
            entry.ahead = entry.now = max(entry.issued, entry.expiration - MOMENT)
        elif got.person:
            entry.ahead = entry.now  # a background refresh cannot prompt for a code
    return entry


def failed(
    key: bytes,
    cached: cache.Entry | None,
    error: Exception,
    now: float,
    secrets: Iterable[str],
    seconds: float = 0,
    code_from: Callable[[], str] = str,
) -> cache.Entry:
    """Return the entry that tells other runs of a failure: the cached one, if it is valid.

    Either way no run tries again before the retry time. ``seconds`` is the run's --timeout,
    ``code_from`` says where it gets MFA codes from.
    """
    if cached and cached.is_valid(now):
        entry = cached
        entry.look = retry_at(cached, now)
    else:
        entry = cache.Entry(key)
        entry.kind = _kind(error)
        if entry.kind in (cache.LATE, cache.NO_CODE):
            entry.allowed = int(seconds)
        if entry.kind == cache.NO_CODE:
            entry.about = json.dumps({"code_from": code_from()}).encode()
        if not isinstance(error, CredprocError) or error.cacheable:
            entry.look = windows.failure_expiry(now, windows.jitter())
    entry.failure = clean(words(error), secrets)
    return entry


def _kind(error: Exception) -> str:
    if isinstance(error, ProviderUnavailable):
        return cache.UNAVAILABLE
    if isinstance(error, CodeNotGiven):
        return cache.NO_CODE
    return cache.LATE if isinstance(error, DeadlineExceeded) else cache.FAILED


def words(error: Exception) -> str:
    """Return the message for an error, expected or not."""
    return str(error) if isinstance(error, CredprocError) else mistake(error)


def retry_at(entry: cache.Entry, now: float) -> int:
    """Return when to look again for something newer than the entry.

    All entries of one set of credentials get the same draw. With separate draws, an answer would in
    half of all cases look before its last hop does, and find nothing newer there.
    """
    draw = entry.expiration % 97 / 97
    return windows.retry_at(now, entry.expiration, draw)


def applies_to(entry: cache.Entry, code_from: Callable[[], str], seconds: float) -> bool:
    """Whether a cached failure would also happen to this run.

    ``code_from`` says where the run gets MFA codes from; ``seconds`` is its --timeout.
    """
    if entry.kind in (cache.LATE, cache.NO_CODE) and seconds > entry.allowed:
        return False
    return entry.kind != cache.NO_CODE or about(entry).get("code_from") == code_from()


def raise_cached_failure(entry: cache.Entry, now: float, while_waiting: bool) -> None:
    """Raise the failure of an entry without a document, if it is only a few seconds old.

    With ``while_waiting``, this process was waiting for the one that failed: then the failure is
    raised in any case, so that a hundred waiters make one failing call.
    """
    if entry.document or not entry.failure:
        return
    text = entry.failure
    if not while_waiting:
        if not now < entry.look <= windows.failure_expiry(now, 1):
            return
        seconds = round(entry.look - now) or 1
        text += f" (cached failure; retried in {seconds} s, or at once with --refresh)"
    if entry.kind == cache.UNAVAILABLE:
        raise ProviderUnavailable(text)
    raise CachedFailure(text)


def credentials_of(entry: cache.Entry) -> Credentials:
    """Return the credentials in a session's entry, as they were when fetched."""
    found = credentials.from_document(entry.document, entry.provider)
    found.issued = entry.issued
    found.person = entry.person
    details = about(entry)
    found.arn, found.role = str(details.get("arn", "")), str(details.get("role", ""))
    if not entry.key:
        found.expiration = 0
    return found


def record_use(entry: cache.Entry, sessions: Iterable[bytes], profiles: Iterable[str]) -> None:
    """Record in an answer, for display, its sessions and the profiles that were read."""
    details = about(entry)
    details["sessions"] = list(dict.fromkeys(map(cache.fingerprint, sessions)))
    details["profiles"] = list(profiles)
    entry.about = json.dumps(details).encode()


def about(entry: cache.Entry) -> dict[str, Any]:
    """Return an entry's details: ``arn`` and ``role`` of credentials, ``sessions`` and ``profiles``
    of an answer, ``code_from`` of a failure to get an MFA code."""
    try:
        found = json.loads(entry.about or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def is_reusable_expired(entry: cache.Entry, now: float) -> bool:
    """Whether IMDS served these credentials a moment ago, although they had already expired."""
    return is_served_expired(entry) and entry.issued <= now < entry.look <= now + cache.MAX_PAUSE


def is_served_expired(entry: cache.Entry) -> bool:
    """Whether these are credentials that IMDS served past their expiration."""
    return entry.provider == "imds" and bool(entry.document) and entry.issued >= entry.expiration
