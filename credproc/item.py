"""Something that the cache keeps and a run refreshes: an answer or a session."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from credproc.cache import Entry
    from credproc.credentials import Credentials
    from credproc.run import Run

    Fetch = Callable[[Run], Credentials]


class Item:
    """Something that the cache keeps: how it is read, fetched, and made into an entry.

    ``made`` makes an entry of credentials that came now, of the cached entry and of the time.
    ``person`` says that getting it may need a person, and ``depends`` that it is only good as long
    as what it depends on stays the same.
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
