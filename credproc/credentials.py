"""Credentials, and the documents they are printed as."""

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
# What a shell, PowerShell and cmd.exe all take as it is, unquoted.
_PLAIN = re.compile(r"[A-Za-z0-9_+=/.,:@-]+", re.ASCII)
# Any of these ends a string that any other began.
_POWERSHELL_QUOTES = re.compile("['\u2018-\u201b]")


#: The variables that SDKs read, and the fields of the document that they are set from.
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

    Long-term keys have neither token nor expiration (0). ``provider`` names what issued them;
    ``issued`` is when they came, 0 for just now; ``person`` says that somebody was asked for an MFA
    code on the way.
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
        #: Who they are for AWS, as far as the issuer said so.
        self.arn = ""
        #: The name of the instance's role, which IMDS tells instead.
        self.role = ""
        self.provider = provider
        self.issued = 0
        self.person = False
        #: The CredentialScope of a helper's document, which the SDK for JavaScript reads.
        self.scope = ""

    def __repr__(self) -> str:
        return f"<Credentials {masked(self.access_key)} from {self.provider or 'nobody'}>"

    def __str__(self) -> str:
        """Say whose they are, for the log."""
        return f"access key {masked(self.access_key)} from {self.provider or 'an unknown provider'}"

    def draw(self) -> float:
        """Return a number from 0 to 1 of their own: all entries of one set are renewed together."""
        return int.from_bytes(self.access_key.encode("utf-8", "replace"), "big") % 9973 / 9973

    def secrets(self) -> list[str]:
        """Return what must never be shown; of the access key only the end is (see masked)."""
        return [value for value in (self.access_key, self.secret_key, self.token) if value]


def from_answer(
    answer: Any, names: tuple[str, str, str, str], provider: str, where: str
) -> Credentials:
    """Read credentials from a parsed answer whose fields have ``names``, in the order of the class.

    ``where`` begins the message of the ProviderFailed that anything missing or odd ends in.
    """
    if not isinstance(answer, dict):
        raise ProviderFailed(f"{where} answered with something else than credentials")
    values = [answer.get(name) for name in names]
    for name, value in zip(names, values, strict=True):
        if value is None or value == "":
            raise ProviderFailed(f"{where} answered without {name}")
        if not isinstance(value, str) or not is_key_text(value):
            raise ProviderFailed(f"{where} answered with an unreadable {name}")
    access_key, secret_key, token, expiration = (str(value) for value in values)
    account = answer.get("AccountId")
    return Credentials(
        access_key,
        secret_key,
        token,
        read_time(expiration, where),
        account if isinstance(account, str) and is_account(account) else "",
        provider,
    )


def is_key_text(value: str) -> bool:
    """Whether a key or a token may read so: visible ASCII characters, and no blanks."""
    return all("!" <= letter <= "~" for letter in value)


def is_account(value: str) -> bool:
    """Whether an account may have this number."""
    return len(value) == 12 and not value.strip("0123456789")


def read_time(text: str, where: str) -> int:
    """Return the epoch seconds of an ISO 8601 time with a zone; a fraction is cut off."""
    match = _TIME.fullmatch(text)
    if not match:
        raise ProviderFailed(f"{where} answered with an unreadable Expiration")
    numbers = [int(part) for part in match.groups()[:6]]
    sign, hours, minutes = match.group(8), match.group(9), match.group(10)
    try:
        moment = datetime.datetime(*numbers, tzinfo=datetime.timezone.utc)  # type: ignore[misc,arg-type]
        offset = datetime.timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        moment = moment + offset if sign == "-" else moment - offset
    except (ValueError, OverflowError):
        raise ProviderFailed(f"{where} answered with an unreadable Expiration") from None
    return int(moment.timestamp()) or 1  # 0 is for keys that never expire


def write_time(seconds: int) -> str:
    """Return epoch seconds as UTC in the one form that every consumer reads."""
    # A year before 1000 is not padded by every C library, and then could not be read back.
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)).zfill(20)


def document(credentials: Credentials, expiration: int | None = None) -> bytes:
    """Return the credential_process document: one line of ASCII JSON, version 1.

    ``expiration`` stands in for the credentials' own (see windows.static_stability).
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
    """Return the ARN as a line; RequestError if the issuer did not say it."""
    if found.arn:
        return _encoded(f"{found.arn}\n", "--field")
    role = f" (it is the instance's role {found.role})" if found.role else ""
    raise RequestError(
        f"--field: the ARN of these credentials is unknown{role}: their issuer did not say; "
        "`aws sts get-caller-identity` knows"
    )


def field(data: bytes, name: str) -> bytes:
    """Return one field of a document as a line."""
    value = json.loads(data).get(name)
    if value is None:
        known = "AccountId" if name == "AccountId" else "SessionToken"
        reason = {
            "AccountId": "their issuer did not say; `aws sts get-caller-identity` knows",
            "SessionToken": "these are long-term keys",
        }[known]
        raise RequestError(f"--field: these credentials have no {name}: {reason}")
    return _encoded(f"{value}\n", "--field")


def variables(data: bytes) -> dict[str, str]:
    """Return a document as the variables that SDKs read; "" for one that must not be set.

    What another identity has left in the shell would be used with these keys: DynamoDB's endpoint
    is chosen by AWS_ACCOUNT_ID, and AWS_SECURITY_TOKEN is AWS_SESSION_TOKEN's old name. Long-term
    keys do not expire: what their document says is when to run credproc again.
    """
    fields = json.loads(data)
    if not fields.get("SessionToken"):
        fields.pop("Expiration", None)
    return {name: str(fields.get(key, "")) for name, key in VARIABLES.items()}


def formatted(data: bytes, style: str) -> bytes:
    """Return a document in one of the formats of ``aws configure export-credentials``.

    A function of the document alone: what it returns is cached.
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
        "env-no-export": "{}=",  # of a file for `docker run --env-file`
        "fish": "set -e {}; or true",  # which fails for what is not set
        "powershell": "$Env:{}=$null",
        "windows-cmd": "set {}=",
    }[style]
    lines = [
        write(name, value) if value else unset.format(name)
        for name, value in variables(data).items()
    ]
    return _encoded("".join(f"{line}\n" for line in lines), f"--format {style}")


def _encoded(text: str, option: str) -> bytes:
    """Return the text as UTF-8; RequestError for what no shell's variable can hold."""
    try:
        data = text.encode()
    except UnicodeEncodeError:
        data = b"\0"
    if b"\0" in data:
        raise RequestError(f"{option}: these credentials hold characters that it cannot express")
    return data


def _posix(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else "'" + value.replace("'", "'\"'\"'") + "'"


def _fish(value: str) -> str:
    """Escape what means something to fish between double quotes, which are the AWS CLI's shape."""
    return "".join(f"\\{letter}" if letter in '\\"$' else letter for letter in value)


def _powershell(value: str) -> str:
    # The double quotes are the AWS CLI's shape; single ones where $ or ` would mean something.
    if _PLAIN.fullmatch(value):
        return f'"{value}"'
    return "'" + _POWERSHELL_QUOTES.sub(r"\g<0>\g<0>", value) + "'"


def _cmd(value: str) -> str:
    if not _PLAIN.fullmatch(value):
        raise RequestError("--format windows-cmd: cmd.exe has no way to quote these credentials")
    return value
