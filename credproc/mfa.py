"""The code of an MFA device: from a command, or from the person at the terminal."""

from __future__ import annotations

import os
import select
import time
from typing import TYPE_CHECKING

from credproc import children
from credproc.errors import CodeNotGiven, NobodyToAsk, UsageError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

    from credproc.deadline import Deadline

#: Seconds that --mfa-command may take.
COMMAND_SECONDS = 30
#: Bytes of a command's output, and of a typed line, that are looked at.
MAX_ANSWER = 4096


class Mfa:
    """Whoever knows the codes; ``command`` is the command line of --mfa-command, or empty."""

    def __init__(self, command: str, environ: Mapping[str, str]) -> None:
        self.words = split(command) if command else []
        self.environ = environ
        #: Processes that were started, and must not outlive the run.
        self.children = children.Children()
        self._asking: int | None = None

    @property
    def needs_person(self) -> bool:
        """Whether a person has to type the code."""
        return not self.words

    def can_ask(self) -> bool:
        """Whether there is a command, or a terminal to ask on."""
        if self.words:
            return True
        terminal = _own_terminal()
        if terminal is None:
            return False
        os.close(terminal)
        return True

    def code(self, serial: str, deadline: Deadline) -> str:
        """Return the six digits that the device shows now."""
        given = self._commanded(deadline) if self.words else self._asked(serial, deadline)
        given = given.strip()
        if len(given) != 6 or not (given.isascii() and given.isdigit()):
            who = "--mfa-command" if self.words else "the answer"
            raise CodeNotGiven(f"{who} gave no MFA code for {serial}: a code is six digits")
        return given

    def leave(self) -> None:
        """End the line of a question that nobody waits for any longer."""
        if self._asking is not None:
            _tell(self._asking, "\n")

    def _commanded(self, deadline: Deadline) -> str:
        """Run the command; what it says to the person goes to the terminal, never to stderr."""
        import subprocess  # 6 ms

        terminal = _terminal(os.O_WRONLY)
        try:
            child = self.children.start(  # the user's own command, no shell
                self.words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if terminal is None else terminal,
                env=dict(self.environ),
            )
        except (OSError, ValueError) as error:
            raise CodeNotGiven(_unfit(self.words[0], error)) from None
        finally:
            if terminal is not None:
                os.close(terminal)
        name = self.words[0]
        try:
            limit = min(COMMAND_SECONDS, deadline.remaining())
            output, complaint = _heard(child, limit)
        except subprocess.TimeoutExpired:
            raise CodeNotGiven(
                f"--mfa-command: {name} took longer than {round(limit, 1):g} s"
            ) from None
        finally:
            children.finish(child)
        if child.returncode and len(output) <= MAX_ANSWER:
            said = _without_digits(children.last_line(complaint))
            raise CodeNotGiven(
                f"--mfa-command: {name} ended with {children.ending(child.returncode)}"
                + (f": {said}" if said else "")
            )
        return output.decode("ascii", "replace")

    def _asked(self, serial: str, deadline: Deadline) -> str:
        """Ask on the terminal, which is neither stdin nor stdout."""
        import termios

        nobody = (
            f"an MFA code for {serial} is needed and there is no terminal to ask on: give "
            "--mfa-command, or run the same command once in a terminal"
        )
        terminal = _own_terminal()
        if terminal is None:
            raise NobodyToAsk(nobody)
        try:
            self._asking = terminal
            termios.tcflush(terminal, termios.TCIFLUSH)
            _tell(terminal, f"MFA code for {serial}: ")
            ready, _, _ = select.select([terminal], [], [], deadline.remaining())
            if not ready:
                self.leave()
                raise CodeNotGiven(f"no MFA code for {serial} was typed in time")
            # The terminal hands over a line at a time.
            return os.read(terminal, MAX_ANSWER).decode("ascii", "replace")
        except OSError:
            raise NobodyToAsk(nobody) from None
        finally:
            self._asking = None
            os.close(terminal)


def split(command: str) -> list[str]:
    """Return the words of --mfa-command, split as a shell would; UsageError if it cannot be."""
    import shlex  # 3 ms

    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--mfa-command: {str(error).lower()}") from None
    if not words or not words[0]:
        raise UsageError("--mfa-command: must be a command")
    return words


def _terminal(mode: int) -> int | None:
    try:
        return os.open("/dev/tty", mode | os.O_NOCTTY)
    except OSError:
        return None


def _own_terminal() -> int | None:
    """Open the terminal; None where there is none, or another process group has it.

    Reading from it in the background would stop this process.
    """
    terminal = _terminal(os.O_RDWR)
    if terminal is None:
        return None
    try:
        if os.tcgetpgrp(terminal) == os.getpgrp():
            return terminal
    except OSError:
        pass
    os.close(terminal)
    return None


def _heard(child: subprocess.Popen[bytes], seconds: float) -> tuple[bytes, bytes]:
    """Return what a command says on stdout, and the end of what it says on stderr.

    TimeoutExpired if it takes longer. One that says more than a code is not heard to its end.
    """
    import subprocess

    end = time.monotonic() + seconds
    heard = {pipe: b"" for pipe in (child.stdout, child.stderr) if pipe}
    speaking = list(heard)
    while speaking:
        ready, _, _ = select.select(speaking, [], [], max(end - time.monotonic(), 0))
        if not ready:
            raise subprocess.TimeoutExpired(child.args, seconds)
        for pipe in ready:
            said = os.read(pipe.fileno(), MAX_ANSWER)
            heard[pipe] += said
            if not said:
                speaking.remove(pipe)
            elif pipe is child.stdout and len(heard[pipe]) > MAX_ANSWER:
                return heard[pipe], b""
            elif pipe is child.stderr:
                heard[pipe] = heard[pipe][-MAX_ANSWER:]
    child.wait(max(end - time.monotonic(), 0))
    output, *complaint = heard.values()
    return output, b"".join(complaint)


def _tell(terminal: int, text: str) -> None:
    os.write(terminal, text.encode("utf-8", "replace"))


def _unfit(name: str, error: OSError | ValueError) -> str:
    """Return why a program cannot be run; words that a shell alone understands are not shown."""
    if "=" in name:
        return "--mfa-command: NAME=VALUE is no program; where no shell runs, put `env` before it"
    return f"--mfa-command: {name} cannot be run: {getattr(error, 'strerror', None) or error}"


def _without_digits(line: str) -> str:
    """Return a command's words without what might be a code or a part of one."""
    return "".join("*" if letter.isdigit() else letter for letter in line)
