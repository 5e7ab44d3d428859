"""The user's terminal: prompts without echo, and messages."""

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

#: Bytes. The most that is read of a typed line.
LINE = 4096


def opened(mode: int = os.O_WRONLY) -> int | None:
    """Return a non-blocking descriptor of the controlling terminal, None if there is none."""
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


def write(terminal: int, text: bytes) -> None:
    """Write to the terminal; if its output is stopped (Ctrl-S), the text is dropped."""
    with _unstopped():
        try:
            os.write(terminal, text)
        except OSError:
            pass


def has_terminal() -> bool:
    """Whether this process has a terminal."""
    terminal = opened()
    if terminal is not None:
        os.close(terminal)
    return terminal is not None


def say(text: str) -> None:
    """Show the user a text, if there is a terminal."""
    terminal = opened()
    if terminal is not None:
        write(terminal, text.encode("utf-8", "replace"))
        os.close(terminal)


@contextlib.contextmanager
def _unstopped() -> Iterator[None]:
    """Let a background process write too: a terminal with `stty tostop` would stop it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Prompt:
    """A prompt on the terminal, which is neither stdin nor stdout, and the typed line.

    As in the AWS CLI, what is typed is not shown. A terminal in raw mode is switched to line mode
    for the prompt, and back afterwards.
    """

    def __init__(self, terminal: int) -> None:
        self.terminal = terminal
        self._text = b""
        self._modes: list[Any] | None = None

    def ask(self, text: str, seconds: float, flush: bool = True) -> str | None:
        """Return the typed line, "" at the end of input; None if nothing was typed in time.

        With ``flush``, what was typed before the prompt is discarded. OSError if the terminal is
        closed.
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
                except BlockingIOError:  # pragma: no cover - another process read it first
                    pass
            return None
        except termios.error as error:
            raise OSError(str(error)) from error
        finally:
            self.leave()

    def show(self) -> None:
        """Set the modes and show the prompt; also after the process was stopped (Ctrl-Z)."""
        if self._modes is None or not is_foreground(self.terminal):
            return
        self._set(_asking(self._modes))
        write(self.terminal, self._text)

    def leave(self) -> None:
        """End the line of the prompt, and restore the terminal's modes."""
        if self._modes is not None:
            self._set(self._modes)
            self._modes = None
            write(self.terminal, b"\n")

    def _set(self, modes: list[Any]) -> None:
        import termios

        with _unstopped(), contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(self.terminal, termios.TCSANOW, modes)


def _asking(modes: list[Any]) -> list[Any]:
    """Return the terminal modes for reading whole lines without echo."""
    import termios

    read, write, control, local, *rest = modes
    read = (read | termios.ICRNL) & ~(termios.IGNCR | termios.INLCR)
    write |= termios.OPOST | termios.ONLCR
    local = (local | termios.ICANON | termios.ISIG) & ~(termios.ECHO | termios.ECHONL)
    return [read, write, control, local, *rest]
