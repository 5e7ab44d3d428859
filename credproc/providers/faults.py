"""What an error of STS means: the words for it, and whether the call is worth another try."""

from __future__ import annotations

import datetime
import email.utils
import re
import time
from typing import TYPE_CHECKING

from botocore import exceptions
from botocore.parsers import ResponseParserError

from credproc.errors import CodeNotGiven, ProviderFailed, SourceRejected, masked

if TYPE_CHECKING:
    from typing import Any

    from credproc.credentials import Credentials

#: Seconds that the first pause before another try may last: after throttling, after other faults.
THROTTLED_PAUSE, PAUSE = 1.0, 0.05
#: Seconds that the clocks of two machines may be apart without anybody's fault.
SKEW = 60

THROTTLED = (
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "SlowDown",
    "PriorRequestNotComplete",
)
UNWELL = ("InternalFailure", "InternalError", "ServiceUnavailable", "IDPCommunicationError")
SOURCE_REJECTED = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
)
TOKEN_REJECTED = ("IDPRejectedClaim", "InvalidIdentityToken")
SKEWED = (
    "SignatureDoesNotMatch",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "InvalidSignatureException",
)

_MANGLED = "something on the way changed the request (a proxy?), or AWS_ENDPOINT_URL_STS is not STS"
#: What to do about codes that mean one thing only; {region} is filled in.
HINTS = {
    "AccessDenied": "the role's trust policy must allow this caller (mind its conditions: external "
    "id, MFA, tags) and the caller's policy must allow sts:AssumeRole on it",
    "RegionDisabledException": "activate STS for {region} in the IAM console, or give another "
    "--sts-region",
    "MalformedPolicyDocument": "check --policy",
    "PackedPolicyTooLarge": "shorten --policy, --policy-arn and --tag",
    "IncompleteSignature": _MANGLED,
    "InvalidAction": _MANGLED,
    "MissingAuthenticationToken": _MANGLED,
}

#: What botocore makes of an answer that is somebody else's.
_NOT_STS = (ResponseParserError, LookupError, TypeError, ValueError)
#: Codes that are botocore's own, for errors without one.
_NO_CODES = ("", "Unknown")

# What a rule was broken with may be an external id or a tag.
_BROKEN = re.compile(r"Value '.*?' at '", re.DOTALL)
# The service's time, as in "(20261124T010203Z - 15 min.)".
_NOW = re.compile(r"\((\d{8}T\d{6})Z [+-]")


class SessionTooLong(ProviderFailed):
    """AWS counts the caller as a role, whose roles last an hour at most."""


class Fault:
    """What an error means: the words, the exception, the pause before the next try (0: none).

    ``hint`` is what remains to be done when all tries have failed.
    """

    def __init__(
        self,
        message: str,
        kind: type[ProviderFailed] = ProviderFailed,
        pause: float = 0,
        hint: str = "",
    ) -> None:
        self.message = message
        self.kind = kind
        self.pause = pause
        self.hint = hint

    def error(self) -> ProviderFailed:
        """Return the exception that ends the tries."""
        return self.kind(f"{self.message}: {self.hint}" if self.hint else self.message)


class Answered:
    """The status and the Date of the latest answer, which not every error of botocore's has."""

    def __init__(self) -> None:
        self.status = 0
        self.date = ""

    def note(self, response_dict: Any = None, **_: Any) -> None:
        """Take both from an answer that is about to be parsed."""
        self.status = response_dict["status_code"]
        self.date = str(response_dict["headers"].get("date", ""))

    def skew(self, text: str = "") -> int:
        """Return by how many seconds the local clock is ahead of STS's, 0 if nobody says."""
        try:
            then = email.utils.parsedate_to_datetime(self.date).timestamp()
        except (TypeError, ValueError):
            match = _NOW.search(text)
            if not match:
                return 0
            moment = datetime.datetime.strptime(match[1] + "+0000", "%Y%m%dT%H%M%S%z")
            then = moment.timestamp()
        return round(time.time() - then)


def explain(
    error: Exception, answered: Answered, region: str, caller: Credentials | None = None
) -> Fault:
    """Return what the error of one call means; without a caller, of one that is not signed."""
    if isinstance(error, exceptions.ClientError):
        return _explain_answer(error, answered, region, caller)
    if isinstance(error, exceptions.ParamValidationError):
        # Never the text: it may hold an external id.
        return Fault("botocore refuses the parameters; is this botocore too old?")
    if isinstance(error, exceptions.SSLError):
        return _explain_tls(error, region)
    if isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError)):
        return _explain_connection(error, region)
    if isinstance(error, _NOT_STS):
        return _somebody_else(answered, region)
    return Fault(f"{type(error).__name__}: {_short(error)}")


def explained(error: exceptions.ClientError) -> str:
    """Return an AWS error as its code and message, without the values that it complains of."""
    said = error.response.get("Error", {})
    code, message = str(said.get("Code", "")), str(said.get("Message", ""))
    message = _BROKEN.sub("Value '...' at '", message).strip().rstrip(".")
    return f"{code}: {message}" if message else code


def _explain_answer(
    error: exceptions.ClientError, answered: Answered, region: str, caller: Credentials | None
) -> Fault:
    code, text = str(error.response.get("Error", {}).get("Code", "")), explained(error)
    metadata: Any = error.response.get("ResponseMetadata", {})
    status = metadata.get("HTTPStatusCode", 0)
    if code in THROTTLED or status == 429:
        return _throttled(f"by STS in {region} ({text})")
    if code in UNWELL or status >= 500:
        said = text if text.startswith(str(status)) else f"{status} {text}".strip()
        hint = "try again in a minute, or with another --sts-region"
        return Fault(f"STS in {region} is not well ({said})", pause=PAUSE, hint=hint)
    if code in _NO_CODES:
        return _somebody_else(answered, region)
    return _explain_refusal(code, text, answered, region, caller)


def _explain_refusal(
    code: str, text: str, answered: Answered, region: str, caller: Credentials | None
) -> Fault:
    """Return what a refusal by STS itself means; none of them is worth the same call again."""
    if code in SKEWED:
        return _explain_signature(text, answered, caller)
    if code in TOKEN_REJECTED or (code in SOURCE_REJECTED and caller is None):
        return Fault(
            f"{text}: the token must be a current one, of an issuer, audience and subject that the "
            "role's trust policy names",
            SourceRejected,
        )
    if code in SOURCE_REJECTED and caller:
        return Fault(
            f"{text}: the credentials that call it ({masked(caller.access_key)}) are expired, "
            "revoked or not known to AWS",
            SourceRejected,
        )
    return _explain_terms(code, text, region)


def _explain_terms(code: str, text: str, region: str) -> Fault:
    if "role chaining" in text:
        return Fault(f"{text}: lower --duration-seconds to 3600", SessionTooLong)
    if "MultiFactorAuthentication failed" in text:
        return Fault(f"{text}: a code works once, so wait for the next one", CodeNotGiven)
    hint = HINTS.get(code, "").format(region=region)
    if code == "ValidationError" and "durationseconds" in text.lower():
        hint = (
            "lower --duration-seconds (duration_seconds in a profile), or raise the role's maximum "
            "session duration"
        )
    return Fault(f"{text}: {hint}" if hint else text)


def _explain_signature(text: str, answered: Answered, caller: Credentials | None) -> Fault:
    off = answered.skew(text)
    if abs(off) > SKEW:
        side = "ahead of" if off > 0 else "behind"
        return Fault(
            f"{text}: this machine's clock is {abs(off)} s {side} STS's: set it (timedatectl)"
        )
    if "xpired" in text or "not yet current" in text:
        return Fault(f"{text}: the request was too long on its way, or the clock was just set")
    whose = masked(caller.access_key) if caller else "..."
    return Fault(f"{text}: the secret of {whose} is not the right one")


def _explain_tls(error: exceptions.SSLError, region: str) -> Fault:
    text = str(error)
    if "[Errno " in text or "[X509" in text:  # the bundle is read when the connection is made
        return Fault(
            "AWS_CA_BUNDLE (or ca_bundle in the config) is no readable file of certificates"
        )
    if "CERTIFICATE_VERIFY_FAILED" not in text:
        return Fault(f"no TLS connection to STS in {region}: {_short(error)}", pause=PAUSE)
    hint = "set AWS_CA_BUNDLE to the certificate authority of your proxy, or check the endpoint"
    if "not yet valid" in text or "has expired" in text:
        hint = f"set this machine's clock, or {hint}"
    return Fault(f"no trusted connection to STS in {region}: {_short(error)}: {hint}")


def _explain_connection(error: Exception, region: str) -> Fault:
    cause = _cause(error)
    reason = f" ({_words(cause)})" if cause else ""
    if isinstance(error, exceptions.ProxyConnectionError) and " 407" in reason:
        return _stranger_to_proxy(region)
    return Fault(f"no answer from STS in {region}: {_short(error)}{reason}", pause=PAUSE)


def _throttled(where: str) -> Fault:
    hint = "the account makes too many calls at once; try again in a minute"
    return Fault(f"throttled {where}", pause=THROTTLED_PAUSE, hint=hint)


def _somebody_else(answered: Answered, region: str) -> Fault:
    status = answered.status
    if status == 429:
        return _throttled(f"on the way to STS in {region} (429)")
    if status == 407:
        return _stranger_to_proxy(region)
    return Fault(
        f"what answers for STS in {region} is not STS (status {status}; a proxy or a captive "
        "portal?): check HTTPS_PROXY and AWS_ENDPOINT_URL_STS",
        pause=PAUSE,
    )


def _stranger_to_proxy(region: str) -> Fault:
    return Fault(
        f"the proxy on the way to STS in {region} wants a name and a password (407): they belong "
        "into HTTPS_PROXY"
    )


def _cause(error: BaseException) -> OSError | None:
    """Return the error of the operating system that another one was made of."""
    found: OSError | None = None
    seen: list[BaseException] = []
    following: Any = error
    while isinstance(following, BaseException) and following not in seen:
        seen.append(following)
        if isinstance(following, OSError):
            found = following
        kwargs = getattr(following, "kwargs", {})
        following = (
            kwargs.get("error")
            or getattr(following, "original_error", None)
            or getattr(following, "reason", None)
            or following.__cause__
            or following.__context__
        )
    return found


def _words(error: OSError) -> str:
    return (error.strerror or str(error) or type(error).__name__).lower()


def _short(error: Exception) -> str:
    # urllib3 shows the addresses of its objects, which help nobody.
    text = str(error)
    return text if "object at 0x" not in text else type(error).__name__
