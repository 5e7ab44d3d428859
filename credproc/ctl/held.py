"""What the cache directory holds, as people see it: entries with their purpose, and other files."""

from __future__ import annotations

import errno
import functools
import hashlib
import os
from typing import TYPE_CHECKING

from credproc import cache, credentials
from credproc.ctl import identity
from credproc.ctl.commandline import discreet, shown
from credproc.ctl.output import span
from credproc.ctl.steps import Failed
from credproc.errors import CredprocError, RequestError, masked
from credproc.identity import join
from credproc.outcome import needs_person
from credproc.store import ENTRY, Store, is_ours

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from credproc.ctl.plan import Plan


#: What may be done with an entry, in a word or two.
STATES = {
    cache.FRESH: "fresh",
    cache.AHEAD: "refresh due",
    cache.NOW: "refresh now",
    cache.EXPIRED: "expired",
    cache.ABSENT: "failed",
}


class Held:
    """An entry in the cache; without ``entry`` a file that is none, and ``trouble`` says why."""

    def __init__(self, name: str, entry: cache.Entry | None, trouble: str = "") -> None:
        self.name = name
        self.entry = entry
        self.trouble = trouble

    @property
    def id(self) -> str:
        """A short name; entries of requests that differ little have similar file names."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:8]

    @functools.cached_property
    def purpose(self) -> identity.Purpose:
        """What the entry is kept for."""
        return identity.read(self.entry.request if self.entry else b"")

    @property
    def words(self) -> list[str]:
        """What it is for: options of credproc, or the role or the source on the way of a chain."""
        purpose = self.purpose
        if purpose.kind == identity.REQUEST:
            return identity.words(purpose.providers)
        if purpose.kind == identity.HOP:
            return identity.hop_words(purpose.hops[-1])
        return ["--source", purpose.source] if purpose.kind == identity.SOURCE else []

    @functools.cached_property
    def document(self) -> credentials.Credentials | None:
        """The credentials; None if the entry holds nothing but a failure."""
        if self.entry is None or not self.entry.document:
            return None
        try:
            return credentials.from_document(self.entry.document, self.entry.provider)
        except (CredprocError, ValueError, KeyError, TypeError):
            return None

    def state(self, now: float) -> str:
        """Say what may be done with it now."""
        if self.entry is None:
            return self.trouble
        if not self.entry.document:
            return "failed"
        verdict = self.entry.judge(now)
        return verdict + (", last refresh failed" if self.entry.failure else "")

    def data(self, now: float) -> dict[str, Any]:
        """Return it for machines: never a secret."""
        found: dict[str, Any] = {"id": self.id, "file": self.name}
        if self.entry is None:
            return {**found, "trouble": self.trouble}
        entry, document = self.entry, self.document
        times = ("issued", "ahead", "now", "look", "expiration")
        return {
            **found,
            "kind": self.purpose.kind,
            "for": discreet(self.words),
            "provider": entry.provider,
            "state": self.state(now),
            "access_key": masked(document.access_key) if document else None,
            "account": (document.account_id or None) if document else None,
            **{name: moment(getattr(entry, name)) for name in times},
            "failure": entry.failure or None,
        }


def moment(seconds: int) -> str | None:
    """Return epoch seconds as UTC, None for a time that is not set."""
    return credentials.write_time(seconds) if seconds else None


def when(seconds: int, now: float) -> str:
    """Return a time as people want it: in UTC, and how far away it is."""
    distance = span(seconds - now)
    return f"{moment(seconds)} ({f'in {distance}' if seconds > now else f'{distance} ago'})"


def renewal(entry: cache.Entry, now: float, since: float) -> list[str]:
    """Say how an entry is refreshed, and from when on, as far as that begins after ``since``."""
    steps = [("in the background", entry.ahead), ("before printing", entry.now)]
    if needs_person(entry):  # who is asked by runs that wait for the answer, and by no others
        steps = [("before printing, with a new MFA code,", entry.now)]
    return [f"{how} from {when(begin, now)}" for how, begin in steps if begin > since]


def listed(store: Store) -> list[str]:
    """Return the names of all files in the cache directory; none if it is not there."""
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


def held(store: Store) -> list[Held]:
    """Return what every file that is named like an entry holds, or why it holds none."""
    found = []
    for name in listed(store):
        if name.endswith(ENTRY) and is_ours(name):
            entry = store.load(name)
            if entry is not None and name != cache.fingerprint(entry.request) + ENTRY:
                found.append(Held(name, None, "holds the entry of another file"))
            elif entry is not None or store.trouble:
                found.append(Held(name, entry, _trouble(store.trouble)))
            # Without either it has just been removed.
    return found


def _trouble(error: Exception | None) -> str:
    """Return in words why a file is no entry."""
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return "a symbolic link, which is not followed"
    return getattr(error, "strerror", None) or str(error or "")


def foreign(store: Store) -> list[str]:
    """Return the names of files that credproc never made."""
    return [name for name in listed(store) if not is_ours(name)]


def serves(item: Held, plans: Sequence[Plan]) -> bool:
    """Whether an entry is the answer to these providers, or lies on the way to it."""
    purpose = item.purpose
    if purpose.kind == identity.REQUEST:
        return purpose.providers == [plan.provider for plan in plans]
    return any(on_the_way(item, plan) for plan in plans)


def on_the_way(item: Held, plan: Plan) -> bool:
    """Whether an entry holds the source, or one of the roles, of a plan."""
    purpose = item.purpose
    if not plan.source or purpose.source != plan.source:
        return False
    depth = len(purpose.hops)
    return purpose.kind == identity.SOURCE or (
        purpose.kind == identity.HOP and purpose.hops == plan.hops[:depth]
    )


def described(item: Held) -> str:
    """Return what an entry is for as one line, without what is nobody else's business."""
    purpose = item.purpose
    if purpose.kind == identity.REQUEST:
        return shown(["credproc", *item.words]).partition(" ")[2]
    if purpose.kind == identity.HOP:
        return f"role {len(purpose.hops)}: {' '.join(discreet(item.words)[1:])}"
    if purpose.kind == identity.SOURCE:
        return f"source {purpose.source}"
    return "(of another version of credproc)"


def one(items: Sequence[Held], text: str) -> Held:
    """Return the entry whose id, or the beginning of whose file name, is given."""
    found = [item for item in items if item.id == text or item.name.startswith(text)]
    if len(found) != 1:
        problem = "is more than one entry's" if found else "is no entry's id"
        raise RequestError(f"{text} {problem}: see `credprocctl cache list`")
    return found[0]


def is_current(item: Held, environ: Mapping[str, str]) -> bool:
    """Whether a run in this environment would find the role or the source that an entry holds.

    Variables and config files belong to an identity: whatever changed there makes entries others.
    """
    from credproc.providers.chain import beginning  # botocore, 150 ms
    from credproc.providers.source import Source

    if item.entry is None:
        return False
    source = Source(item.purpose.source)
    if item.purpose.kind == identity.SOURCE:
        return item.entry.request == source.identity(environ)
    start = join(beginning(source, environ))
    return item.entry.request.startswith(start + b"\0")
