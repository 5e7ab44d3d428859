"""The cache as a hit needs it: entries, how they are read, whether they are fresh.

Loaded on every run, so it imports only what a bare interpreter has loaded. Any problem with a file
or a directory is a miss: a broken cache never costs the user the credentials.
"""

import os
import stat

from credproc import system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MAGIC = b"credproc-entry"
VERSION = b"2"
#: Bytes. A document is 1 to 2 KiB; a session token may grow to several.
MAX_ENTRY = 256 * 1024
#: Seconds. A retry is never postponed for longer.
MAX_PAUSE = 75

# The states of an entry, in the words of --verbose.
FRESH = "fresh"
AHEAD = "fresh, to be refreshed in the background"
NOW = "to be refreshed now"
EXPIRED = "expired"
ABSENT = "not cached"

#: The kinds of an entry: credentials, or a failure. NO_CODE is the failure of a run that got no MFA
#: code, LATE that of a run that ran out of time.
CREDENTIALS = "credentials"
FAILED, UNAVAILABLE, NO_CODE, LATE = "failed", "unavailable", "no-code", "late"

# The largest prime below 2**128.
_PRIME = 2**128 - 159


class Entry:
    """A cache entry: the credentials for one key, or the failure to get them.

    Times are epoch seconds, 0 if not set. ``document`` is what is printed: for an answer in the
    requested format, for a session the credential_process document; b"" after a failure.
    ``failure`` is why the last refresh failed, "" if it did not.
    """

    __slots__ = (
        "key",
        "kind",
        "provider",
        "person",
        "allowed",
        "issued",
        "ahead",
        "now",
        "look",
        "expiration",
        "witnesses",
        "document",
        "failure",
        "about",
    )

    def __init__(self, key: bytes) -> None:
        self.key = key
        #: CREDENTIALS, or the kind of the failure.
        self.kind = CREDENTIALS
        #: What issued the credentials.
        self.provider = "none"
        #: Whether a refresh needs a person, who has to type a code.
        self.person = False
        #: The --timeout of the run that failed, in seconds.
        self.allowed = 0
        self.issued = 0
        #: When to refresh in the background, and when to refresh before printing.
        self.ahead = 0
        self.now = 0
        #: When the next refresh is allowed after one that failed or found nothing newer.
        self.look = 0
        self.expiration = 0
        #: What an answer, or a failure, depends on: see answer.Witnesses.
        self.witnesses = b""
        self.document = b""
        self.failure = ""
        #: Details for display: JSON, or b"".
        self.about = b""

    def __repr__(self) -> str:
        return f"<Entry {self.provider}, expiration {self.expiration}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and encode(self) == encode(other)

    __hash__ = None  # type: ignore[assignment]  # times change

    def judge(self, now: float) -> str:
        """Return the state of the entry at ``now``.

        An entry issued in the future, or a retry time too far away, means that the clock was wrong
        then or is wrong now.
        """
        if not self.document:
            return ABSENT
        if now >= self.expiration or now < self.issued:
            return EXPIRED
        if now < self.ahead or now < self.look <= now + MAX_PAUSE:
            return FRESH
        return AHEAD if now < self.now else NOW

    def is_valid(self, now: float) -> bool:
        """Whether the document may be printed as it is."""
        return self.judge(now) not in (ABSENT, EXPIRED)


def fingerprint(data: bytes) -> str:
    """Return 32 hex digits that identify a byte string (Rabin's: the residue modulo a prime).

    Not for secrets, and not collision-resistant: readers compare the whole key of an entry.
    """
    return f"{int.from_bytes(data, 'big') % _PRIME:032x}"


def encode(entry: Entry) -> bytes:
    """Return the file contents of an entry.

    A line with version, checksum and length, a line with kind, times and lengths, then the texts,
    concatenated.
    """
    texts = (
        entry.key,
        entry.witnesses,
        entry.document,
        entry.failure.encode("utf-8", "replace"),
        entry.about,
    )
    words = (
        entry.kind,
        entry.provider,
        int(entry.person),
        entry.allowed,
        entry.issued,
        entry.ahead,
        entry.now,
        entry.look,
        entry.expiration,
        *map(len, texts),
    )
    body = " ".join(map(str, words)).encode() + b"\n" + b"".join(texts)
    head = b"%s %s %s %d\n" % (MAGIC, VERSION, fingerprint(body).encode(), len(body))
    return head + body


def decode(data: bytes) -> "Entry | None":
    """Parse the file contents of an entry; None for anything that encode() did not write."""
    head, newline, body = data.partition(b"\n")
    if not newline or head != b"%s %s %s %d" % (
        MAGIC,
        VERSION,
        fingerprint(body).encode(),
        len(body),
    ):
        return None
    line, _, rest = body.partition(b"\n")
    try:
        kind, provider, *words = line.decode("ascii").split(" ")
        if len(words) != 12 or not all(word.isdigit() for word in words):
            return None  # int() would accept signs and underscores
        numbers = [int(word) for word in words]
        if sum(numbers[7:]) != len(rest):
            return None
        texts = []
        for length in numbers[7:]:
            texts.append(rest[:length])
            rest = rest[length:]
        entry = Entry(texts[0])
        entry.failure = texts[3].decode()
    except ValueError:
        return None
    entry.kind, entry.provider, entry.person = kind, provider, numbers[0] != 0
    entry.allowed, entry.issued, entry.ahead, entry.now = numbers[1:5]
    entry.look, entry.expiration = numbers[5:7]
    entry.witnesses, entry.document, entry.about = texts[1], texts[2], texts[4]
    return entry


def directory(environ: "Mapping[str, str]", chosen: str = "") -> str:
    """Return the cache directory by the quick rule (see system.cache_home), "" if it does not
    apply."""
    for path in (chosen, environ.get("CREDPROC_CACHE_DIR", "")):
        if path:
            return path if path.startswith("/") else ""
    base = system.cache_home(environ)
    return os.path.join(base, "credproc") if base else ""


class Cache:
    """The user's directory of entries; without a path, an empty cache.

    ``trouble`` is why the last read failed; None if the entry was simply missing.
    """

    __slots__ = ("path", "trouble")

    def __init__(self, path: str) -> None:
        self.path = path
        self.trouble: Exception | None = None

    def read(self, key: bytes) -> "Entry | None":
        """Return the entry for the key, or None."""
        return self.load(f"{fingerprint(key)}.entry", key)

    def load(self, name: str, key: bytes = b"") -> "Entry | None":
        """Return the entry in the file ``name``; None if it is not an entry, or has another key."""
        self.trouble = None
        try:
            data = self.contents(name)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self.trouble = error
            return None
        entry = decode(data)
        if entry is None:
            self.trouble = ValueError("not an entry of this version")
        return entry if entry is not None and key in (b"", entry.key) else None

    def contents(self, name: str) -> bytes:
        """Return the bytes of a file of the cache; OSError or ValueError if they cannot be read."""
        folder = self.open()
        try:
            return system.read(name, MAX_ENTRY, folder, is_private=True)
        finally:
            os.close(folder)

    @property
    def folder(self) -> str:
        """The path without a trailing slash, which would make the system follow a symbolic link."""
        return self.path.rstrip("/") or self.path[:1]

    def open(self) -> int:
        """Return a descriptor of the directory; OSError unless it is private to this user.

        A user who can replace a directory further up gains nothing: what is opened here then
        belongs to another user, or is another private directory of this user.
        """
        if not self.path:
            raise FileNotFoundError("the cache is off")
        above = os.stat(os.path.dirname(self.folder))
        if above.st_mode & stat.S_IWOTH and not above.st_mode & stat.S_ISVTX:
            raise PermissionError(f"any user can replace {self.path}: its parent is world-writable")
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        status = os.fstat(descriptor)
        if status.st_uid == os.geteuid() and not status.st_mode & 0o077:
            return descriptor
        os.close(descriptor)
        if status.st_uid != os.geteuid():
            raise PermissionError(f"{self.path} belongs to another user (uid {status.st_uid})")
        raise PermissionError(
            f"{self.path} has mode {stat.S_IMODE(status.st_mode):04o} and must be private: use a "
            "directory with mode 0700 that contains nothing else (in a systemd unit: "
            "CacheDirectoryMode=0700)"
        )
