"""Another program's credential_process, for instance a slow one or one that prompts the user."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from credproc import children, helper, recursion, shellsyntax
from credproc.errorline import error_line
from credproc.errors import DeadlineExceeded, ProviderFailed, RequestError, system_text
from credproc.providers import document

if TYPE_CHECKING:
    from credproc.credentials import Credentials
    from credproc.run import Run


#: Bytes. The largest document that is read.
MOST = 2**20
#: What programs say that read from a stdin that is at its end.
NO_STDIN = re.compile(
    r"(?i)^(?!.*(?:://|tcp|unexpected)).*(?:EOFError|EOF when reading|\bEOF$|stdin is not a)"
)


def retrieve(run: Run, profile: str, command: str) -> Credentials:
    """Return the credentials that the profile's credential_process prints; it runs without a shell.

    A helper that wrote to the user's terminal is not run in the background later.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise RequestError(f"credential_process: {str(error).lower()}") from None
    if not words:
        raise RequestError("credential_process is blank")
    name = os.path.basename(words[0]) or words[0]
    slip = shellsyntax.slip(command)
    hint = f" ({slip})" if slip else ""
    result = _completed(run, profile, words, name, hint)
    if len(result.output) > MOST:
        raise ProviderFailed(f"credential_process {name} printed more than {MOST >> 20} MiB")
    if result.status:
        ending = f"{children.ending(result.status)}{_reason(result, slip)}"
        raise ProviderFailed(f"credential_process {name} {ending}")
    try:
        found = document.read(result.output, f"credential_process {name}")
    except ProviderFailed as error:
        raise ProviderFailed(f"{error}{_reason(result, slip)}") from error
    found.person = result.wrote_to_terminal
    return found


def _reason(result: helper.Completed, slip: str) -> str:
    """Return what a helper said about its failure, and what may be wrong with its line."""
    message = error_line(result.stderr) or document.error_text(result.output)
    hint = ""
    if slip and slip not in message:  # otherwise the helper is credproc, which reports it itself
        hint = f" ({slip})"
    if NO_STDIN.match(message):
        hint += " (it has no stdin here; it can prompt on /dev/tty)"
    return (f": {message}" if message else "") + hint + result.hint()


def _completed(run: Run, profile: str, words: list[str], name: str, hint: str) -> helper.Completed:
    """Run the command to its end; return its status and output."""
    environ = recursion.environment(run.environ, [*run.profiles, profile])
    seconds = run.deadline.remaining()
    started = run.log.clock()
    try:
        result = helper.run(run.children, words, environ, seconds, MOST)
    except TimeoutError:
        raise DeadlineExceeded(
            f"credential_process {name} took longer than {seconds:.0f} s"
        ) from None
    except (OSError, ValueError) as error:
        reason = system_text(error) if isinstance(error, OSError) else error
        raise ProviderFailed(
            f"credential_process {words[0]} cannot be run: {reason}"
            f"{hint or helper.off_path(words[0], run.environ)}"
        ) from None
    run.log(f"profile {profile}: {name} ran for {run.log.took(started)}")
    return result
