"""The contents of the cache directory, for display: answers, sessions, and other files."""

from __future__ import annotations

import errno
import functools
import hashlib
import os
from typing import TYPE_CHECKING

from credproc import answer, cache, credentials, result, session
from credproc.ctl import sessions
from credproc.ctl.commandline import redacted, shown
from credproc.ctl.output import span
from credproc.ctl.steps import Failed
from credproc.errors import CredprocError, RequestError, masked
from credproc.store import ENTRY, Store, is_ours

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from credproc.session import Parts

#: The kinds of entries.
ANSWER, SESSION, UNKNOWN = "answer", "session", "unknown"

#: The states of an entry, for display; no run uses an entry that is STALE or an ORPHAN.
STATES = {
    cache.FRESH: "fresh",
    cache.AHEAD: "refresh due",
    cache.NOW: "refresh now",
    cache.EXPIRED: "expired",
    cache.ABSENT: "failed",
}
STALE, ORPHAN, UNREADABLE = "stale", "orphaned", "unreadable"


class Cached:
    """A file of the cache that is named like an entry; ``trouble`` says why it is not one.

    ``unused`` is STALE if the entry can no longer be used, ORPHAN if no answer needs it, and
    ``changed`` says in words what has changed.
    """

    def __init__(self, name: str, entry: cache.Entry | None, trouble: str = "") -> None:
        self.name = name
        self.entry = entry
        self.trouble = trouble
        self.unused = ""
        self.changed: list[str] = []
        #: The profiles that run it, or that it was fetched for.
        self.profiles: list[str] = []

    @property
    def stem(self) -> str:
        """The file name without its ending."""
        return self.name.removesuffix(ENTRY)

    @property
    def id(self) -> str:
        """A short id: the file names of similar command lines are hard to tell apart."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:8]

    @functools.cached_property
    def words(self) -> list[str] | None:
        """An answer's arguments; None for anything else."""
        try:
            return answer.words(self.entry.key) if self.entry else None
        except ValueError:
            return None

    @functools.cached_property
    def parts(self) -> Parts | None:
        """The parts of a session's key; None for anything else."""
        try:
            return session.parts(self.entry.key) if self.entry else None
        except ValueError:
            return None

    @property
    def kind(self) -> str:
        """ANSWER, SESSION, or UNKNOWN."""
        if self.words is not None:
            return ANSWER
        return UNKNOWN if self.parts is None else SESSION

    @functools.cached_property
    def about(self) -> dict[str, Any]:
        """The entry's description for people: ARN, profiles and the like."""
        return result.about(self.entry) if self.entry else {}

    @property
    def failed(self) -> bool:
        """Whether it is a cached failure, without credentials."""
        return self.entry is not None and not self.entry.document

    @functools.cached_property
    def document(self) -> credentials.Credentials | None:
        """The credentials; None for a failure, and for an answer in another format."""
        if self.entry is None or not self.entry.document:
            return None
        try:
            return credentials.from_document(self.entry.document, self.entry.provider)
        except (CredprocError, ValueError, KeyError, TypeError):
            return None

    @property
    def described(self) -> str:
        """Its description in one line, without private values."""
        if self.words is not None:
            return shown(["credproc", *self.words])
        if self.parts is not None:
            return sessions.described(self.parts, str(self.about.get("role", "")))
        return self.name

    def state(self, now: float) -> str:
        """Return its state now, in a word or two."""
        if self.entry is None:
            return UNREADABLE
        found = STATES[self.entry.judge(now)]
        if self.failed or found == "expired":
            return found
        return (self.unused or found) + (" (failing)" if self.entry.failure else "")

    def data(self, now: float) -> dict[str, Any]:
        """Return it as data for JSON; never a secret."""
        found: dict[str, Any] = {"id": self.id, "file": self.name}
        if self.entry is None:
            return {**found, "state": UNREADABLE, "trouble": self.trouble}
        entry, document = self.entry, self.document
        times = ("issued", "ahead", "now", "look", "expiration")
        return {
            **found,
            "kind": self.kind,
            "for": redacted(self.words) if self.words is not None else self.described,
            "provider": entry.provider,
            "state": self.state(now),
            "changed": self.changed,
            "access_key": masked(document.access_key) if document else None,
            "account": (document.account_id or None) if document else None,
            "arn": self.about.get("arn"),
            "profiles": self.profiles,
            **{name: moment(getattr(entry, name)) for name in times},
            "failure": entry.failure or None,
        }


def moment(seconds: int) -> str | None:
    """Return epoch seconds as UTC, None for a time that is not set."""
    return credentials.write_time(seconds) if seconds else None


def when(seconds: int, now: float) -> str:
    """Return a time for people: in UTC, and how far away it is."""
    distance = span(seconds - now)
    return f"{moment(seconds)} ({f'in {distance}' if seconds > now else f'{distance} ago'})"


def renewal(entry: cache.Entry, now: float, since: float) -> list[str]:
    """Say how an entry is refreshed and from when on, if that begins after ``since``."""
    steps = [("in the background", entry.ahead), ("before printing", entry.now)]
    if entry.person:  # only a run that waits for the credentials prompts for a code
        steps = [("before printing, with a new MFA code,", entry.now)]
    return [f"{how} from {when(begin, now)}" for how, begin in steps if begin > since]


def names(store: Store) -> list[str]:
    """Return the names of all files in the cache directory; none if it does not exist."""
    try:
        folder = store.open()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Failed(f"the cache is not used: {error}") from error
    try:
        return sorted(os.listdir(folder))
    finally:
        os.close(folder)


def cached(store: Store) -> list[Cached]:
    """Return every file that is named like an entry, with its entry or why it has none."""
    found = []
    for name in names(store):
        if name.endswith(ENTRY) and is_ours(name):
            entry = store.load(name)
            if entry is not None and name != cache.fingerprint(entry.key) + ENTRY:
                found.append(Cached(name, None, "contains the entry of another file"))
            elif entry is not None or store.trouble:
                found.append(Cached(name, entry, _trouble(store.trouble)))
            # Otherwise it has just been removed.
    return found


def _trouble(error: Exception | None) -> str:
    """Say why a file is not an entry."""
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return "a symbolic link, which is not followed"
    return getattr(error, "strerror", None) or str(error or "")


def foreign(store: Store) -> list[str]:
    """Return the names of files that credproc did not create."""
    return [name for name in names(store) if not is_ours(name)]


def one(items: Sequence[Cached], text: str) -> Cached:
    """Return the entry with this id, or whose file name begins so."""
    found = [item for item in items if item.id == text or item.name.startswith(text)]
    if len(found) != 1:
        problem = "matches more than one entry" if found else "is not the id of a cached entry"
        raise RequestError(f"{text} {problem}: see `credprocctl cache list --all`")
    return found[0]
