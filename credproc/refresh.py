"""A miss: lock, look again, ask the providers in order, keep the answer."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from credproc import cache, credentials, outcome, request
from credproc.errors import ProviderFailed, ProviderUnavailable, RequestError
from credproc.identity import of_request
from credproc.store import release
from credproc.supervision import supervised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from credproc.credentials import Credentials
    from credproc.providers import Provider
    from credproc.run import Run
    from credproc.store import Store

    Fetch = Callable[[Run], Credentials]
    IsEnough = Callable[[cache.Entry], bool]

#: Seconds. With valid credentials in hand nobody waits longer for newer ones: for a call of one's
#: own, and for another process's. The second outlasts the first, so that those who wait for a call
#: that hangs hear of it, and do not make it once more each.
ATTEMPT, PATIENCE = 6.0, 7.0


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
        identity = of_request(asked, self.run.environ)
        held = self.store.read(identity)
        verdict = held.judge(self.now()) if held else cache.ABSENT
        why = f": {self.store.trouble}" if self.store.trouble else ""
        self.log(f"cache: {verdict} ({self.store.path or 'off'}){why}")

        def fetch(run: Run) -> Credentials:
            return self._ask(providers, held, run)

        if held and not self.anew and self._is_enough(held):
            return held
        return self._renew(self.run, identity, held, fetch, self._is_enough, self.anew)

    def _is_enough(self, entry: cache.Entry) -> bool:
        now = self.now()
        if self.background:
            # The run that started this one has put the next look off, for everybody else.
            return entry.is_valid(now) and now < entry.ahead
        return entry.judge(now) in (cache.FRESH, cache.AHEAD) or outcome.is_stable(entry, now)

    def _keep(self, run: Run, identity: bytes, fetch: Fetch, anew: bool) -> Credentials:
        """Answer for something on the way: a chain's source, or one of its hops."""
        anew = anew or self.anew
        held = self.store.read(identity)

        def is_enough(entry: cache.Entry) -> bool:
            now = self.now()
            return entry.judge(now) == cache.FRESH or outcome.is_stable(entry, now)

        if not held or anew or not is_enough(held):
            held = self._renew(run, identity, held, fetch, is_enough, anew)
        found = outcome.credentials_of(held)
        self.secrets += found.secrets()
        return found

    def _renew(
        self,
        run: Run,
        identity: bytes,
        held: cache.Entry | None,
        fetch: Fetch,
        is_enough: IsEnough,
        anew: bool,
    ) -> cache.Entry:
        """Fetch under the lock, unless another process did so, or failed to, in the meantime.

        If that fails in whatever way and something valid is held, it is the answer, and the next
        look is put off; not where new credentials were demanded.
        """
        hurried = bool(held and self._is_hurried(held, anew))
        run = run.until(run.deadline)
        run.patient = run.patient and (anew or not (held and held.is_valid(self.now())))
        patience = run.deadline.left() * 2 / 3  # a third is left for a call of one's own
        try:
            with self._lock(identity, min(patience, PATIENCE) if hurried else patience):
                current = self.store.read(identity)
                found = self._found(current, held, is_enough, anew) if current else None
                if found:
                    return found
                held = current if current and current.document else held
                return self._fetched(run, identity, held, fetch, hurried)
        except Exception as error:
            if not held or not held.is_valid(self.now()) or anew:
                raise
            self.log(
                f"{outcome.words(error)}: what is held stays valid until its end, and is the answer"
            )
            self.log.trace(error)
            return held

    def _is_hurried(self, held: cache.Entry, anew: bool) -> bool:
        """Whether somebody waits who has valid credentials already, and is no part of getting
        newer ones."""
        waits = not self.background and not anew and not outcome.needs_person(held)
        return waits and held.is_valid(self.now())

    def _found(
        self, current: cache.Entry, held: cache.Entry | None, is_enough: IsEnough, anew: bool
    ) -> cache.Entry | None:
        """Return what another process kept while this one waited; raise the failure it kept."""
        is_news = current != held
        if anew:
            is_newer = current.document != (held.document if held else b"")
            return current if is_newer and is_enough(current) else None
        if is_news and current.failure and current.is_valid(self.now()):
            self.log(f"cache: another process could not refresh it: {current.failure}")
            return current
        if is_enough(current):
            self.log("cache: another process has just refreshed it")
            return current
        if outcome.concerns(current, self.run.mfa.can_ask, self.run.deadline.seconds):
            outcome.recall(current, self.now(), is_news)
        return None

    def _fetched(
        self,
        run: Run,
        identity: bytes,
        held: cache.Entry | None,
        fetch: Fetch,
        hurried: bool,
    ) -> cache.Entry:
        """Fetch and keep what came; a failure is kept too, for others, and raised."""
        try:
            got = self._hurry(run, fetch) if hurried else fetch(run)
            self.secrets += got.secrets()
            now = self.now()
            if got.expiration and got.expiration <= now and got.provider != "imds":
                raise ProviderFailed(
                    f"the credentials expired {int(now - got.expiration)} s before they arrived: "
                    "check this machine's clock"
                )
        except Exception as error:
            now = self.now()
            if not isinstance(error, RequestError) or (held and held.is_valid(now)):
                allowed = self.run.deadline.seconds
                self._write(outcome.failed(identity, held, error, now, self.secrets, allowed))
            raise
        entry = outcome.answered(identity, held, got, now, self.log)
        self._write(entry)
        return entry

    def _hurry(self, run: Run, fetch: Fetch) -> Credentials:
        """Fetch within ATTEMPT, also if that is stuck in what no time-out of its own ends."""
        hurried = run.until(run.deadline.within(ATTEMPT))
        return supervised(lambda: fetch(hurried), hurried.deadline, self.log)

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
                if error.doubt and held and self._may_be_of(provider, held):
                    raise ProviderFailed("; ".join(reasons)) from error
            except ProviderFailed as error:
                reasons.append(f"{provider.name}: {error}")
                raise type(error)("; ".join(reasons)) from error
            except RequestError as error:
                raise type(error)("; ".join([*reasons, str(error)])) from error
            else:
                until = credentials.write_time(found.expiration) if found.expiration else "revoked"
                self.log(f"{provider.name}: {found!r}, valid until {until}")
                return found
        raise ProviderFailed("; ".join(reasons))

    def _may_be_of(self, provider: Provider, held: cache.Entry) -> bool:
        """Whether what is held is valid and may have come from this provider.

        What a profile gives goes by many names: all but the instance's role may be its own.
        """
        is_own = held.provider == provider.name
        if provider.name not in ("imds", "chain"):
            is_own = held.provider != "imds"
        return is_own and held.is_valid(self.now())

    @contextlib.contextmanager
    def _lock(self, identity: bytes, patience: float) -> Iterator[None]:
        """Hold the entry's lock; go on without where there can be none, and after ``patience``."""
        descriptor = None
        try:
            if self.store.path:
                self.store.make()
                descriptor = self.store.claim(identity)
                if descriptor is None:
                    self.log("cache: waiting for another process")
                    descriptor = self.store.wait(identity, max(patience, 0))
                    if descriptor is None:
                        self.log("cache: going on without the lock, which is held for too long")
        except OSError as error:
            self.log(f"cache: no lock: {error}")
        try:
            yield
        finally:
            release(descriptor)
