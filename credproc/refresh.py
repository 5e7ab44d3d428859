"""A cache miss: lock, check the cache again, call the providers in order, cache the answer."""

from __future__ import annotations

import itertools
import time

from credproc import answer, cache, result, windows
from credproc.errors import (
    ProviderFailed,
    ProviderUnavailable,
    is_own,
    reason,
)
from credproc.item import Item
from credproc.providers import call
from credproc.supervision import supervised
from credproc.variables import CALLING
from credproc.waiting import Waiting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from credproc.credentials import Credentials
    from credproc.item import Fetch
    from credproc.providers import Provider
    from credproc.run import Run
    from credproc.store import Store

    #: Returns the document to print for credentials and the expiration to show.
    Render = Callable[[Credentials, int], bytes]

#: Seconds. With valid credentials in the cache, the longest that a run waits for newer ones: for
#: its own call, and for another process's. The second is longer, so that a process that waits for
#: a call that hangs learns of its failure instead of repeating it.
ATTEMPT, PATIENCE = 6.0, 7.0
#: How often a run may start again because the cache was cleared; each clearing counts twice.
RESTARTS = 4


class Refresher:
    """Gets credentials from the cache, or fetches them into it.

    ``force`` ignores cached credentials (--refresh); ``background`` refreshes credentials that are
    still fresh enough to be printed. ``now`` is the clock, in epoch seconds.
    """

    def __init__(
        self,
        store: Store,
        run: Run,
        force: bool = False,
        background: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self.run = run
        self.log = run.log
        self.secrets = run.secrets
        self.force = force
        self.background = background
        self.now = now
        self.waiting = Waiting(store, run.log, run.mfa.report_waiting, run.mfa.passes)
        #: The access keys that this run has fetched, and whether its answer has one of them.
        self.fetched: set[str] = set()
        self.is_new = False
        run.resolver = self._session

    def answer(self, key: bytes, providers: Iterable[Provider], render: Render) -> cache.Entry:
        """Return the answer for the key: the cached one, or a new one from the providers.

        An answer that cannot be cached, or whose key is b"", is returned but not cached.
        """
        providers, again = itertools.tee(providers)  # each provider is made when first needed
        found = self._answer(key, providers, render)
        for _ in range(RESTARTS):
            if self.is_new or not self.store.was_cleared():
                break
            # Once `cache clear` has finished, older credentials must not be printed either.
            self.log("cache: the cache was cleared meanwhile: starting again")
            self.store.generation = None
            again, providers = itertools.tee(again)
            found = self._answer(key, providers, render)
        return found

    def _answer(self, key: bytes, providers: Iterable[Provider], render: Render) -> cache.Entry:
        environ = self.run.environ
        self.is_new = False

        def read() -> cache.Entry | None:
            return answer.current(self.store.read(key), environ)

        def made(got: Credentials, cached: cache.Entry | None, now: float) -> cache.Entry:
            self.is_new = got.access_key in self.fetched or not got.expiration
            entry = result.fetched(key, None, got, now, self.log)
            shown = entry.expiration
            if result.is_served_expired(entry):
                self.log("imds: the credentials have expired; printed with 15 to 20 more minutes")
                shown = windows.static_stability(now, windows.jitter())
                entry.key = b""
            entry.document = render(got, shown)
            if cached and cached.document == entry.document and cached.is_valid(now):
                entry.look = result.retry_at(entry, now)
            return self._witnessed(entry)

        cached = read()
        verdict = cached.judge(self.now()) if cached else cache.ABSENT
        why = f": {reason(self.store.trouble)}" if self.store.trouble else ""
        self.log(f"cache: {verdict} ({self.store.path or 'off'}){why}")
        item = Item(
            read,
            lambda run: call(providers, run),
            made,
            self._is_enough,
            key,
            depends=True,
        )
        if cached and not self.force and self._is_enough(cached):
            return cached
        return self._renewed(self.run, item, cached, self.force)

    def _is_enough(self, entry: cache.Entry) -> bool:
        now = self.now()
        if self.background:
            # The run that started this one has set the retry time, which holds off other runs.
            return entry.is_valid(now) and now < entry.ahead
        return entry.judge(now) in (cache.FRESH, cache.AHEAD)

    def _witnessed(self, entry: cache.Entry) -> cache.Entry:
        """Add what the answer depends on; an answer that cannot be cached loses its key."""
        seen = self.run.witnesses
        entry.witnesses = seen.encoded(CALLING if entry.kind != cache.CREDENTIALS else ())
        result.record_use(entry, self.run.sessions, self.run.profiles)
        if entry.key and seen.unusual:
            self.log(f"cache: the answer is not cached: {seen.unusual}")
            entry.key = b""
        elif entry.key and seen.compare_all():
            self.log(f"cache: the answer is not cached: {seen.changed} changed during the run")
            entry.key = b""
        return entry

    def _session(
        self, run: Run, key: bytes, fetch: Fetch, force: bool, person: bool
    ) -> Credentials:
        """Return the credentials of a session: cached, or fetched into the cache."""
        force = force or self.force

        def read() -> cache.Entry | None:
            return self.store.read(key)

        def made(got: Credentials, cached: cache.Entry | None, now: float) -> cache.Entry:
            return result.fetched(key, cached, got, now, self.log)

        enough = (cache.FRESH,) if self.background else (cache.FRESH, cache.AHEAD)

        def is_enough(entry: cache.Entry) -> bool:
            now = self.now()
            return entry.judge(now) in enough or result.is_reusable_expired(entry, now)

        cached = read()
        if not cached or force or not is_enough(cached):
            item = Item(read, fetch, made, is_enough, key, person)
            cached = self._renewed(run, item, cached, force)
        found = result.credentials_of(cached)
        self.secrets += found.secrets()
        return found

    def _renewed(
        self, run: Run, item: Item, cached: cache.Entry | None, force: bool
    ) -> cache.Entry:
        """Fetch under the lock, unless another process fetched, or failed to, in the meantime.

        If fetching fails while the cached credentials are valid, return those and postpone the
        retry; but not with --refresh.
        """
        limited = bool(cached and self._limits_time(cached, force))
        deadline = run.deadline.within(PATIENCE) if limited else run.deadline
        run = run.until(run.deadline)
        run.patient = run.patient and (force or not (cached and cached.is_valid(self.now())))
        first = cached

        def look() -> cache.Entry | None:
            current = item.read()
            return self._found(item, current, first, force) if current else None

        try:
            with self.waiting.lock(item.key, deadline, look, item.person or limited) as seen:
                current = item.read()
                found = seen or (self._found(item, current, cached, force) if current else None)
                if found:
                    return found
                # A missing entry was cleared; for an unreadable one, keep what was read before.
                cached = current if current or not self.store.trouble else cached
                return self._fetched(run, item, cached, limited)
        except Exception as error:
            if not cached or not cached.is_valid(self.now()) or self.store.was_cleared():
                raise
            if force:
                if isinstance(error, ProviderUnavailable) and not error.certain:
                    raise ProviderFailed(str(error)) from error
                raise
            if isinstance(error, ProviderUnavailable) and error.certain:
                raise
            self.log(f"{result.words(error)}: using the cached credentials, which are still valid")
            self.log.trace(error)
            return cached

    def _limits_time(self, cached: cache.Entry, force: bool) -> bool:
        """Whether this run has valid credentials but refreshes them first, without a person."""
        waits = not self.background and not force and not cached.person
        return waits and cached.is_valid(self.now())

    def _found(
        self, item: Item, current: cache.Entry, cached: cache.Entry | None, force: bool
    ) -> cache.Entry | None:
        """Return what another process cached while this one waited, or raise its failure."""
        is_changed = current != cached
        if force:
            is_newer = current.document != (cached.document if cached else b"")
            return current if is_newer and item.is_enough(current) else None
        if is_changed and current.failure and current.is_valid(self.now()):
            self.log(f"cache: another process could not refresh it: {current.failure}")
            return current
        if item.is_enough(current):
            self.log("cache: another process has just refreshed it")
            return current
        run = self.run
        applies = result.applies_to(current, run.mfa.source, run.deadline.seconds)
        if applies and answer.unchanged(current.witnesses, run.environ):
            result.raise_cached_failure(current, self.now(), is_changed)
        return None

    def _fetched(
        self, run: Run, item: Item, cached: cache.Entry | None, limited: bool
    ) -> cache.Entry:
        """Fetch and cache credentials; a failure is raised, and cached too, for other runs."""
        try:
            got = self._fetch_within(run, item.fetch) if limited else item.fetch(run)
            self.secrets += got.secrets()
            now = self.now()
            if got.expiration and got.expiration <= now and got.provider != "imds":
                renewal = "the helper, which must renew them, and " * (got.provider == "process")
                late = f"the credentials expired {int(now - got.expiration)} s before they arrived"
                raise ProviderFailed(f"{late}: check {renewal}this machine's clock")
        except Exception as error:
            now = self.now()
            if not is_own(error) or (cached and cached.is_valid(now)):
                self._write_failure(item, cached, error, now)
            raise
        if not item.depends:
            self.fetched.add(got.access_key)
        entry = item.made(got, cached, now)
        self._write(entry)
        return entry

    def _write_failure(
        self, item: Item, cached: cache.Entry | None, error: Exception, now: float
    ) -> None:
        allowed, code_from = self.run.deadline.seconds, self.run.mfa.source
        entry = result.failed(item.key, cached, error, now, self.secrets, allowed, code_from)
        if entry is not cached and item.depends:
            self._witnessed(entry)
        elif entry is not cached:
            entry.witnesses = self.run.witnesses.encoded(CALLING)
        self._write(entry)

    def _fetch_within(self, run: Run, fetch: Fetch) -> Credentials:
        """Fetch within ATTEMPT, even if a call without a timeout of its own hangs."""
        limited = run.until(run.deadline.within(ATTEMPT))
        return supervised(lambda: fetch(limited), limited.deadline, self.log)

    def _write(self, entry: cache.Entry) -> None:
        """Cache an entry; if that fails, the user still gets the credentials."""
        if not entry.key:
            return
        if self.run.witnesses.changed:
            self.log(f"cache: not written: {self.run.witnesses.changed} has changed meanwhile")
            return
        try:
            self.store.write(entry)
        except OSError as error:
            self.log(f"cache: not written: {reason(error)}")
