"""A miss: lock, look again, ask the providers in order, keep the answer."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from credproc import cache, credentials, request, windows
from credproc.errors import (
    CredprocError,
    ProviderFailed,
    ProviderUnavailable,
    Remembered,
    RequestError,
    clean,
)
from credproc.store import release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from credproc.credentials import Credentials
    from credproc.providers import Deadline, Provider, Run
    from credproc.store import Store

    Fetch = Callable[[Run], Credentials]

#: Seconds. With valid credentials in hand nobody waits longer than this for newer ones.
PATIENCE = 10


class Refresher:
    """Gets what is asked for from the cache, or into it.

    ``anew`` disregards what is held (--refresh); ``background`` refreshes what is still fresh
    enough to be printed. ``now`` is the clock, in epoch seconds.
    """

    def __init__(
        self,
        store: Store,
        run: Run,
        anew: bool = False,
        background: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self.run = run
        self.log = run.log
        self.secrets = run.secrets
        self.anew = anew
        self.background = background
        self.now = now
        run.keeper = self._keep

    def answer(self, asked: request.Request, providers: Iterable[Provider]) -> cache.Entry:
        """Return the entry that answers a request: held, or got from its providers."""
        identity = request.identity(asked, self.run.environ)
        held = self.store.read(identity)
        verdict = held.judge(self.now()) if held else cache.ABSENT
        why = f": {self.store.trouble}" if self.store.trouble else ""
        self.log(f"cache: {verdict} ({self.store.path or 'off'}){why}")

        def is_enough(entry: cache.Entry) -> bool:
            now = self.now()
            if self.background:
                # The run that started this one has put the next look off, for everybody else.
                return entry.is_valid(now) and now < entry.ahead
            return entry.judge(now) in (cache.FRESH, cache.AHEAD) or _is_stable(entry, now)

        def fetch(run: Run) -> Credentials:
            return self._ask(providers, held, run)

        if held and not self.anew and is_enough(held):
            return held
        return self._renew(self.run, identity, held, fetch, is_enough, self.anew)

    def _keep(self, run: Run, identity: bytes, fetch: Fetch, anew: bool) -> Credentials:
        """Answer for something on the way: a chain's source, or one of its hops."""
        anew = anew or self.anew
        held = self.store.read(identity)

        def is_enough(entry: cache.Entry) -> bool:
            now = self.now()
            return entry.judge(now) == cache.FRESH or _is_stable(entry, now)

        if not held or anew or not is_enough(held):
            held = self._renew(run, identity, held, fetch, is_enough, anew)
        found = credentials.from_document(held.document, held.provider)
        found.issued = held.issued
        found.person = _needs_person(held)
        self.secrets += found.secrets()
        return found

    def _renew(
        self,
        run: Run,
        identity: bytes,
        held: cache.Entry | None,
        fetch: Fetch,
        is_enough: Callable[[cache.Entry], bool],
        anew: bool,
    ) -> cache.Entry:
        """Fetch under the lock, unless another process did so, or failed to, in the meantime.

        If that fails and something valid is held, it is the answer, and the next look is put off;
        not where new credentials were demanded.
        """
        if held and held.is_valid(self.now()) and not _needs_person(held) and not self.background:
            run = run.until(run.deadline.within(PATIENCE))
        try:
            with self._lock(identity, run.deadline):
                current = self.store.read(identity)
                if current and not anew:
                    if is_enough(current):
                        self.log("cache: another process has just refreshed it")
                        return current
                    self._raise_failure(current, is_news=current != held)
                return self._fetched(run, identity, held, fetch)
        except (ProviderUnavailable, ProviderFailed) as error:
            if held and held.is_valid(self.now()) and not anew:
                self.log(f"{error}: what is held stays valid until its end, and is the answer")
                return held
            raise

    def _raise_failure(self, entry: cache.Entry, is_news: bool) -> None:
        """Raise the failure that an entry holds, if it is of a moment ago.

        It is news if it came while this process waited for the one that failed: then it is also the
        answer here, so that a hundred waiters cost one failing call.
        """
        if entry.document or not entry.failure:
            return
        now = self.now()
        text = entry.failure
        if not is_news:
            if not now < entry.look <= now + 2 * windows.MEMORY + 1:
                return
            seconds = round(entry.look - now) or 1
            text += f" (a moment ago; asked again in {seconds} s, or at once with --refresh)"
        if entry.provider in ("unavailable", "doubt"):
            raise ProviderUnavailable(text, doubt=entry.provider == "doubt")
        raise Remembered(text)

    def _fetched(
        self, run: Run, identity: bytes, held: cache.Entry | None, fetch: Fetch
    ) -> cache.Entry:
        """Fetch and keep what came; a failure is kept too, for those who wait, and raised."""
        try:
            got = fetch(run)
            self.secrets += got.secrets()
            now = self.now()
            if got.expiration and got.expiration <= now and got.provider != "imds":
                raise ProviderFailed(
                    f"the credentials expired {int(now - got.expiration)} s before they arrived: "
                    "check this machine's clock"
                )
        except RequestError:
            raise
        except CredprocError as error:
            self._write(self._failed(identity, held, error))
            raise
        entry = self._entry(identity, held, got)
        self._write(entry)
        return entry

    def _entry(self, identity: bytes, held: cache.Entry | None, got: Credentials) -> cache.Entry:
        """Return the entry of what was fetched, with its times."""
        now = self.now()
        entry = cache.Entry(identity)
        entry.provider = got.provider
        entry.issued = got.issued or int(now)
        entry.expiration = got.expiration or int(now) + 3600
        entry.document = credentials.document(got, entry.expiration)
        if not got.expiration:
            # Long-term keys: an hour, so that a rotation is noticed; and never on the disk.
            entry.request = b""
            return entry
        if got.expiration <= now:
            entry.look = windows.next_look(now, int(now) + 4 * windows.RETRY, windows.jitter())
            return entry
        if held and held.is_valid(now) and held.document == entry.document:
            self.log(f"{got.provider}: nothing newer than what is held")
            held.failure = ""
            held.look = windows.next_look(now, held.expiration, windows.jitter())
            return held
        entry.ahead, entry.now = windows.windows(entry.issued, entry.expiration, got.draw())
        if got.person:
            entry.ahead = entry.now  # nobody is there in the background to type a code
        return entry

    def _failed(
        self, identity: bytes, held: cache.Entry | None, error: CredprocError
    ) -> cache.Entry:
        """Return the entry that tells others of a failure."""
        now = self.now()
        if held and held.is_valid(now):
            entry = held
            entry.look = windows.next_look(now, held.expiration, windows.jitter())
        else:
            entry = cache.Entry(identity)
            entry.provider = "failed"
            if isinstance(error, ProviderUnavailable):
                entry.provider = "doubt" if error.doubt else "unavailable"
            if error.remembered:
                entry.look = windows.forgotten(now, windows.jitter())
        entry.failure = clean(str(error), self.secrets)
        return entry

    def _write(self, entry: cache.Entry) -> None:
        """Keep an entry; whatever stands in the way of that costs nobody the credentials."""
        if not entry.request:
            return
        try:
            self.store.write(entry)
        except OSError as error:
            self.log(f"cache: not written: {error}")

    def _ask(
        self, providers: Iterable[Provider], held: cache.Entry | None, run: Run
    ) -> Credentials:
        """Ask the providers in order; only one that is unavailable moves on to the next."""
        reasons: list[str] = []
        for provider in providers:
            try:
                found = provider.retrieve(run)
            except ProviderUnavailable as error:
                reasons.append(f"{provider.name}: {error}")
                self.log(f"{provider.name}: unavailable: {error}")
                if error.doubt and self._holds(held, provider):
                    raise ProviderFailed("; ".join(reasons)) from error
            except ProviderFailed as error:
                reasons.append(f"{provider.name}: {error}")
                raise type(error)("; ".join(reasons)) from error
            else:
                until = credentials.write_time(found.expiration) if found.expiration else "revoked"
                self.log(f"{provider.name}: {found!r}, valid until {until}")
                return found
        raise ProviderFailed("; ".join(reasons))

    def _holds(self, held: cache.Entry | None, provider: Provider) -> bool:
        return held is not None and held.provider == provider.name and held.is_valid(self.now())

    @contextlib.contextmanager
    def _lock(self, identity: bytes, deadline: Deadline) -> Iterator[None]:
        """Hold the entry's lock; go on without where there can be none."""
        descriptor = None
        try:
            if self.store.path:
                self.store.make()
                descriptor = self.store.claim(identity)
                if descriptor is None:
                    descriptor = self._waited_for(identity, deadline)
        except OSError as error:
            self.log(f"cache: no lock: {error}")
        try:
            yield
        finally:
            release(descriptor)

    def _waited_for(self, identity: bytes, deadline: Deadline) -> int | None:
        """Wait for the lock; a third of the time is left for a call of one's own."""
        self.log("cache: waiting for another process")
        descriptor = self.store.wait(identity, deadline.remaining() * 2 / 3)
        if descriptor is None:
            self.log("cache: going on without the lock, which is held for too long")
        return descriptor


def _needs_person(entry: cache.Entry) -> bool:
    """Whether somebody was asked for a code: then there is no window for refreshing ahead."""
    return entry.ahead == entry.now


def _is_stable(entry: cache.Entry, now: float) -> bool:
    """Whether IMDS handed these credentials out when they had expired already, a moment ago."""
    return (
        entry.provider == "imds"
        and entry.issued >= entry.expiration
        and entry.issued <= now < entry.look
    )


def printed(entry: cache.Entry, now: float, log: Callable[[str], None]) -> bytes:
    """Return the document to print: never one that has expired, as it is.

    The one exception to an expiration that has passed is IMDS's own (see static_stability).
    """
    if now < entry.expiration:
        return entry.document
    if entry.provider != "imds" or entry.issued < entry.expiration:
        raise ProviderFailed("what was held expired while newer credentials were asked for")
    log("imds: serves credentials past their expiration; printed with 15 to 20 minutes from now")
    held = credentials.from_document(entry.document, entry.provider)
    return credentials.document(held, windows.static_stability(now, windows.jitter()))
