"""The document that a credential_process prints, and what it says where it has no credentials."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING

from credproc import credentials
from credproc.credentials import Credentials
from credproc.errorline import error_line
from credproc.errors import ProviderFailed

if TYPE_CHECKING:
    from typing import Any

#: Keys under which helpers report an error in a JSON object.
ERRORS = ("error", "errors", "error_description", "errormessage", "message", "detail")


def read(output: bytes, who: str) -> Credentials:
    """Parse the document; ProviderFailed for anything that all consumers would refuse."""
    answer = _parsed(output)
    if answer is None:
        raise ProviderFailed(f"{who} did not print a JSON object{_instead(output)}")
    if answer.get("Version") != 1:
        version = answer.get("Version")
        what = "without a Version" if version is None else "whose Version is not the number 1"
        if isinstance(answer.get("Credentials"), dict):
            what = "of another form (its credentials are in an inner object)"
        raise ProviderFailed(f"{who} printed a document {what}")
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


def error_text(output: bytes) -> str:
    """Return the error in an output without credentials, "" if it has none.

    An output is shown only if it says that something failed: it may be a password.
    """
    answer = _parsed(output)
    if answer is None:
        return error_line(output, only_failing=True)
    if answer.get("AccessKeyId"):
        return ""
    texts = [answer[name] for name in answer if name.lower() in ERRORS]
    found = [text for text in texts if isinstance(text, str) and text.strip()]
    return error_line(" ".join(" ".join(found).split()).encode()) if found else ""


def _parsed(output: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(output)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _instead(output: bytes) -> str:
    """Return what was printed instead of a JSON object, "" if it is something unknown."""
    if not output.strip():
        return " (it printed nothing)"
    if b"AWS_SECRET_ACCESS_KEY=" in output:
        return " (it printed variables for a shell)"
    if b'"SecretAccessKey"' in output:
        return " alone (it printed more than the object, or a part of it)"
    return ""


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
