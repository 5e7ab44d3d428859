"""The terminal of a person: a question on it without echo, and lines to read."""

from __future__ import annotations

import contextlib
import os
import signal
import time

from credproc import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

#: Bytes of a typed line that are looked at.
LINE = 4096


def opened(mode: int = os.O_WRONLY) -> int | None:
    """Return a descriptor of the controlling terminal that never blocks, None if there is none."""
    try:
        return os.open("/dev/tty", mode | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return None


def is_foreground(terminal: int) -> bool:
    """Whether this process may read from the terminal: reading in the background would stop it."""
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False


def tell(terminal: int, text: bytes) -> None:
    """Write to the terminal; what a stopped one (Ctrl-S) does not take is dropped."""
    with _unstopped():
        try:
            os.write(terminal, text)
        except OSError:
            pass


def is_there() -> bool:
    """Whether this process has a terminal."""
    terminal = opened()
    if terminal is not None:
        os.close(terminal)
    return terminal is not None


def say(text: str) -> None:
    """Show the person a text, if there is a terminal."""
    terminal = opened()
    if terminal is not None:
        tell(terminal, text.encode("utf-8", "replace"))
        os.close(terminal)


@contextlib.contextmanager
def _unstopped() -> Iterator[None]:
    """Let a process in the background write, too: a terminal with `stty tostop` would stop it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Prompt:
    """A question on a terminal, which is neither stdin nor stdout, and its answer.

    As with `aws`, what is typed is not shown. A terminal in raw mode hands over a line for the time
    of the question, and has its modes back after it.
    """

    def __init__(self, terminal: int) -> None:
        self.terminal = terminal
        self._text = b""
        self._modes: list[Any] | None = None

    def ask(self, text: str, seconds: float, flush: bool = True) -> str | None:
        """Return the line that is typed, "" at the end of input; None if none came in time.

        With ``flush`` what was typed before the question is no answer to it. OSError if the
        terminal is lost.
        """
        import termios  # 1 ms

        end = time.monotonic() + seconds
        self._text = text.encode("utf-8", "replace")
        try:
            self._modes = termios.tcgetattr(self.terminal)
            if flush:
                termios.tcflush(self.terminal, termios.TCIFLUSH)
            self.show()
            while processes.is_readable(self.terminal, max(end - time.monotonic(), 0)):
                try:
                    return os.read(self.terminal, LINE).decode("utf-8", "replace")
                except BlockingIOError:  # pragma: no cover - another process was faster to read it
                    pass
            return None
        except termios.error as error:
            raise OSError(str(error)) from error
        finally:
            self.leave()

    def show(self) -> None:
        """Set the modes and show the question; also after the process was stopped (Ctrl-Z)."""
        if self._modes is None or not is_foreground(self.terminal):
            return
        self._set(_asking(self._modes))
        tell(self.terminal, self._text)

    def leave(self) -> None:
        """End the line of the question, and give the terminal its modes back."""
        if self._modes is not None:
            self._set(self._modes)
            self._modes = None
            tell(self.terminal, b"\n")

    def _set(self, modes: list[Any]) -> None:
        import termios

        with _unstopped(), contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(self.terminal, termios.TCSANOW, modes)


def _asking(modes: list[Any]) -> list[Any]:
    """Return the modes of a terminal that hands over whole lines, and does not show them."""
    import termios

    read, write, control, local, *rest = modes
    read = (read | termios.ICRNL) & ~(termios.IGNCR | termios.INLCR)
    write |= termios.OPOST | termios.ONLCR
    local = (local | termios.ICANON | termios.ISIG) & ~(termios.ECHO | termios.ECHONL)
    return [read, write, control, local, *rest]
