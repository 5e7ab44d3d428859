"""What happens, told on stderr (--verbose) and in a file (CREDPROC_LOG), without a secret."""

from __future__ import annotations

import os
import stat
import traceback

from credproc import credentials
from credproc.cache import NOFOLLOW
from credproc.errors import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Log:
    """Tells each line to whoever wants it; trouble with the file costs nobody the credentials."""

    def __init__(self, path: str, now: Callable[[], float]) -> None:
        self.path = path
        self.now = now
        self.verbose = False
        #: Whatever must not be shown, should it turn up in somebody's message.
        self.secrets: list[str] = []
        #: The latest line: what a run that is out of time was doing.
        self.latest = ""

    def __call__(self, text: str) -> None:
        """Tell one line."""
        self.latest = clean(text, self.secrets)
        if self.verbose:
            say(self.latest)
        self.record(self.latest)

    def trace(self, error: BaseException) -> None:
        """Tell where an error was raised, line by line."""
        if self.verbose:
            for block in traceback.format_exception(type(error), error, error.__traceback__):
                for line in block.splitlines():
                    say(clean(line, self.secrets))

    def record(self, text: str) -> None:
        """Append a line to the file alone."""
        if not self.path:
            return
        moment = credentials.write_time(int(self.now()))
        line = f"{moment} credproc[{os.getpid()}]: {text}\n".encode("utf-8", "replace")
        try:
            descriptor = _opened(self.path)
            try:
                os.write(descriptor, line)  # whole, or it is not: O_APPEND keeps lines apart
            finally:
                os.close(descriptor)
        except (OSError, ValueError) as error:
            if self.verbose:
                say(f"CREDPROC_LOG: {error}")
            self.path = ""


def _opened(path: str) -> int:
    if not os.path.isabs(path):
        raise ValueError("must be an absolute path")
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        os.close(descriptor)
        raise PermissionError(f"{path} is not a plain file of this user")
    if status.st_mode & 0o177 or not status.st_mode & 0o600:
        os.fchmod(descriptor, 0o600)
    return descriptor


def say(text: str, who: str = "credproc") -> None:
    """Write one line to stderr, if anybody listens there."""
    try:
        os.write(2, f"{who}: {text}\n".encode("utf-8", "replace"))
    except OSError:
        pass
