"""Another program's credential_process, for instance a slow one or one that prompts the user."""

from __future__ import annotations

import json
import os
import shlex
import warnings
from typing import TYPE_CHECKING

from credproc import children, credentials, helper, noshell, recursion
from credproc.complaint import error_line
from credproc.credentials import Credentials
from credproc.errors import DeadlineExceeded, ProviderFailed, RequestError

if TYPE_CHECKING:
    from typing import Any

    from credproc.run import Run


#: Bytes. The largest document that is read.
MOST = 2**20


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
    slip = noshell.slip(command)
    hint = f" ({slip})" if slip else ""
    result = _completed(run, profile, words, name, hint)
    if len(result.output) > MOST:
        raise ProviderFailed(f"credential_process {name} printed more than {MOST >> 20} MiB")
    if result.status:
        reason = error_line(result.stderr)
        raise ProviderFailed(
            f"credential_process {name} {children.ending(result.status)}"
            + (f": {reason}" if reason else "")
            + ("" if slip in reason else hint)
        )
    try:
        found = _read(result.output, f"credential_process {name}")
    except ProviderFailed as error:
        raise ProviderFailed(f"{error}{hint}") from error
    found.person = result.wrote_to_terminal
    return found


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
        reason = getattr(error, "strerror", None) or error
        raise ProviderFailed(
            f"credential_process {words[0]} cannot be run: {reason}{hint}"
        ) from None
    run.log(f"profile {profile}: {name} ran for {run.log.took(started)}")
    return result


def _read(output: bytes, who: str) -> Credentials:
    """Parse the document; ProviderFailed for anything that all consumers would refuse."""
    try:
        answer = json.loads(output)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise ProviderFailed(f"{who} did not print a JSON object")
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
    found = Credentials(
        access_key,
        secret_key,
        _text(answer, "SessionToken", who),
        _time(str(expiration), who) if expiration not in (None, "") else 0,
        account if credentials.is_account(account) else "",
        "process",
    )
    found.scope = _text(answer, "CredentialScope", who)
    return found


def _time(text: str, who: str) -> int:
    """Return the epoch seconds of an Expiration in any form that botocore accepts from a helper."""
    try:
        return credentials.read_time(text, who)
    except ProviderFailed:
        if not text.strip().strip("0123456789."):
            raise  # seconds or milliseconds, which no SDK accepts
        from botocore.utils import parse_timestamp  # 120 ms

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about unknown time zones
                moment = parse_timestamp(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise
    return int(moment.timestamp()) or 1


def _text(answer: dict[str, Any], name: str, who: str) -> str:
    value = answer.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or not credentials.is_key_text(value):
        raise ProviderFailed(f"{who} printed an unreadable {name}")
    return value
