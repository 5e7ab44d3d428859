"""What can go wrong, in words fit for one line of stderr."""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Consumers paste stderr into their own message, so a server's essay is cut here (characters).
MAX_LINE = 1500

#: How a message begins to say that IMDS is not there because this is another kind of machine, and
#: how it goes on for somebody who did not write --imds.
NO_INSTANCE = "this is no EC2 instance"
ELSEWHERE = "; on other machines name --profile NAME, or --role-arn ARN with --source SOURCE"

#: Variables that decide which libraries and modules a Python loads.
LOADER = ("LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH")

#: What stands where a secret stood.
HIDDEN = "[secret]"
#: Characters of the shortest secret (an MFA code), and of a part that gives too much of one away.
SHORTEST, PART = 6, 8
#: A value behind a name that says what it is: the secrets that an answer holds which nobody could
#: read, or for which nobody asked.
NAMED = (
    r"(?i)((?:secret_?access_?key|session_?token|security[-_]token|access_?token|refresh_?token|"
    r"client_?secret|[\"'<](?:token|authorization|password))[\"']?\s*[:=>]\s*[\"']?)"
    r"[^\s\"'<>&,}]{8,}"
)

#: The name and the password in a URL, which may hold slashes that should have been escaped.
USERINFO = r"//[^\s\"']+@"


class CredprocError(Exception):
    """Never raised itself: the root of what ends a run with one line and a status.

    The message is the sentence that the user reads.
    """

    status = 1
    #: Whether a loop of failing runs is answered from memory for a few seconds.
    remembered = True


class RequestError(CredprocError):
    """The command line or the configuration asks for something impossible."""

    status = 2
    remembered = False


class UsageError(RequestError):
    """The command line itself is wrong."""


class TextAsked(Exception):
    """--help or --version: the text to print instead of credentials."""


class ProviderUnavailable(CredprocError):
    """The provider does not apply here; the next one is called.

    If valid credentials of the same provider are cached, it is a failed refresh instead: an
    identity is not changed on a doubt. Only where it is ``certain`` that another one applies (the
    instance has another role now) does the next provider follow all the same.
    """

    def __init__(self, message: str, certain: bool = False) -> None:
        super().__init__(message)
        self.certain = certain


class ProviderFailed(CredprocError):
    """The provider applies, and refused or broke; nobody else is asked."""


class SourceRejected(ProviderFailed):
    """STS did not accept the source credentials: expired, revoked, or never its own."""


class CodeNotGiven(ProviderFailed):
    """No MFA code was to be had; the person may try again at once."""

    remembered = False


class WrongCode(CodeNotGiven):
    """STS did not accept the MFA code, which was mistyped or used already."""


class NobodyToAsk(CodeNotGiven):
    """There is neither a terminal nor a command that would know a code."""


class DeadlineExceeded(ProviderFailed):
    """The time that --timeout allows is over."""


class StillWaiting(DeadlineExceeded):
    """Another process was getting the credentials all the time; others may still see it succeed."""

    remembered = False


class Remembered(ProviderFailed):
    """Another run's failure, of a moment ago, reported instead of repeating the call."""

    remembered = False


def mistake(error: Exception, who: str = "credproc") -> str:
    """Return what to say of an unforeseen error: not its text, which may hold anything."""
    if isinstance(error, ImportError):
        return _unloadable(error, os.environ)
    step = error.__traceback__
    while step and step.tb_next:
        step = step.tb_next
    file = os.path.basename(step.tb_frame.f_code.co_filename) if step else ""
    where = f" at {file}:{step.tb_lineno}" if step else ""
    return f"a mistake in {who}: {type(error).__name__}{where}; please report what -v tells"


def _unloadable(error: ImportError, environ: Mapping[str, str]) -> str:
    """Return what to say where Python cannot load a module, or the library that it needs."""
    reason = error
    try:
        import ssl  # noqa: F401  # without it other libraries fail to load, for no visible reason
    except ImportError as first:
        reason = first
    named = [name for name in LOADER if environ.get(name)]
    hint = "install credproc again: a library, or its Python, was changed or removed"
    if named:
        hint = (
            f"{' and '.join(named)} may make Python load the wrong libraries: start credproc "
            f"without (env -u {named[0]} credproc ...)"
        )
    return f"Python cannot load what credproc needs ({reason}): {hint}"


def reason(error: Exception) -> str:
    """Return an error in words: one of the operating system's without its number."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    where = f"{error.filename}: " if isinstance(error.filename, str) else ""
    return f"{where}{error.strerror}"


def clean(text: str, secrets: Iterable[str] = ()) -> str:
    """Make ``text`` fit for one line of a terminal.

    Secrets and parts of them are replaced, and what has a secret's name (see NAMED); control
    characters (terminal escapes, line ends) and whatever UTF-8 cannot carry become spaces or
    question marks; runs of blanks become one; the end is cut at MAX_LINE.
    """
    text = _without(text[: 4 * MAX_LINE], secrets)
    text = "".join(_printable(character) for character in text)
    text = " ".join(text.split())
    return text if len(text) <= MAX_LINE else text[: MAX_LINE - 3] + "..."


def _without(text: str, secrets: Iterable[str]) -> str:
    """Return the text with HIDDEN for each secret and each part of one that is long enough.

    A server may cut a token short in its message, or escape some of its characters.
    """
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= SHORTEST:
            text = text.replace(secret, HIDDEN)
        if len(secret) > PART:
            text = _without_parts(text, secret)
    text = re.sub(USERINFO, f"//{HIDDEN}@", text)
    return re.sub(NAMED, rf"\1{HIDDEN}", text)


def apart(secret: str, public: str) -> list[str]:
    """Return what of a secret is not to be read in ``public`` anyway, in pieces."""
    return _without_parts(secret, public).split(HIDDEN)


def _without_parts(text: str, secret: str) -> str:
    kept = []
    end = start = 0  # of what has not been looked at, and of what is kept next
    while end <= len(text) - PART:
        if text[end : end + PART] not in secret:
            end += 1
            continue
        kept += [text[start:end], HIDDEN]
        start = end + PART
        while start < len(text) and text[start - PART + 1 : start + 1] in secret:
            start += 1
        end = start
    return "".join([*kept, text[start:]])


def _printable(character: str) -> str:
    if character.isspace() or character.isprintable():
        return character
    return "?" if "\ud800" <= character <= "\udfff" else " "


def masked(access_key: str) -> str:
    """Show which access key is meant by its last four characters."""
    return f"...{access_key[-4:]}" if len(access_key) >= 16 else "..."
