"""Something that is cached and refreshed: an answer or a session."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from credproc.cache import Entry
    from credproc.credentials import Credentials
    from credproc.run import Run

    Fetch = Callable[[Run], Credentials]


class Item:
    """An answer or a session: how it is read, fetched, and made into an entry.

    ``made`` makes an entry from new credentials, the cached entry and the time. ``person`` says
    that fetching may need a person, and ``depends`` that the entry is valid only while what it
    depends on is unchanged.
    """

    def __init__(
        self,
        read: Callable[[], Entry | None],
        fetch: Fetch,
        made: Callable[[Credentials, Entry | None, float], Entry],
        is_enough: Callable[[Entry], bool],
        key: bytes,
        person: bool = False,
        depends: bool = False,
    ) -> None:
        self.read = read
        self.fetch = fetch
        self.made = made
        self.is_enough = is_enough
        self.key = key
        self.person = person
        self.depends = depends
