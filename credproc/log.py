"""The log, on stderr (--verbose) and in a file (CREDPROC_LOG), without secrets."""

from __future__ import annotations

import os
import select
import stat
import time

from credproc import credentials, files, variables
from credproc.errors import CredprocError, clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds to wait for a full stderr.
PATIENCE = 0.2

#: Errors whose text contains names from the program, not the data that it was handling.
PROGRAM_ERRORS = (AttributeError, ImportError, NameError, OSError, TypeError)


class Log:
    """Writes each line to stderr and to the file, if requested; a failure to do so is not fatal."""

    def __init__(
        self, path: str, now: Callable[[], float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.path = path
        self.now = now
        self.clock = clock
        self.started = clock()
        self.verbose = False
        #: Secrets, which are removed from every message.
        self.secrets: list[str] = []
        #: The latest line, not yet cleaned: what a run that ran out of time was doing.
        self.latest = ""
        #: Variables (and options) whose file or directory cannot be used, and why.
        self.unused: dict[str, str] = {}

    def __call__(self, text: str) -> None:
        """Log one line, prefixed with the milliseconds since the start."""
        self.latest = text
        if not self.verbose and not self.path:
            return
        line = f"{self.took(self.started)}: {self.fit(text)}"
        if self.verbose:
            say(line)
        self.record(line)

    def trace(self, error: BaseException) -> None:
        """Log the traceback of an error, unless it and its causes are all our own."""
        is_ours = all(isinstance(each, CredprocError) for each in _chain(error))
        if (self.verbose or self.path) and not is_ours:
            for line in map(self.fit, _traced(error)):
                if self.verbose:
                    say(line)
                self.record(line)

    def took(self, started: float) -> str:
        """Return the time since ``started`` by this clock, as in ``12 ms``."""
        return f"{(self.clock() - started) * 1000:.0f} ms"

    def fit(self, text: str) -> str:
        """Return a text as one line, without the run's secrets."""
        return clean(text, self.secrets)

    def record(self, text: str) -> None:
        """Append a line to the file only, unchanged, such as the error line on stderr."""
        if not self.path:
            return
        moment = credentials.write_time(int(self.now()))
        line = f"{moment} credproc[{os.getpid()}]: {text}\n".encode("utf-8", "replace")
        try:
            descriptor = opened(self.path)
            try:
                os.write(descriptor, line)  # in one write: O_APPEND keeps lines of processes apart
            finally:
                os.close(descriptor)
        except (OSError, ValueError) as error:
            self.unused["CREDPROC_LOG"] = trouble = unfit(error)
            if self.verbose:
                say(self.fit(f"CREDPROC_LOG: {self.path}: {trouble}"))
            self.path = ""


def unfit(error: OSError | ValueError) -> str:
    """Return why a file cannot be written, from the error of opened() or of a write."""
    reason = getattr(error, "strerror", None)
    return f"cannot be written: {reason}" if reason else str(error)


def opened(path: str) -> int:
    """Open the CREDPROC_LOG file, creating it if needed; OSError or ValueError (see unfit)."""
    problem = variables.misplaced(path)
    if problem:
        raise ValueError(problem)
    flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        _check_folder(os.path.dirname(path))
        descriptor = files.make(path, flags)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise ValueError("is not a regular file of this user")
        if stat.S_IMODE(status.st_mode) != 0o600:
            os.fchmod(descriptor, 0o600)  # before our first byte
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_folder(folder: str) -> None:
    """Refuse, as root, to create a file that the owner of the directory could then not write.

    Other users can create files only where the directory's permissions let them.
    """
    owner = os.stat(folder).st_uid
    if owner and not os.geteuid():
        raise ValueError(
            f"is not created, because its directory belongs to another user (uid {owner}): run "
            "this as that user, or choose a file in a directory owned by root"
        )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes, the latest first."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _traced(error: BaseException) -> Iterator[str]:
    """Yield a traceback without the messages of libraries' errors, which may quote secrets."""
    import traceback  # 3 ms

    for each in reversed(list(_chain(error))):
        for block in traceback.format_tb(each.__traceback__):
            yield from (line for line in block.splitlines() if line.strip(" ^~"))
        shown = f": {each}" if isinstance(each, (CredprocError, *PROGRAM_ERRORS)) else ""
        yield f"{type(each).__name__}{shown}"


def say(text: str, who: str = "credproc") -> None:
    """Write one line to stderr, if it is open and not full."""
    try:
        if select.select([], [2], [], PATIENCE)[1]:
            os.write(2, f"{who}: {text}\n".encode("utf-8", "replace"))
    except (OSError, ValueError):
        pass
