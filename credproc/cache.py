"""Where entries live; how one is read and judged.

Loaded on every run, so it imports only what a bare interpreter has loaded. Whatever is wrong with a
file or a directory is a miss: a broken cache never costs the user the credentials.
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
#: Seconds. No next look is put off for longer.
MAX_PAUSE = 75

# What may be done with an entry. In words, because they are also what --verbose says.
FRESH = "fresh"
AHEAD = "fresh, to be refreshed in the background"
NOW = "to be refreshed now"
EXPIRED = "expired"
ABSENT = "not cached"

#: What an entry holds: credentials, or a failure. UNATTENDED is one of a run that had no terminal
#: and no command to get an MFA code from, LATE one of a run that ran out of time.
CREDENTIALS = "credentials"
FAILED, UNAVAILABLE, UNATTENDED, LATE = "failed", "unavailable", "unattended", "late"

# The largest prime below 2**128.
_PRIME = 2**128 - 159


class Entry:
    """What the cache keeps under one key: credentials, or the failure to get them.

    Times are epoch seconds, 0 if not set. ``document`` is what is printed: of an answer in the
    format that was requested, of a session the credential_process document; b"" after a failure.
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
        #: Seconds that the run which failed was allowed to take.
        self.allowed = 0
        self.issued = 0
        #: When to refresh in the background, and when before printing.
        self.ahead = 0
        self.now = 0
        #: When the next refresh is allowed after one that failed or brought nothing newer.
        self.look = 0
        self.expiration = 0
        #: What an answer depends on: see witness.py.
        self.witnesses = b""
        self.document = b""
        self.failure = ""
        #: What people are shown of it: JSON, or b"".
        self.about = b""

    def __repr__(self) -> str:
        return f"<Entry {self.provider}, expiration {self.expiration}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and encode(self) == encode(other)

    __hash__ = None  # type: ignore[assignment]  # times change

    def judge(self, now: float) -> str:
        """Say what may be done with the entry at ``now``.

        An entry issued in the future means that the clock was wrong then or is wrong now; so does
        a next look that is too far away.
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
    """Return 32 hex digits that tell byte strings apart (Rabin's: the residue modulo a prime).

    Not for secrets, and no proof against an adversary: the whole key of an entry is compared.
    """
    return f"{int.from_bytes(data, 'big') % _PRIME:032x}"


def encode(entry: Entry) -> bytes:
    """Return the file of an entry: a line with version, checksum and length, a line with the kind,
    the times and the lengths, and then the texts, one behind the other.
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
    """Read the file of an entry; None for anything that encode() did not write."""
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
            return None  # int() takes signs and underscores, too
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
    """Return the cache directory by the quick rule (see system.cache_home), or "" to decline."""
    for path in (chosen, environ.get("CREDPROC_CACHE_DIR", "")):
        if path:
            return path if path.startswith("/") else ""
    base = system.cache_home(environ)
    return os.path.join(base, "credproc") if base else ""


class Cache:
    """A directory of entries, of the user's own; without a path, a cache that holds nothing.

    ``trouble`` is why the latest look found nothing, if it was not simply that nothing is there.
    """

    __slots__ = ("path", "trouble")

    def __init__(self, path: str) -> None:
        self.path = path
        self.trouble: Exception | None = None

    def read(self, key: bytes) -> "Entry | None":
        """Return the entry under the key, or None."""
        return self.load(f"{fingerprint(key)}.entry", key)

    def load(self, name: str, key: bytes = b"") -> "Entry | None":
        """Return the entry in the file ``name``; None if it is not one, or is under another key."""
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
        """The path without a slash at its end, with which a symbolic link would be followed."""
        return self.path.rstrip("/") or self.path[:1]

    def open(self) -> int:
        """Return a descriptor of the directory; OSError unless it is safely the user's own.

        Whoever may exchange a folder further up gains nothing by it: what is opened here is then
        another user's, or another private directory of this user's.
        """
        if not self.path:
            raise FileNotFoundError("the cache is off")
        above = os.stat(os.path.dirname(self.folder))
        if above.st_mode & stat.S_IWOTH and not above.st_mode & stat.S_ISVTX:
            raise PermissionError(f"anybody may replace {self.path}: the folder above is writable")
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        status = os.fstat(descriptor)
        if status.st_uid == os.geteuid() and not status.st_mode & 0o077:
            return descriptor
        os.close(descriptor)
        if status.st_uid != os.geteuid():
            raise PermissionError(f"{self.path} belongs to another user (uid {status.st_uid})")
        raise PermissionError(
            f"{self.path} has mode {stat.S_IMODE(status.st_mode):04o} and must be private: use a "
            "directory of mode 0700 that holds nothing else (in a systemd unit: "
            "CacheDirectoryMode=0700)"
        )
