"""An answer: what one exact invocation prints; its cache key, and what it depends on.

Loaded on every run, so it imports only what a bare interpreter has loaded. A witness records the
state of something that the answer depends on, when the answer was resolved: ``KIND STATE NAME`` and
a NUL. launcher.c computes the same key and reads the same records.
"""

import os
import stat
import time

from credproc import cache, system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: All variables that can change what an invocation prints. Of keys only the ID, which identifies
#: them.
VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_DEFAULT_PROFILE",
    "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_SIGNIN",
    "AWS_ENDPOINT_URL_SSO",
    "AWS_ENDPOINT_URL_SSO_OIDC",
    "AWS_ENDPOINT_URL_STS",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_IMDS_USE_IPV6",
    "AWS_LOGIN_CACHE_DIRECTORY",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_STS_REGIONAL_ENDPOINTS",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "CREDPROC_PROFILE_CHAIN",
    "HOME",
    "LNAME",
    "LOGNAME",
    "USER",
    "USERNAME",
)
#: Variables whose value is enough to get credentials; it is never written to disk.
SECRET = (
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
)

#: Arguments for one run only. They are not part of the key, so such a run replaces the answer of
#: the same invocation without them; and it never prints a cached answer.
ONCE = ("--refresh", "-v", "--verbose", "--no-cache")

#: The kinds of witnesses.
FILE, ABSENT, DIRECTORY, INSTANCE, HOST, VARIABLE = (
    *("file", "absent", "directory", "instance", "host", "variable"),
)
#: Nanoseconds. Two changes of a file within one tick of the kernel's clock leave the same ctime, so
#: the state of a file that changed a moment ago proves nothing.
TICK = 100_000_000
SECOND = 1_000_000_000


def key(argv: "Sequence[str]", environ: "Mapping[str, str]") -> bytes:
    """Return the key: the unparsed arguments, and the variables that can change the answer."""
    words = [word for word in argv if word not in ONCE]
    return os.fsencode("\0".join(["answer", str(len(words)), *words, *_variables(environ)]))


def words(key: bytes) -> list[str]:
    """Return the arguments in a key; ValueError if it is not an answer's."""
    kind, count, *parts = os.fsdecode(key).split("\0")
    if kind != "answer" or int(count) > len(parts):
        raise ValueError("not an answer's key")
    return parts[: int(count)]


def option(argv: "Sequence[str]", name: str) -> str:
    """Return the value of an option, "" if it is not given; the last one wins."""
    found = ""
    for number, word in enumerate(argv):
        if word == name:
            found = argv[number + 1] if number + 1 < len(argv) else ""
        elif word.startswith(name + "="):
            found = word[len(name) + 1 :]
    return found


def mark(data: bytes) -> str:
    """Return 8 hex digits that distinguish contents, too few to reveal a key or a token."""
    return f"{int.from_bytes(data, 'big') % 4294967291:08x}"


def _variables(environ: "Mapping[str, str]") -> list[str]:
    """Return the variables of VARIABLES that are set, as NAME=VALUE, or NAME=#MARK for a secret.

    An empty variable counts as unset. A URL that contains a password is a secret too.
    """
    found = []
    for name in VARIABLES:
        value = environ.get(name, "")
        if value and name in SECRET:
            found.append(f"{name}=#{mark(os.fsencode(value))}")
        elif value:
            found.append(f"{name}={masked(value)}")
    return found


def masked(value: str) -> str:
    """Return a value, or the mark of a URL that may contain a password."""
    return f"#{mark(os.fsencode(value))}" if "@" in value and "://" in value else value


def current(entry: "cache.Entry | None", environ: "Mapping[str, str]") -> "cache.Entry | None":
    """Return an entry if everything that it depends on is unchanged, else None."""
    return entry if entry and unchanged(entry.witnesses, environ) else None


class Witnesses:
    """Collects what a run depends on, each with its state before it was first read.

    ``unusual`` is why the answer cannot be cached, "" if it can: it depends on something without a
    state that can be compared later. ``changed`` is a file that changed during the run: nothing
    that the run fetches is cached, because it may belong to either version of the file.
    """

    def __init__(self, environ: "Mapping[str, str]") -> None:
        self.environ = environ
        self.unusual = ""
        self.changed = ""
        self._states: dict[tuple[str, str], str] = {}

    def file(self, path: str) -> None:
        """Add a file that is about to be read or looked for."""
        if path in ("", os.devnull) or (FILE, path) in self._states:
            return
        if not os.path.isabs(path):
            self.directory()
        state = _state(path)
        if state is None:
            self.unusual = f"{path} is not a regular file"
        self._states[FILE, path] = state or ""

    def compare(self, path: str) -> None:
        """Record whether a file was written or replaced since file() was called, even if its
        content is the same."""
        before = self._states.get((FILE, path))
        if before is None:
            return
        fields, now = before.split(" "), (_state(path) or "").split(" ")
        if fields[5:6] == ["0"]:  # the file had just changed, so its ctime proved nothing
            now[5:6] = ["0"]
        if fields != now:
            self.changed = path

    def compare_all(self) -> str:
        """Compare everything; return what has changed, "" if nothing has."""
        for (kind, name), state in self._states.items():
            if kind == FILE:
                self.compare(name)
            elif _current(kind, name, self.environ) != state:
                self.changed = f"the {kind} {name}".rstrip()
        return self.changed

    def directory(self) -> None:
        """Add the working directory, to which a path is relative."""
        self._add(DIRECTORY, "")

    def instance(self) -> None:
        """Add this instance and its current boot."""
        self._add(INSTANCE, "")

    def machine(self) -> None:
        """Add this machine: its ID, or else its name."""
        found = system.machine_id()
        for path in system.MACHINE:
            self.file(path)
            if system.machine_id([path]) == found != system.host_name():
                return
        self._add(HOST, "")

    def variable(self, name: str) -> None:
        """Add a variable that is not one of VARIABLES."""
        self._add(VARIABLE, name)

    def _add(self, kind: str, name: str) -> None:
        self._states.setdefault((kind, name), _current(kind, name, self.environ))

    def encoded(self, variables: "Sequence[str]" = ()) -> bytes:
        """Return the records, and those of more variables."""
        records = [
            os.fsencode(f"{VARIABLE} {_current(VARIABLE, name, self.environ)} {name}\0")
            for name in variables
        ]
        for (kind, name), state in self._states.items():
            record = f"{state} {name}" if kind == FILE else f"{kind} {state} {name}"
            records.append(os.fsencode(f"{record}\0"))
        return b"".join(records)


def unchanged(records: bytes, environ: "Mapping[str, str]") -> bool:
    """Whether everything is still as recorded; False if in doubt."""
    try:
        return all(_holds(record, environ) for record in records.split(b"\0")[:-1])
    except (OSError, ValueError, IndexError):
        return False


def _holds(record: bytes, environ: "Mapping[str, str]") -> bool:
    kind, _, rest = os.fsdecode(record).partition(" ")
    if kind == FILE:
        device, inode, size, mtime, ctime, content, name = rest.split(" ", 6)
        status = os.stat(name)
        now = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if now == (int(device), int(inode), int(size), int(mtime), int(ctime)):
            # Whole seconds: the file system's times are too coarse to show every change.
            if status.st_ctime_ns % SECOND:
                return True
        elif status.st_size != int(size):
            return False
        return mark(system.read(name)) == content
    if kind == ABSENT:
        error, _, name = rest.partition(" ")
        return _state(name) == f"{ABSENT} {error}"
    state, _, name = rest.rpartition(" ")
    return _current(kind, name, environ) == state


def _state(path: str) -> "str | None":
    """Return a file's state; None for anything but a regular file.

    Device, inode, size, mtime and ctime (ns), and a mark of the content; ctime is 0 if the file
    changed so recently that it could change again with the same ctime.
    """
    moment = time.time_ns()
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return None  # a device is not even opened
        content = mark(system.read(path))
    except OSError as error:
        return f"{ABSENT} {error.errno or 0}"
    except ValueError:
        return None
    is_settled = status.st_ctime_ns + TICK < moment
    numbers = (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns if is_settled else 0,
    )
    return f"{FILE} {' '.join(map(str, numbers))} {content}"


def _current(kind: str, name: str, environ: "Mapping[str, str]") -> str:
    """Return the state of a witness that is not a file."""
    if kind == DIRECTORY:
        return system.working_directory()
    if kind == INSTANCE:
        return system.instance()
    if kind == HOST:
        return system.host_name()
    return mark(os.fsencode(environ.get(name, "")))
