"""The errors of STS: status, XML and a message in AWS's style for each."""

from __future__ import annotations

import email.utils
import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from tests.servers.base import Answer

if TYPE_CHECKING:
    from tests.servers.base import Exchange, Fault

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"

#: How far a signature's time may be off.
TOLERANCE = 15 * 60

INVALID_TOKEN = "The security token included in the request is invalid."
EXPIRED_TOKEN = "The security token included in the request is expired"
BAD_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. Check your "
    "AWS Secret Access Key and signing method. Consult the service documentation for details."
)
CHAINED = (
    "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role "
    "chaining"
)
WRONG_CODE = "MultiFactorAuthentication failed with invalid MFA one time pass code. "

#: Code: HTTP status, message; {caller}, {action} and {role} are filled in.
ERRORS: dict[str, tuple[int, str]] = {
    "AccessDenied": (
        403,
        "User: {caller} is not authorized to perform: sts:{action} on resource: {role}",
    ),
    "ExpiredToken": (403, EXPIRED_TOKEN),
    "ExpiredTokenException": (400, EXPIRED_TOKEN),
    "InvalidClientTokenId": (403, INVALID_TOKEN),
    "UnrecognizedClientException": (403, INVALID_TOKEN),
    "SignatureDoesNotMatch": (403, BAD_SIGNATURE),
    "RequestExpired": (400, "Request has expired."),
    "IncompleteSignature": (
        400,
        (
            "Authorization header requires 'Signature' parameter. Authorization header requires "
            "'SignedHeaders' parameter."
        ),
    ),
    "MissingAuthenticationToken": (403, "Request is missing Authentication Token"),
    "InvalidAction": (400, "Could not find operation {action} for version 2011-06-15"),
    "ValidationError": (
        400,
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    ),
    "MalformedPolicyDocument": (400, "Syntax errors in policy."),
    "PackedPolicyTooLarge": (
        400,
        "Packed policy consumes 112% of allotted space, please use smaller policy.",
    ),
    "RegionDisabledException": (
        403,
        (
            "STS is not activated in this region for account:123456789012. Your account "
            "administrator can activate STS in this region using the IAM Console."
        ),
    ),
    "Throttling": (400, "Rate exceeded"),
    "ThrottlingException": (400, "Rate exceeded"),
    "RequestLimitExceeded": (503, "Request limit exceeded."),
    "InternalFailure": (500, "An internal error has occurred. Please try your query again."),
    "ServiceUnavailable": (503, "Service Unavailable. Please try again shortly."),
    "IDPCommunicationError": (
        400,
        (
            "The request could not be fulfilled because the identity provider (IDP) that was asked "
            "to verify the incoming identity token could not be reached."
        ),
    ),
    "IDPRejectedClaim": (403, "The identity provider reported that authentication failed."),
    "InvalidIdentityToken": (400, "Couldn't retrieve verification key from your identity provider"),
}


class StsError(Exception):
    """An AWS error; raised inside the service to answer with it."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def answer(self, caller: str = "", action: str = "", role: str = "") -> Answer:
        """Return the XML error."""
        status, template = ERRORS[self.code]
        message = self.message or template.format(
            caller=caller or "arn:aws:iam::123456789012:user/test",
            action=action or "AssumeRole",
            role=role or "arn:aws:iam::123456789012:role/app",
        )
        number = str(uuid.uuid4())
        who = "Receiver" if status >= 500 else "Sender"
        body = (
            f'<ErrorResponse xmlns="{NAMESPACE}">\n  <Error>\n    <Type>{who}</Type>\n'
            f"    <Code>{self.code}</Code>\n    <Message>{escape(message)}</Message>\n  </Error>\n"
            f"  <RequestId>{number}</RequestId>\n</ErrorResponse>\n"
        )
        return Answer(status, body.encode(), "text/xml", {"x-amzn-RequestId": number})


def basic(moment: float) -> str:
    """Return the time as signatures write it."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))


def skew_message(signed: float, now: float) -> str:
    """Return what AWS says of a signature made at ``signed``, by a clock that shows ``now``."""
    if signed < now:
        edge = basic(now - TOLERANCE)
        return (
            f"Signature expired: {basic(signed)} is now earlier than {edge} "
            f"({basic(now)} - 15 min.)"
        )
    edge = basic(now + TOLERANCE)
    return (
        f"Signature not yet current: {basic(signed)} is still later than {edge} "
        f"({basic(now)} + 15 min.)"
    )


def refuse(exchange: Exchange, refusal: StsError, headers: dict[str, str] | None = None) -> None:
    """Send the error in the words that fit this request."""
    answer = refusal.answer(**exchange.server.facts(exchange.request))
    exchange.reply(replace(answer, headers={**answer.headers, **(headers or {})}))


def error(code: str, message: str = "", headers: dict[str, str] | None = None) -> Fault:
    """Answer with this AWS error; KeyError at once if it is none of ``ERRORS``."""
    _ = ERRORS[code]
    return lambda exchange: refuse(exchange, StsError(code, message), headers)


def skewed(seconds: float, code: str = "SignatureDoesNotMatch") -> Fault:
    """Refuse as a service whose clock is that many seconds ahead of its own (or behind)."""

    def fault(exchange: Exchange) -> None:
        signed = exchange.server.clock()
        date = email.utils.formatdate(signed + seconds, usegmt=True)
        message = skew_message(signed, signed + seconds)
        refuse(exchange, StsError(code, message), {"Date": date})

    return fault
