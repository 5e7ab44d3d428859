"""Refreshes in process: a store of the test's own, a clock that it moves, providers it invents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc import answer, cache, credentials, result
from credproc.credentials import Credentials, from_document
from credproc.deadline import Deadline
from credproc.errors import (
    CodeNotGiven,
    ProviderFailed,
    ProviderUnavailable,
    RequestError,
    SourceRejected,
)
from credproc.mfa import Mfa
from credproc.refresh import Refresher
from credproc.run import Run
from credproc.store import Store
from tests.runs import Clock, Hurry, RecordedLog

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from credproc.cache import Entry
    from credproc.providers import Provider

HOUR = 3600

#: Seconds that are left of an hour's credentials in each state; "absent" is not cached at all.
LEFT = {"fresh": 3000, "ahead": 1500, "now": 600, "expired": 0}

#: Each way in which a provider can fail.
FAILURES: dict[str, type[Exception]] = {
    "unavailable": ProviderUnavailable,
    "failed": ProviderFailed,
    "rejected": SourceRejected,
    "no code": CodeNotGiven,
    "config": RequestError,
    "mistake": ZeroDivisionError,
}


class Gives:
    """A provider that gives these answers one after the other, the last again and again."""

    def __init__(self, *answers: Credentials | Exception, name: str = "chain") -> None:
        self.name = name
        self.answers = list(answers)
        self.calls = 0

    def retrieve(self, run: Run) -> Credentials:
        """Give the next answer."""
        self.calls += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Caches:
    """A provider whose credentials are those of a session, got from another provider."""

    name = "chain"

    def __init__(self, name: str, source: Provider, force: bool = False) -> None:
        self.key = name.encode()
        self.source = source
        self.force = force

    def retrieve(self, run: Run) -> Credentials:
        """Return the session's credentials."""
        return run.session(self.key, self.source.retrieve, self.force)


class World:
    """One user's cache and clock, and a request."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        #: The clock of deadlines.
        self.hurry = Hurry()
        self.store = Store(str(folder / "cache"))
        self.log = RecordedLog(self.clock)
        self.key = answer.key([], {})
        self.issued = 0

    def credentials(
        self, seconds: int = HOUR, provider: str = "chain", name: str = ""
    ) -> Credentials:
        """Return new credentials that expire in so many seconds."""
        self.issued += 1
        key = name or f"ASIA{self.issued:016d}"
        end = int(self.clock.now) + seconds
        return Credentials(key, f"secret-of-{key}", f"token-of-{key}", end, provider=provider)

    def put(
        self,
        state: str,
        key: bytes = b"",
        *,
        lifetime: int = HOUR,
        provider: str = "chain",
        person: bool = False,
    ) -> Entry | None:
        """Put an entry of that lifetime and state into the cache."""
        self.store.make()
        if state == "absent":
            return None
        now = self.clock.now
        got = self.credentials(LEFT[state] * lifetime // HOUR, provider)
        got.issued, got.person = got.expiration - lifetime, person
        entry = result.fetched(key or self.key, None, got, got.issued, self.log)
        entry.look = min(entry.look, int(now))
        self.store.write(entry)
        return self.store.read(entry.key)

    def cached(self, key: bytes = b"") -> Entry | None:
        """Return the cached entry."""
        return self.store.read(key or self.key)

    def remove(self) -> None:
        """Remove the answer from the cache."""
        self.store.remove(f"{cache.fingerprint(self.key)}.entry")

    def says(self, cached: Entry | None, word: str) -> Credentials | Exception:
        """Return what a provider gives: new credentials, nothing newer, or an error."""
        if word == "success":
            return self.credentials()
        if word != "nothing":
            return failure(word.replace("-", " "))
        assert cached
        return from_document(cached.document, cached.provider)

    def refresher(
        self,
        *,
        force: bool = False,
        background: bool = False,
        seconds: float = 30,
        store: Store | None = None,
    ) -> Refresher:
        """Return what one run refreshes with."""
        run = Run({}, Deadline(seconds, self.hurry), self.log, Mfa("", {}))
        return Refresher(store or self.store, run, force, background, self.clock)

    def answer(self, *providers: Provider, force: bool = False, background: bool = False) -> Entry:
        """Return what one run is answered."""
        return self.refresher(force=force, background=background).answer(
            self.key, providers, credentials.document
        )


def failure(kind: str, text: str = "it broke") -> Exception:
    """Return the error of that kind; that another provider is certain to apply is its own."""
    if kind == "certain":
        return ProviderUnavailable(text, certain=True)
    return FAILURES[kind](text)


def rows(table: str) -> Iterable[list[str]]:
    """Return the rows of a table in plain text, without its head."""
    return [line.split() for line in table.strip().splitlines()[1:]]
