"""What a failed call means: its error message, and whether to retry."""

from __future__ import annotations

import re

from credproc.providers import refusals
from credproc.providers.reply import Call, Fault, Reply
from credproc.regions import home_region, unknown

#: Seconds. The longest first pause before a retry: after throttling, after other faults.
THROTTLED_PAUSE, PAUSE = 1.0, 0.05

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
SERVER_ERRORS = ("InternalFailure", "InternalError", "ServiceUnavailable")
#: What STS says when it cannot reach an identity provider: a fault that passes within seconds.
IDP_UNREACHABLE = "couldn't retrieve verification key"
#: The form of a region's name; an availability zone has a letter at the end.
REGION = re.compile(r"[a-z]+(-[a-z]+)+-\d+|aws[a-z-]*-global|fips-.*|.*-fips")
#: botocore's own codes, for errors without one.
_NO_CODES = ("", "Unknown")


def explain(reply: Reply, call: Call) -> Fault:
    """Return the fault of a response without credentials, whichever client read it.

    A response without an AWS error code (``Reply.code`` is then empty, or the status as text) was
    not sent by STS.
    """
    fault = passing(reply, call)
    if fault:
        return fault
    return foreign(reply, call) if is_foreign(reply) else refusals.explain(reply, call)


def is_foreign(reply: Reply) -> bool:
    """Whether an error has no AWS error code, so it was not sent by the service."""
    return reply.code in _NO_CODES or reply.code == str(reply.status)


def passing(reply: Reply, call: Call) -> Fault | None:
    """Return the fault of a response that means "try again later"; None for a refusal."""
    code, text = reply.code, reply.text()
    if code in THROTTLED or reply.status == 429:
        is_own = code in THROTTLED
        return throttled(f"by {call.where} ({text})" if is_own else "", reply, call)
    if code == "IDPCommunicationError" or IDP_UNREACHABLE in reply.message.lower():
        return Fault(
            f"{call.where} could not reach the identity provider ({text})",
            pause=THROTTLED_PAUSE,
            hint="try again in a minute; if it persists, make sure that the provider's "
            "/.well-known/openid-configuration and keys can be reached from the internet",
            least=reply.pause(),
            busy=True,
        )
    if code in SERVER_ERRORS or reply.status >= 500:
        shown = text if text.startswith(str(reply.status)) else f"{reply.status} {text}".strip()
        return Fault(
            f"{call.where} returned a server error ({shown})",
            pause=PAUSE,
            hint="try again in a minute"
            + (", or with another --sts-region" if call.service == "STS" else ""),
            least=reply.pause(),
            busy=True,
        )
    return None


def throttled(where: str, reply: Reply, call: Call) -> Fault:
    """Return the fault of too many calls; ``where`` says who throttled them."""
    return Fault(
        f"throttled {where or f'between this machine and {call.where} ({reply.status})'}",
        pause=THROTTLED_PAUSE,
        hint="the account makes too many calls at once; try again in a minute",
        least=reply.pause(),
        busy=True,
    )


def foreign(reply: Reply, call: Call) -> Fault:
    """Return the fault of a response that was not sent by the service."""
    if reply.status == 429:
        return throttled("", reply, call)
    if reply.status == 407:
        return proxy_wants_password(call)
    where = f"from {call.region} " if call.region else ""
    variable = "AWS_ENDPOINT_URL_STS" if call.service == "STS" else "AWS_ENDPOINT_URL_SSO"
    return Fault(
        f"the response {where}is not from {call.service} (status {reply.status}; a proxy or a "
        f"captive portal?): check HTTPS_PROXY and {variable}",
        pause=PAUSE,
    )


def proxy_wants_password(call: Call) -> Fault:
    """Return the fault of a proxy's status 407."""
    return Fault(
        f"the proxy for {call.where} requires credentials (407): put the right user name and "
        "password into HTTPS_PROXY (only the Basic method is supported)"
    )


def proxy_without_tls(call: Call) -> Fault:
    """Return the fault of a proxy whose URL begins with https://, but which may not speak TLS."""
    return Fault(
        f"no TLS connection to the proxy for {call.where}: if it does not speak TLS itself, begin "
        "its URL in HTTPS_PROXY with http:// (what passes through it is encrypted anyway)"
    )


def proxy_refused(call: Call, status: str) -> Fault:
    """Return the fault of a proxy that answered, but opened no connection to the service."""
    return Fault(
        f"the proxy opened no connection to {call.where} ({status}): check HTTPS_PROXY, and that "
        "the proxy allows this host",
        pause=PAUSE,
    )


def unreachable(call: Call, text: str) -> Fault:
    """Return the fault of a call that got no response; ``text`` says why."""
    is_regional = re.search(rf"//sts(-fips)?\.{re.escape(call.region)}\.", text)
    hint = "check the network, and HTTPS_PROXY if you need a proxy"
    if "proxy URL" in text:
        hint = "check HTTPS_PROXY"
    elif is_regional and not REGION.fullmatch(call.region):
        hint = f"{call.region} does not look like a region, such as {home_region(call.role_arn)}"
    elif is_regional and (odd := unknown(call.region)):
        hint = odd
    elif f"//sts-fips.{call.region}." in text:
        hint = "not every region has a FIPS endpoint (AWS_USE_FIPS_ENDPOINT, use_fips_endpoint)"
    elif call.service == "STS" and not re.search(r"//sts\b|\.amazonaws\.", text):
        hint = "check the address, and that the service runs"
    return Fault(f"no answer from {call.where}: {text}", pause=PAUSE, hint=hint)


def timed_out(call: Call, seconds: float) -> Fault:
    """Return the fault of a call that got no complete response within the seconds of one try."""
    return Fault(f"no complete answer from {call.where} within {seconds:.0f} s", pause=PAUSE)


def untrusted(call: Call, text: str) -> Fault:
    """Return the fault of a failed TLS handshake; ``text`` is the TLS library's message."""
    if "WRONG_VERSION_NUMBER" in text:
        hint = "the server or the proxy does not speak TLS: should its URL begin with http://?"
        return Fault(f"no TLS connection to {call.where}: {text}", pause=PAUSE, hint=hint)
    if "CERTIFICATE_VERIFY_FAILED" not in text:
        return Fault(f"no TLS connection to {call.where}: {text}", pause=PAUSE)
    hint = "set AWS_CA_BUNDLE to the certificate authority of your proxy, or check the endpoint"
    if "not yet valid" in text or "has expired" in text:
        hint = f"set this machine's clock, or {hint}"
    return Fault(f"no trusted connection to {call.where}: {text}: {hint}")
