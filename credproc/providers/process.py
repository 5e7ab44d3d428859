"""Another credential_process: one that is slow, asks for something, or knows another identity."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from typing import TYPE_CHECKING

from credproc import children, credentials, recursion
from credproc.credentials import Credentials
from credproc.errors import DeadlineExceeded, ProviderFailed, RequestError
from credproc.providers import sts
from credproc.supervision import supervised

if TYPE_CHECKING:
    from typing import Any

    from credproc.run import Run


def retrieve(run: Run, profile: str, command: str) -> Credentials:
    """Return what the profile's credential_process prints; it is run once, and without a shell."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise RequestError(f"credential_process: {str(error).lower()}") from None
    if not words:
        raise RequestError("credential_process is empty")
    name = os.path.basename(words[0]) or words[0]
    status, output, complaint = _finished(run, profile, words)
    if status:
        said = children.last_line(complaint)
        raise ProviderFailed(
            f"credential_process {name} ended with {children.ending(status)}"
            + (f": {said}" if said else "")
        )
    return _read(output, f"credential_process {name}")


def _finished(run: Run, profile: str, words: list[str]) -> tuple[int, bytes, bytes]:
    """Run to the end; return the status and what came on stdout and stderr."""
    try:
        child = run.children.start(  # the user's own command, no shell
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=recursion.environment(run.environ, [*run.profiles, profile]),
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ProviderFailed(f"credential_process {words[0]} cannot be run: {reason}") from None
    seconds = run.deadline.remaining()
    try:
        output, complaint = supervised(
            lambda: child.communicate(timeout=seconds), run.deadline, run.log, most=sts.MOST
        )
    except subprocess.TimeoutExpired:
        raise DeadlineExceeded(
            f"credential_process {os.path.basename(words[0])} took longer than {seconds:.0f} s"
        ) from None
    finally:
        children.finish(child)
    return child.returncode, output, complaint


def _read(output: bytes, who: str) -> Credentials:
    """Read the document; ProviderFailed for anything that every consumer would refuse."""
    try:
        answer = json.loads(output)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise ProviderFailed(f"{who} printed no JSON object")
    if answer.get("Version") != 1:
        raise ProviderFailed(f"{who} printed a document whose Version is not 1")
    access_key, secret_key = (
        _text(answer, name, who) for name in ("AccessKeyId", "SecretAccessKey")
    )
    if not access_key or not secret_key:
        name = "SecretAccessKey" if access_key else "AccessKeyId"
        raise ProviderFailed(f"{who} printed no {name}")
    expiration = answer.get("Expiration")
    account = _text(answer, "AccountId", who)
    return Credentials(
        access_key,
        secret_key,
        _text(answer, "SessionToken", who),
        credentials.read_time(str(expiration), who) if expiration not in (None, "") else 0,
        account if credentials.is_account(account) else "",
        "process",
    )


def _text(answer: dict[str, Any], name: str, who: str) -> str:
    value = answer.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or not credentials.is_key_text(value):
        raise ProviderFailed(f"{who} printed an unreadable {name}")
    return value
