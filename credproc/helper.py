"""A program that is run for its output, while the user sees its stderr on the terminal."""

from __future__ import annotations

import os
import re
import time

from credproc import children, processes, prompt

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence

#: Bytes. How much of the end of stderr is stored.
STDERR_LIMIT = 32 * 1024
#: Seconds between two checks whether the program has ended.
LOOK = 0.05
#: What gpg says if it has no terminal for its passphrase prompt: it looks at GPG_TTY, then stdin.
#: Other programs, such as stty, say the same of a terminal that they need themselves.
_NO_TERMINAL = re.compile(rb"(?m)^gpg.*Inappropriate ioctl for device")


class Completed:
    """A program's result: status (negative for a signal), stdout, and the end of stderr.

    ``wrote_to_terminal`` says whether the user could read something from it on the terminal.
    """

    def __init__(self) -> None:
        self.status = 0
        self.output = b""
        self.stderr = b""
        self.wrote_to_terminal = False

    def hint(self) -> str:
        """Return what to do about the error on stderr, as the end of a message, or ""."""
        if not _NO_TERMINAL.search(self.stderr):
            return ""
        return (
            " (gpg has no terminal for its passphrase prompt: run export GPG_TTY=$(tty) in your "
            "shell first, or use a graphical pinentry)"
        )


def off_path(program: str, environ: Mapping[str, str]) -> str:
    """Return what to do if the program is not on PATH, as the end of a message, or ""."""
    import shutil  # 3 ms, only for a program that cannot be run

    if not program or "/" in program or shutil.which(program, path=environ.get("PATH")):
        return ""
    return " (it is not on PATH: write its absolute path)"


def run(
    started: children.Children,
    words: Sequence[str],
    environ: Mapping[str, str],
    seconds: float,
    most: int,
) -> Completed:
    """Run a program without a shell and without stdin; show its stderr on the terminal at once.

    Return when the program has ended, even if it has left children running. If it writes more than
    ``most`` bytes to stdout, the rest is not read, and it is ended. OSError or ValueError if it
    cannot be run; TimeoutError if it takes longer than ``seconds``.
    """
    import subprocess  # 6 ms

    child = started.start(  # the user's own command, no shell
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environ),
    )
    terminal = prompt.opened()
    result = Completed()
    try:
        _listen(child, result, time.monotonic() + seconds, most, terminal)
        return result
    finally:
        children.finish(child)
        if terminal is not None:
            os.close(terminal)


def _listen(
    child: subprocess.Popen[bytes], result: Completed, end: float, most: int, terminal: int | None
) -> None:
    """Read both pipes until the program has ended."""
    speaking = [pipe.fileno() for pipe in (child.stdout, child.stderr) if pipe]
    output = speaking[0]
    while True:
        has_ended = child.poll() is not None  # checked first, so that all its output can be read
        left = end - time.monotonic()
        if not has_ended and left <= 0:
            raise TimeoutError
        if not speaking:
            result.status = _status(child, left)
            return
        ready = processes.readable(speaking, 0 if has_ended else min(left, LOOK))
        for descriptor in ready:
            data = os.read(descriptor, 65536)
            if not data:
                speaking.remove(descriptor)
            elif descriptor == output:
                result.output += data
            else:
                result.stderr = (result.stderr + data)[-STDERR_LIMIT:]
                if terminal is not None:
                    prompt.write(terminal, data)
                    result.wrote_to_terminal = result.wrote_to_terminal or bool(data.strip())
        if len(result.output) > most:
            return
        if has_ended and (output not in ready or output not in speaking):
            result.status = child.returncode
            return


def _status(child: subprocess.Popen[bytes], seconds: float) -> int:
    import subprocess

    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
