"""What AWS accepts: the limits of names, ARNs and numbers, checked before any I/O.

Every check returns what is wrong and what is allowed, or "". The limits are those of the STS API
reference (AssumeRole, GetSessionToken) and of the IAM user guide (IAM and STS character limits).
"""

from __future__ import annotations

from credproc.credentials import is_account

ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
WORD = ALNUM + "_"
NAME = WORD + "+=,.@-"

FORMATS = ("process", "env", "env-no-export", "powershell", "windows-cmd", "fish")
FIELDS = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration", "AccountId", "Arn")
SOURCES = "env, profile:NAME, imds, imds:ROLE, container or web-identity"
#: Those without a name.
KINDS = ("env", "imds", "container", "web-identity")

#: Seconds that --timeout may allow.
MAX_TIMEOUT = 3600
#: Characters. Longer values are not shown in messages: one may be a secret without its option.
LONGEST_SHOWN = 32
#: Seconds. AWS caps the session of a role that was assumed with another role's credentials.
CHAINED_MAXIMUM = 3600
#: Seconds of a role session if no duration is given.
DEFAULT_DURATION = 3600


def _text(value: str, least: int, most: int, allowed: str, shown: str) -> str:
    # strip() removes allowed characters from both ends, so any other character is left.
    if not least <= len(value) <= most or value.strip(allowed):
        return f"must be {least} to {most} characters of {shown}"
    return ""


def role_name(value: str) -> str:
    """Check the name of an IAM role (no path)."""
    return _text(value, 1, 64, NAME, "A-Z a-z 0-9 _ + = , . @ -")


def any_role_arn(value: str) -> str:
    """Check a role's ARN by the API's own limits, for a service that is not AWS's.

    Ceph has roles without an account, and MinIO takes any text; without "arn:" it may be a secret.
    """
    if 20 <= len(value) <= 2048 and value.isprintable() and value.startswith("arn:"):
        return ""
    return "must be a role's ARN, like arn:aws:iam::123456789012:role/NAME"


def role_arn(value: str) -> str:
    """Check a role's ARN, of any partition of AWS."""
    expected = any_role_arn("")
    if any_role_arn(value):
        return expected
    parts = value.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or parts[2:4] != ["iam", ""]:
        return expected
    if not _is_partition(parts[1]) or not is_account(parts[4]):
        return expected
    kind, slash, rest = parts[5].partition("/")
    path, _, name = rest.rpartition("/")
    if kind != "role" or not slash or role_name(name) or not _is_path(path):
        return expected
    return ""


def policy_arn(value: str) -> str:
    """Check a managed policy's ARN, customer managed or AWS managed."""
    parts = value.split(":", 5)
    if (
        not 20 <= len(value) <= 2048
        or len(parts) != 6
        or parts[0] != "arn"
        or not _is_partition(parts[1])
        or parts[2:4] != ["iam", ""]
        or not (parts[4] == "aws" or is_account(parts[4]))
        or not parts[5].startswith("policy/")
        or not _is_path(parts[5][7:])
        or parts[5].endswith("/")
    ):
        return "must be a policy's ARN, like arn:aws:iam::aws:policy/ReadOnlyAccess"
    return ""


def _is_partition(value: str) -> bool:
    return value.startswith("aws") and len(value) <= 64 and not value.strip(ALNUM + "-")


def _is_path(value: str) -> bool:
    return len(value) <= 512 and all("!" <= character <= "~" for character in value)


def role_session_name(value: str) -> str:
    """Check a RoleSessionName."""
    return _text(value, 2, 64, NAME, "A-Z a-z 0-9 _ + = , . @ -")


def source_identity(value: str) -> str:
    """Check a SourceIdentity. The newest service model allows 256 characters, older ones 64."""
    return _text(value, 2, 256, NAME, "A-Z a-z 0-9 _ + = , . @ -")


def external_id(value: str) -> str:
    """Check an ExternalId."""
    return _text(value, 2, 1224, NAME + ":/", "A-Z a-z 0-9 _ + = , . @ : / -")


def serial_number(value: str) -> str:
    """Check the serial number or ARN of an MFA device."""
    return _text(value, 9, 256, NAME + ":/", "A-Z a-z 0-9 _ + = / : , . @ -")


def sts_region(value: str) -> str:
    """Check that a region can be part of a host name."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    if not 1 <= len(value) <= 63 or value.strip(letters + "-") or value != value.strip("-"):
        return "must be a region, like eu-central-1"
    return ""


def duration_seconds(value: str) -> str:
    """Check a session's duration in seconds."""
    return _seconds(value, 43200)


def mfa_session(value: str) -> str:
    """Check the duration of an MFA session in seconds (GetSessionToken)."""
    return _seconds(value, 129600)


def _seconds(value: str, most: int) -> str:
    is_number = 1 <= len(value) <= len(str(most)) and not value.strip("0123456789")
    if is_number and 900 <= int(value) <= most:
        return ""
    return f"must be a whole number of seconds from 900 to {most}"


def tag(value: str) -> str:
    """Check a session tag, KEY=VALUE."""
    key, equals, rest = value.partition("=")
    if not equals:
        return "must be KEY=VALUE"
    if transitive_tag_key(key):
        return f"the key {transitive_tag_key(key)}"
    if len(rest) > 256 or not _is_tag_text(rest):
        return "the value must be at most 256 letters, digits, spaces and _ . : / = + - @"
    return ""


def transitive_tag_key(value: str) -> str:
    """Check the key of a session tag."""
    if not 1 <= len(value) <= 128 or not _is_tag_text(value):
        return "must be 1 to 128 letters, digits, spaces and _ . : / = + - @"
    return ""


def _is_tag_text(value: str) -> bool:
    # The API's \p{L}\p{Z}\p{N}: letters, separators and numbers, but no control characters.
    return all(
        character.isalnum()
        or character in "_.:/=+-@ "
        or (character.isspace() and character >= "\xa0")
        for character in value
    )


def policy(value: str) -> str:
    """Check the size and the characters of an inline session policy (its JSON is checked later)."""
    if not 1 <= len(value) <= 2048:
        return "must be JSON of at most 2048 characters"
    if any(character not in "\t\n\r" and not " " <= character <= "\xff" for character in value):
        return "must be JSON of characters from U+0020 to U+00FF"
    return ""


def profile_name(value: str) -> str:
    """Check the name of a profile in the shared config."""
    if value and value.isprintable() and "]" not in value:
        return ""
    return "must be a profile name (printable characters, but no ])"


def source(value: str) -> str:
    """Check the value of --source."""
    kind, colon, rest = value.partition(":")
    if not colon:
        known = value in KINDS
    elif kind == "profile":
        known = not profile_name(rest)
    else:
        known = kind == "imds" and not role_name(rest)
    return "" if known else f"must be one of {SOURCES}"


def timeout(value: str) -> str:
    """Check a number of seconds for --timeout, 1 to MAX_TIMEOUT; digits with at most one point."""
    if (
        not 1 <= len(value) <= 8
        or value.strip("0123456789.")
        or value.count(".") > 1
        or value == "."
        or not 1 <= float(value) <= MAX_TIMEOUT
    ):
        return f"must be a number of seconds from 1 to {MAX_TIMEOUT}"
    return ""


def output_format(value: str) -> str:
    """Check the name of an output format."""
    return "" if value in FORMATS else f"must be one of {', '.join(FORMATS)}"


def output_field(value: str) -> str:
    """Check the name of a field of the document."""
    return "" if value in FIELDS else f"must be one of {', '.join(FIELDS)}"


def cache_dir(value: str) -> str:
    """Check a cache directory's path. ~ and $HOME are not expanded in a credential_process."""
    return "" if value.startswith("/") and "\0" not in value else "must be an absolute path"
