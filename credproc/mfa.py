"""The code of an MFA device: from a command, or from the person at the terminal."""

from __future__ import annotations

import os
import select
import shlex
import subprocess
import termios
from typing import TYPE_CHECKING

from credproc.errors import CodeNotGiven, RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credproc.providers import Deadline

#: Seconds that --mfa-command may take.
COMMAND_SECONDS = 30


class Mfa:
    """Whoever knows the codes; ``command`` is the command line of --mfa-command, or empty."""

    def __init__(self, command: str, environ: Mapping[str, str]) -> None:
        try:
            self.words = shlex.split(command)
        except ValueError as error:
            raise RequestError(f"--mfa-command: {error}".lower()) from None
        if command and not self.words:
            raise RequestError("--mfa-command: must be a command")
        self.environ = environ
        #: Processes that were started, and must not outlive the run.
        self.children: list[subprocess.Popen[bytes]] = []

    @property
    def needs_person(self) -> bool:
        """Whether a person has to type the code."""
        return not self.words

    def code(self, serial: str, deadline: Deadline) -> str:
        """Return the six digits that the device shows now."""
        given = self._commanded(deadline) if self.words else _asked(serial, deadline)
        given = given.strip()
        if len(given) != 6 or not (given.isascii() and given.isdigit()):
            who = "--mfa-command" if self.words else "the answer"
            raise CodeNotGiven(f"{who} gave no MFA code for {serial}: a code is six digits")
        return given

    def _commanded(self, deadline: Deadline) -> str:
        """Run the command; what it says to the person goes to the terminal, never to stderr."""
        name = self.words[0]
        try:
            terminal = os.open("/dev/tty", os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            terminal = None
        try:
            child = subprocess.Popen(  # the user's own command, no shell
                self.words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if terminal is None else terminal,
                env=dict(self.environ),
            )
        except (OSError, ValueError) as error:
            raise CodeNotGiven(
                f"--mfa-command: {name} cannot be run: {getattr(error, 'strerror', error)}"
            ) from None
        finally:
            if terminal is not None:
                os.close(terminal)
        self.children.append(child)
        limit = min(COMMAND_SECONDS, deadline.remaining())
        try:
            output, complaint = child.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            raise CodeNotGiven(f"--mfa-command: {name} took longer than {limit:.0f} s") from None
        finally:
            end([child])
        if child.returncode:
            said = (complaint or b"").decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise CodeNotGiven(
                f"--mfa-command: {name} ended with status {child.returncode}"
                + (f": {said}" if said else "")
            )
        return output.decode("ascii", "replace")


def end(children: list[subprocess.Popen[bytes]]) -> None:
    """End processes, without waiting for what they may have left running with their pipes."""
    for child in children:
        if child.poll() is None:
            child.kill()
        for pipe in (child.stdout, child.stderr):
            if pipe:
                pipe.close()


def _asked(serial: str, deadline: Deadline) -> str:
    """Ask on the terminal, which is neither stdin nor stdout."""
    nobody = (
        f"an MFA code for {serial} is needed and there is no terminal to ask on: give "
        "--mfa-command, or run the same command once in a terminal"
    )
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        raise CodeNotGiven(nobody) from None
    try:
        if os.tcgetpgrp(terminal) != os.getpgrp():
            raise CodeNotGiven(nobody)  # reading in the background would stop this process
        termios.tcflush(terminal, termios.TCIFLUSH)
        os.write(terminal, f"MFA code for {serial}: ".encode("utf-8", "replace"))
        ready, _, _ = select.select([terminal], [], [], deadline.remaining())
        if not ready:
            os.write(terminal, b"\n")
            raise CodeNotGiven(f"no MFA code for {serial} was typed in time")
        # The terminal hands over a line at a time.
        return os.read(terminal, 256).decode("ascii", "replace")
    except OSError:
        raise CodeNotGiven(nobody) from None
    finally:
        os.close(terminal)
