"""What happens, told on stderr (--verbose) and in a file (CREDPROC_LOG), without a secret."""

from __future__ import annotations

import os
import select
import stat
import time

from credproc import credentials, files
from credproc.errors import CredprocError, clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds that a line waits for a reader of stderr who does not read.
PATIENCE = 0.2

#: Errors of the program, whose text is made of its names and not of what it was handling.
PROGRAM_ERRORS = (AttributeError, ImportError, NameError, OSError, TypeError)


class Log:
    """Tells each line to whoever wants it; trouble with the file costs nobody the credentials."""

    def __init__(
        self, path: str, now: Callable[[], float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.path = path
        self.now = now
        self.clock = clock
        self.started = clock()
        self.verbose = False
        #: Whatever must not be shown, should it turn up in somebody's message.
        self.secrets: list[str] = []
        #: The latest line, not yet fit to be shown: what a run that is out of time was doing.
        self.latest = ""
        #: Why the file is not told anything, "" while it can be.
        self.trouble = ""

    def __call__(self, text: str) -> None:
        """Tell one line, after the milliseconds since the start."""
        self.latest = text
        if not self.verbose and not self.path:
            return
        line = self._dated(self._fit(text))
        if self.verbose:
            say(line)
        self.record(line)

    def trace(self, error: BaseException) -> None:
        """Tell, line by line, where an error was raised that is not one of ours, or follows one."""
        if (self.verbose or self.path) and not all(map(_is_ours, _chain(error))):
            for line in map(self._fit, _traced(error)):
                if self.verbose:
                    say(line)
                self.record(line)

    def took(self, started: float) -> str:
        """Return how long ago something began, by this clock: ``12 ms``."""
        return f"{(self.clock() - started) * 1000:.0f} ms"

    def _dated(self, text: str) -> str:
        """Put before a line how long the run has taken so far."""
        return f"{self.took(self.started)}: {text}"

    def _fit(self, text: str) -> str:
        return clean(text, self.secrets)

    def record(self, text: str) -> None:
        """Append a line to the file alone, as it is: the line on stderr, which people look for."""
        if not self.path:
            return
        moment = credentials.write_time(int(self.now()))
        line = f"{moment} credproc[{os.getpid()}]: {text}\n".encode("utf-8", "replace")
        try:
            descriptor = opened(self.path)
            try:
                os.write(descriptor, line)  # whole, or it is not: O_APPEND keeps lines apart
            finally:
                os.close(descriptor)
        except (OSError, ValueError) as error:
            self.trouble = unfit(error)
            if self.verbose:
                say(self._fit(f"CREDPROC_LOG: {self.path}: {self.trouble}"))
            self.path = ""


def unfit(error: OSError | ValueError) -> str:
    """Return why a file is not written to, as opened() or writing said it."""
    reason = getattr(error, "strerror", None)
    return f"cannot be written: {reason}" if reason else str(error)


def opened(path: str) -> int:
    """Open the file of CREDPROC_LOG, made if need be; OSError or ValueError (see unfit) if not."""
    if not os.path.isabs(path):
        raise ValueError("must be an absolute path")
    flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        _check_folder(os.path.dirname(path))
        descriptor = files.make(path, flags)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise ValueError("is not a plain file of this user")
        if stat.S_IMODE(status.st_mode) != 0o600:
            os.fchmod(descriptor, 0o600)  # before the first byte of ours
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_folder(folder: str) -> None:
    """Refuse, as root, to make a file that the owner of the folder could then not write to.

    Any other user makes files only where the owner of the folder lets them.
    """
    owner = os.stat(folder).st_uid
    if owner and not os.geteuid():
        raise ValueError(
            f"is not made, because its folder belongs to another user (uid {owner}): run this as "
            "that user, or name a file in a folder of root's"
        )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Return an error and those that it follows, the latest first."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _is_ours(error: BaseException) -> bool:
    return isinstance(error, CredprocError)


def _traced(error: BaseException) -> Iterator[str]:
    """Return a traceback without the words of other people's errors, which quote what they read."""
    import traceback  # 3 ms

    for each in reversed(list(_chain(error))):
        for block in traceback.format_tb(each.__traceback__):
            yield from (line for line in block.splitlines() if line.strip(" ^~"))
        shown = f": {each}" if isinstance(each, (CredprocError, *PROGRAM_ERRORS)) else ""
        yield f"{type(each).__name__}{shown}"


def say(text: str, who: str = "credproc") -> None:
    """Write one line to stderr, if anybody listens there."""
    try:
        if select.select([], [2], [], PATIENCE)[1]:
            os.write(2, f"{who}: {text}\n".encode("utf-8", "replace"))
    except (OSError, ValueError):
        pass
