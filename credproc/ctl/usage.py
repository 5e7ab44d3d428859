"""Which answers need which sessions, which profiles need them, and which entries are unused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from credproc import recursion
from credproc.cache import fingerprint
from credproc.ctl import sessions, shared, witnesses
from credproc.ctl.cached import ANSWER, ORPHAN, SESSION, STALE, Cached
from credproc.errors import CredprocError
from credproc.session import key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from credproc.run import Run


class Usage:
    """The relations between the entries of a cache.

    ``run`` makes a run, whose environment decides what is needed today; nothing is fetched.
    """

    def __init__(self, items: Sequence[Cached], run: Callable[[], Run]) -> None:
        self.items = items
        self.answers = [item for item in items if item.kind == ANSWER]
        self._sessions = {item.stem: item for item in items if item.kind == SESSION}
        self._run = run
        self._needs = {item.name: self._needed(item) for item in self.answers}
        self._judge()
        self._name_profiles()

    @property
    def sessions(self) -> list[Cached]:
        """The cached sessions."""
        return list(self._sessions.values())

    def needs(self, item: Cached) -> list[tuple[Cached, int]]:
        """Return the cached sessions that an answer needs, or that a session is made from.

        Each with its depth: 1 for what is printed, more for what that is made from.
        """
        stems = self._needs.get(item.name, list(_chain(item))[1:])
        found = [self._sessions[stem] for stem in stems if stem in self._sessions]
        most = max((_length(each) for each in found), default=0)
        return [(each, 1 + most - _length(each)) for each in found]

    def users(self, item: Cached) -> list[Cached]:
        """Return the answers that need a session."""
        return [each for each in self.answers if item.stem in self._needs[each.name]]

    def made_from(self, item: Cached) -> list[Cached]:
        """Return the sessions that were made from a session."""
        return [each for each in self.sessions if item.stem in list(_chain(each))[1:]]

    def of_profile(self, name: str, needed: Iterable[str]) -> list[Cached]:
        """Return what a profile uses: the file stems it needs today, and what its answers need."""
        answers = [item for item in self.answers if name in (*item.profiles, *_read(item))]
        stems = {stem for item in answers for stem in self._needs[item.name]} | set(needed)
        return [item for item in self.items if item in answers or item.stem in stems]

    def _needed(self, item: Cached) -> list[str]:
        """Return the file stems of the sessions that an answer was made from."""
        listed = item.about.get("sessions")
        found: dict[str, None] = {}
        for stem in listed if isinstance(listed, list) else []:
            found[stem] = None
            if stem in self._sessions:
                found |= dict.fromkeys(_chain(self._sessions[stem]))
        return list(found)

    def _judge(self) -> None:
        """Mark entries that can no longer be used: answers by witnesses, sessions by keys.

        A session of a stale answer is still used if its command line needs the same one today.
        """
        used: set[str] = set()
        for item in self.answers:
            assert item.entry is not None  # noqa: S101  # for the type checker; it has words
            item.changed = witnesses.changes(item.entry.witnesses, os.environ, anywhere=True)
            if not item.changed:
                used |= set(self._needs[item.name])
                continue
            item.unused = STALE
            used |= sessions.reachable(self._run(), item.words or [])
        wanted = {stem for stems in self._needs.values() for stem in stems}
        for session in self.sessions:
            if session.stem not in used:
                is_stale = session.stem in wanted or sessions.is_elsewhere(session.parts or {})
                session.unused = STALE if is_stale else ORPHAN

    def _name_profiles(self) -> None:
        try:
            commands = shared.load(os.environ).commands()
        except CredprocError:
            commands = {}  # the config cannot be read: the cache is shown without profiles
        for item in self.answers:
            own = [name for name, argv in commands.items() if argv == item.words]
            try:
                described = recursion.resolved(shared.parsed(item.words or []))
            except CredprocError:
                described = []  # written by a version with other options
            item.profiles = list(dict.fromkeys([*own, *described]))
        for session in self.sessions:
            session.profiles = list(
                dict.fromkeys(name for user in self.users(session) for name in user.profiles)
            )


def _read(item: Cached) -> list[str]:
    """Return the profiles that were read for an answer; among them those of its source."""
    listed = item.about.get("profiles")
    return listed if isinstance(listed, list) else []


def _chain(item: Cached) -> Iterator[str]:
    """Yield the file stems of a session and of those that it is made from."""
    return (fingerprint(key(parts)) for parts in sessions.chain(item.parts or {}))


def _length(item: Cached) -> int:
    return sum(1 for _ in sessions.chain(item.parts or {}))
