"""Credentials, and the formats in which they are printed."""

from __future__ import annotations

import datetime
import json
import re
import time

from credproc.errors import ProviderFailed, RequestError, masked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,]\d+)?"
    r"(?:(Z|UTC)|([+-])([01]\d|2[0-3]):?([0-5]\d))",
    re.ASCII | re.IGNORECASE,
)
# What shells, PowerShell and cmd.exe all accept unquoted.
_PLAIN = re.compile(r"[A-Za-z0-9_+=/.,:@-]+", re.ASCII)
# To PowerShell these are all the same quote.
_POWERSHELL_QUOTES = re.compile("['\u2018-\u201b]")

#: What an Expiration must be.
ISO = " (it must be an ISO 8601 time with a zone)"

#: The variables that SDKs read, with the field of the document for each, "" for none.
VARIABLES = {
    "AWS_ACCESS_KEY_ID": "AccessKeyId",
    "AWS_SECRET_ACCESS_KEY": "SecretAccessKey",
    "AWS_SESSION_TOKEN": "SessionToken",
    "AWS_CREDENTIAL_EXPIRATION": "Expiration",
    "AWS_ACCOUNT_ID": "AccountId",
    "AWS_CREDENTIAL_SCOPE": "CredentialScope",
    "AWS_SECURITY_TOKEN": "",
}


class Credentials:
    """Temporary credentials: keys, token, expiration (epoch seconds) and, if known, the account.

    Long-term keys have neither token nor expiration (0). ``provider`` is the name of the issuer;
    ``issued`` is when they were fetched, 0 for just now; ``person`` says that fetching them took
    an MFA code or another action of a person.
    """

    __slots__ = (
        "access_key",
        "secret_key",
        "token",
        "expiration",
        "account_id",
        "arn",
        "role",
        "provider",
        "issued",
        "person",
        "scope",
    )

    def __init__(
        self,
        access_key: str,
        secret_key: str,
        token: str,
        expiration: int,
        account_id: str = "",
        provider: str = "",
    ) -> None:
        self.access_key = access_key
        self.secret_key = secret_key
        self.token = token
        self.expiration = expiration
        self.account_id = account_id
        #: The ARN of their identity, if the issuer returned it.
        self.arn = ""
        #: The name of the instance's role, which IMDS returns instead.
        self.role = ""
        self.provider = provider
        self.issued = 0
        self.person = False
        #: The CredentialScope of a helper's document, which the SDK for JavaScript reads.
        self.scope = ""

    def __repr__(self) -> str:
        return f"<Credentials {masked(self.access_key)} from {self.provider or '?'}>"

    def __str__(self) -> str:
        """Return the access key and its issuer, for the log."""
        return f"access key {masked(self.access_key)} from {self.provider or 'an unknown provider'}"

    def draw(self) -> float:
        """Return a number from 0 to 1 that depends on the key: all its entries refresh together."""
        return int.from_bytes(self.access_key.encode("utf-8", "replace"), "big") % 9973 / 9973

    def secrets(self) -> list[str]:
        """Return what must never be shown (of the access key only the end is, see masked)."""
        return [value for value in (self.access_key, self.secret_key, self.token) if value]


def from_response(
    response: Any, names: tuple[str, str, str, str], provider: str, where: str
) -> Credentials:
    """Read credentials from a parsed response whose fields have ``names``, in the class's order.

    ProviderFailed for a missing or invalid field; its message begins with ``where``.
    """
    if not isinstance(response, dict):
        raise ProviderFailed(f"{where} answered with something other than credentials")
    values = [response.get(name) for name in names]
    for name, value in zip(names, values, strict=True):
        if value is None or value == "":
            raise ProviderFailed(f"{where} answered without {name}")
        if not isinstance(value, str) or not is_key_text(value):
            raise ProviderFailed(f"{where} answered with an unreadable {name}")
    access_key, secret_key, token, expiration = (str(value) for value in values)
    account = response.get("AccountId")
    return Credentials(
        access_key,
        secret_key,
        token,
        read_time(expiration, where),
        account if isinstance(account, str) and is_account(account) else "",
        provider,
    )


def is_key_text(value: str) -> bool:
    """Whether a key or a token may have this text: visible ASCII characters without spaces."""
    return all("!" <= letter <= "~" for letter in value)


def is_account(value: str) -> bool:
    """Whether this is a valid account ID."""
    return len(value) == 12 and not value.strip("0123456789")


def read_time(text: str, where: str) -> int:
    """Return the epoch seconds of an ISO 8601 time with a zone, without its fraction."""
    match = _TIME.fullmatch(text)
    if not match:
        raise ProviderFailed(f"{where} answered with an unreadable Expiration{ISO}")
    numbers = [int(part) for part in match.groups()[:6]]
    sign, hours, minutes = match.group(8), match.group(9), match.group(10)
    try:
        moment = datetime.datetime(*numbers, tzinfo=datetime.timezone.utc)  # type: ignore[misc,arg-type]
        offset = datetime.timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        moment = moment + offset if sign == "-" else moment - offset
    except (ValueError, OverflowError):
        raise ProviderFailed(f"{where} answered with an unreadable Expiration{ISO}") from None
    return int(moment.timestamp()) or 1  # 0 means that keys never expire


def write_time(seconds: int) -> str:
    """Return epoch seconds in UTC, in the one form that every consumer can parse."""
    # Not every C library pads a year before 1000, and then it could not be parsed again.
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)).zfill(20)


def document(credentials: Credentials, expiration: int | None = None) -> bytes:
    """Return the credential_process document: one line of ASCII JSON, version 1.

    ``expiration`` replaces the credentials' own (see windows.static_stability).
    """
    fields: dict[str, object] = {
        "Version": 1,
        "AccessKeyId": credentials.access_key,
        "SecretAccessKey": credentials.secret_key,
    }
    if credentials.token:
        fields["SessionToken"] = credentials.token
    fields["Expiration"] = write_time(expiration or credentials.expiration)
    if credentials.account_id:
        fields["AccountId"] = credentials.account_id
    if credentials.scope:
        fields["CredentialScope"] = credentials.scope
    return json.dumps(fields).encode("ascii") + b"\n"


def from_document(data: bytes, provider: str) -> Credentials:
    """Return the credentials that document() printed."""
    fields = json.loads(data)
    found = Credentials(
        fields["AccessKeyId"],
        fields["SecretAccessKey"],
        fields.get("SessionToken", ""),
        read_time(fields["Expiration"], "the cache"),
        fields.get("AccountId", ""),
        provider,
    )
    found.scope = fields.get("CredentialScope", "")
    return found


def arn_line(found: Credentials) -> bytes:
    """Return the ARN as a line; RequestError if the issuer did not return it."""
    if found.arn:
        return _encoded(f"{found.arn}\n", "--field")
    role = f" (it is the instance's role {found.role})" if found.role else ""
    raise RequestError(
        f"--field: the ARN of these credentials is unknown{role}, because their issuer did not "
        "return it: use `aws sts get-caller-identity`"
    )


def field(data: bytes, name: str) -> bytes:
    """Return one field of a document as a line."""
    value = json.loads(data).get(name)
    if value is None:
        reason = "these are long-term keys"
        if name == "AccountId":
            reason = "their issuer did not return it; use `aws sts get-caller-identity`"
        raise RequestError(f"--field: these credentials have no {name}: {reason}")
    return _encoded(f"{value}\n", "--field")


def variables(data: bytes) -> dict[str, str]:
    """Return a document as the variables that SDKs read; "" for a variable that must be unset.

    Otherwise variables of another identity in the shell would be used with these keys: the SDKs
    choose DynamoDB's endpoint by AWS_ACCOUNT_ID, and AWS_SECURITY_TOKEN is the old name of
    AWS_SESSION_TOKEN. Long-term keys do not expire: their document says when to run credproc again.
    """
    fields = json.loads(data)
    if not fields.get("SessionToken"):
        fields.pop("Expiration", None)
    return {name: str(fields.get(key, "")) for name, key in VARIABLES.items()}


def formatted(data: bytes, style: str) -> bytes:
    """Return a document in one of the formats of ``aws configure export-credentials``.

    It depends only on the document, because the result is cached.
    """
    if style == "process":
        return data
    write: Callable[[str, str], str] = {
        "env": lambda name, value: f"export {name}={_posix(value)}",
        "env-no-export": lambda name, value: f"{name}={_posix(value)}",
        "fish": lambda name, value: f'set -gx {name} "{_fish(value)}"',
        "powershell": lambda name, value: f"$Env:{name}={_powershell(value)}",
        "windows-cmd": lambda name, value: f"set {name}={_cmd(value)}",
    }[style]
    unset = {
        "env": "unset {}",
        "env-no-export": "{}=",  # for a file for `docker run --env-file`
        "fish": "set -e {}; or true",  # set -e fails if the variable is not set
        "powershell": "$Env:{}=$null",
        "windows-cmd": "set {}=",
    }[style]
    lines = [
        write(name, value) if value else unset.format(name)
        for name, value in variables(data).items()
    ]
    return _encoded("".join(f"{line}\n" for line in lines), f"--format {style}")


def _encoded(text: str, option: str) -> bytes:
    """Return the text as UTF-8; RequestError for text that a shell variable cannot contain."""
    try:
        data = text.encode()
    except UnicodeEncodeError:
        data = b"\0"
    if b"\0" in data:
        raise RequestError(f"{option}: these credentials contain characters that it cannot express")
    return data


def _posix(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else "'" + value.replace("'", "'\"'\"'") + "'"


def _fish(value: str) -> str:
    """Escape what is special to fish in double quotes, which the AWS CLI writes too."""
    return "".join(f"\\{letter}" if letter in '\\"$' else letter for letter in value)


def _powershell(value: str) -> str:
    # Double quotes, as the AWS CLI writes; single ones if $ or ` would be special.
    if _PLAIN.fullmatch(value):
        return f'"{value}"'
    return "'" + _POWERSHELL_QUOTES.sub(r"\g<0>\g<0>", value) + "'"


def _cmd(value: str) -> str:
    if not _PLAIN.fullmatch(value):
        raise RequestError("--format windows-cmd: cmd.exe cannot quote these credentials")
    return value
