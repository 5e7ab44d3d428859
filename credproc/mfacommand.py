"""The command of --mfa-command, which prints an MFA code."""

from __future__ import annotations

from credproc import children, helper
from credproc.errorline import error_line
from credproc.errors import CodeNotGiven, UsageError, system_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from credproc.deadline import Deadline

#: Seconds that the command may take.
SECONDS = 30
#: Bytes. The most that is read of its output.
MOST = 4096
#: The variable that tells it which device the code is for.
SERIAL = "CREDPROC_MFA_SERIAL"


class MfaCommand:
    """The command; ``wrote_to_terminal`` says whether it told the user to do something."""

    def __init__(self, line: str, environ: Mapping[str, str], started: children.Children) -> None:
        self.words = split(line)
        self.environ = environ
        self.children = started
        self.wrote_to_terminal = False

    def output(self, serial: str, deadline: Deadline) -> str:
        """Return what the command prints, "" if that is too long; CodeNotGiven if it fails."""
        name = self.words[0]
        limit = min(SECONDS, deadline.remaining())
        environ = {**self.environ, SERIAL: serial}
        try:
            result = helper.run(self.children, self.words, environ, limit, MOST)
        except TimeoutError:
            raise CodeNotGiven(
                f"--mfa-command: {name} took longer than {round(limit, 1):g} s"
            ) from None
        except (OSError, ValueError) as error:
            raise CodeNotGiven(_unfit(name, error, environ)) from None
        if result.status:
            reason = _without_digits(error_line(result.stderr))
            raise CodeNotGiven(
                f"--mfa-command: {name} {children.ending(result.status)}"
                + (f": {reason}" if reason else "")
                + result.hint()
            )
        self.wrote_to_terminal = self.wrote_to_terminal or result.wrote_to_terminal
        return result.output.decode("utf-8", "replace") if len(result.output) <= MOST else ""


def split(command: str) -> list[str]:
    """Return the words of --mfa-command, split as a shell would; UsageError if it is malformed."""
    import shlex  # 3 ms

    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--mfa-command: {str(error).lower()}") from None
    if not words or not words[0]:
        raise UsageError("--mfa-command: the command is empty")
    return words


def _unfit(name: str, error: OSError | ValueError, environ: Mapping[str, str]) -> str:
    """Return why a program cannot be run; for NAME=VALUE without the value."""
    if "=" in name:
        return (
            "--mfa-command: NAME=VALUE is not a program (no shell runs here): put `env` before it"
        )
    reason = system_text(error) if isinstance(error, OSError) else error
    return f"--mfa-command: {name} cannot be run: {reason}{helper.off_path(name, environ)}"


def _without_digits(line: str) -> str:
    """Return a line with its digits masked, which may be a code or part of one."""
    return "".join("*" if letter.isdigit() else letter for letter in line)
