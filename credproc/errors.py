"""The errors that end a run, and how a message is made fit for one line of stderr."""

from __future__ import annotations

import errno
import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Characters. Consumers paste stderr into their own message, so a long server message is cut here.
MAX_LINE = 1500

#: The part of a message that says that there is no IMDS because this is another kind of machine,
#: and what is added for a user who did not write --imds.
NO_INSTANCE = "this is not an EC2 instance"
ELSEWHERE = "; on other machines use --profile NAME, or --role-arn ARN with --source SOURCE"

#: Errors of a system call that hits a limit of the process, or of the machine, and where it is set.
LIMITS = {
    errno.EMFILE: "ulimit -n",
    errno.ENFILE: "sysctl fs.file-max",
    errno.EAGAIN: "ulimit -u, or the container's limit",
    errno.ENOMEM: "ulimit -v, or the container's limit",
}
NO_MEMORY = f"there is not enough memory (see {LIMITS[errno.ENOMEM]})"
#: What the system's loader says if it has no memory or descriptors, or if mmap is forbidden.
_UNMAPPED = re.compile(r"(?i)map segment|cannot allocate|too many open files")

#: Variables that decide which libraries and modules Python loads.
LOADER = ("LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH")

#: What replaces a secret in a message.
HIDDEN = "[secret]"
#: Characters of the shortest secret (an MFA code), and of a part that gives too much of one away.
SHORTEST, PART = 6, 8
#: A value that its name marks as a secret: it catches secrets in a response that could not be
#: parsed, or that was not requested. After a name that prose also has, it needs "=" or a digit.
NAMED = (
    r"(?i)((?:(?:secret_?access_?key|session_?token|security[-_]token|access_?token|"
    r"refresh_?token|client_?secret|saml_?response|[\"'<](?:token|authorization|password))"
    r"[\"']?\s*[:=>]\s*|"
    r"(?<![a-z])(?:token|authorization|password|passwd|passphrase|secret|api_?key)[\"']?"
    r"(?:=|\s*[:=]\s*(?=[^\s\"'<>&,}]*\d)))[\"']?(?:(?:bearer|basic)\s+)?|"
    r"authorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic)\s+|\b(?:bearer|basic)\s+(?=\S*[\d=]))"
    r"[^\s\"'<>&,}]{6,}"
)

#: The user name and password in a URL, which may contain slashes that should have been escaped.
USERINFO = r"//[^\s\"']+@"


class CredprocError(Exception):
    """The base class of errors that end a run with one line on stderr and an exit status.

    It is never raised itself. The message is the sentence that the user reads.
    """

    status = 1
    #: Whether the failure is cached for a few seconds, so that a loop does not repeat the call.
    cacheable = True


class RequestError(CredprocError):
    """The command line or the configuration is invalid."""

    status = 2
    cacheable = False


class UsageError(RequestError):
    """The command line itself is wrong."""


class TextRequested(Exception):
    """--help or --version: the text to print instead of credentials."""


class ProviderUnavailable(CredprocError):
    """The provider does not apply here; credproc tries the next one.

    If valid credentials of the same provider are cached, this is a failed refresh instead: doubt is
    no reason to change the identity. The next provider is tried all the same if the change is
    ``certain`` (the instance has another role now).
    """

    def __init__(self, message: str, certain: bool = False) -> None:
        super().__init__(message)
        self.certain = certain


class ProviderFailed(CredprocError):
    """The provider applies but failed; no other provider is tried."""


class SourceRejected(ProviderFailed):
    """STS did not accept the source credentials: expired, revoked or unknown to it."""


class CodeNotGiven(ProviderFailed):
    """No MFA code was given; the user may try again at once."""

    cacheable = False


class WrongCode(CodeNotGiven):
    """STS did not accept the MFA code: it was mistyped or already used."""


class NoPrompt(CodeNotGiven):
    """There is neither a terminal nor an --mfa-command to get an MFA code from."""


class DeadlineExceeded(ProviderFailed):
    """The time limit (--timeout) was exceeded."""


class StillWaiting(DeadlineExceeded):
    """Another process was fetching the credentials until the time limit; it may yet succeed."""

    cacheable = False


class CachedFailure(ProviderFailed):
    """The cached failure of another run, reported instead of repeating the call."""

    cacheable = False


def is_own(error: BaseException | None) -> bool:
    """Whether a failure says nothing about other runs: a wrong request, a wait without a result, or
    a limit of this process that was reached."""
    if isinstance(error, (RequestError, StillWaiting)):
        return True
    while error is not None:
        if isinstance(error, (MemoryError, ImportError)) or getattr(error, "errno", 0) in LIMITS:
            return True
        error = error.__cause__ or error.__context__
    return False


def mistake(error: Exception, who: str = "credproc") -> str:
    """Return the message for an unexpected error, without its text, which may contain a secret."""
    if isinstance(error, ImportError):
        return _unloadable(error, os.environ)
    if isinstance(error, MemoryError):
        return NO_MEMORY
    if isinstance(error, OSError) and error.errno in LIMITS:
        return system_text(error)
    step = error.__traceback__
    while step and step.tb_next:
        step = step.tb_next
    file = os.path.basename(step.tb_frame.f_code.co_filename) if step else ""
    where = f" at {file}:{step.tb_lineno}" if step else ""
    return (
        f"internal error in {who}: {type(error).__name__}{where}; please report it with the output "
        "of -v"
    )


def _unloadable(error: ImportError, environ: Mapping[str, str]) -> str:
    """Return the message for a module, or a library that it needs, that Python cannot load."""
    reason = error
    try:
        import ssl  # noqa: F401  # without it other libraries fail to load for obscure reasons
    except ImportError as first:
        reason = first
    named = [name for name in LOADER if environ.get(name)]
    hint = "reinstall credproc: a library, or the Python it runs on, was changed or removed"
    if named:
        hint = (
            f"{' and '.join(named)} may make Python load the wrong libraries: unset it (env -u "
            f"{named[0]} credproc ...)"
        )
    elif _UNMAPPED.search(str(reason)):
        hint = (
            "there is too little memory or there are too many open files (see ulimit -a), or the "
            "library is on a file system that is mounted noexec"
        )
    return f"Python cannot load a module that credproc needs ({reason}): {hint}"


def reason(error: Exception) -> str:
    """Return the text of an error; for an OSError without its number."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    where = f"{error.filename}: " if isinstance(error.filename, str) else ""
    return f"{where}{system_text(error)}"


def system_text(error: OSError) -> str:
    """Return the text of a system call's error, with the limit that was reached, if it was one."""
    limit = LIMITS.get(error.errno or 0)
    return f"{error.strerror or error}" + (f" (see {limit})" if limit else "")


def clean(text: str, secrets: Iterable[str] = ()) -> str:
    """Return ``text`` as one line that is safe to print on a terminal.

    Secrets, parts of them, and values named like a secret (see NAMED) are replaced; control
    characters (terminal escapes, line ends) and what UTF-8 cannot encode become spaces or question
    marks; runs of spaces become one; the text is cut at MAX_LINE.
    """
    text = _without(text[: 4 * MAX_LINE], secrets)
    text = "".join(_printable(character) for character in text)
    text = " ".join(text.split())
    return text if len(text) <= MAX_LINE else text[: MAX_LINE - 3] + "..."


def _without(text: str, secrets: Iterable[str]) -> str:
    """Return the text with each secret, and each long enough part of one, replaced by HIDDEN.

    A server may truncate a token in its message, or escape some of its characters.
    """
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= SHORTEST:
            text = text.replace(secret, HIDDEN)
        if len(secret) > PART:
            text = _without_parts(text, secret)
    text = re.sub(USERINFO, f"//{HIDDEN}@", text)
    return re.sub(NAMED, rf"\1{HIDDEN}", text)


def apart(secret: str, public: str) -> list[str]:
    """Return the pieces of a secret that do not appear in ``public`` anyway."""
    return _without_parts(secret, public).split(HIDDEN)


def _without_parts(text: str, secret: str) -> str:
    pieces = []
    end = start = 0  # where the unexamined text begins, and where the next piece to keep begins
    while end <= len(text) - PART:
        if text[end : end + PART] not in secret:
            end += 1
            continue
        pieces += [text[start:end], HIDDEN]
        start = end + PART
        while start < len(text) and text[start - PART + 1 : start + 1] in secret:
            start += 1
        end = start
    return "".join([*pieces, text[start:]])


def _printable(character: str) -> str:
    if character.isspace() or character.isprintable():
        return character
    return "?" if "\ud800" <= character <= "\udfff" else " "


def masked(access_key: str) -> str:
    """Return the last four characters of an access key ID, enough to recognize it."""
    return f"...{access_key[-4:]}" if len(access_key) >= 16 else "..."
