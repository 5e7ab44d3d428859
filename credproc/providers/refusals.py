"""Refusals by STS: which key, token or parameter is wrong, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc.errors import ProviderFailed, SourceRejected, masked
from credproc.providers import claims, denials
from credproc.providers.denials import DENIED
from credproc.providers.reply import SKEW, Call, Fault, Reply
from credproc.regions import home_region, must_be_enabled, partition

if TYPE_CHECKING:
    from credproc.credentials import Credentials

#: The last one is S3's, which MinIO gives.
KEYS_REJECTED = ("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId")
EXPIRED = ("ExpiredToken", "ExpiredTokenException")
TOKEN_REJECTED = ("IDPRejectedClaim", "InvalidIdentityToken")
SKEWED = (
    "SignatureDoesNotMatch",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "InvalidSignatureException",
)

_MANGLED = "a proxy may have changed the request, or AWS_ENDPOINT_URL_STS is not STS"
#: What to do about codes that have only one meaning; {region} is filled in.
HINTS = {
    "RegionDisabledException": "activate STS for {region} in the IAM console, or use another "
    "--sts-region",
    "IncompleteSignature": _MANGLED,
    "InvalidAction": _MANGLED,
    "MissingAuthenticationToken": _MANGLED,
    "NoSuchEntity": "the service has no such role: check its ARN",
}
#: Hints for services that return only a code, such as Ceph; AWS always returns a message.
WITHOUT_MESSAGE = {
    "AccessDenied": "the service does not say why: check the calling keys, that the role exists, "
    "and that its trust policy allows this caller",
    "InvalidArgument": "the service does not say which parameter it refuses: check the form of the "
    "role's ARN, and that --duration-seconds is not above the role's maximum",
}


class SessionTooLong(ProviderFailed):
    """The call is role chaining, for which AWS limits a session to one hour."""


def explain(reply: Reply, call: Call) -> Fault:
    """Return the fault of a refusal by STS itself; repeating the same call would not help."""
    code = reply.code
    if code in SKEWED:
        return _signature(reply, call)
    foreign = _partition(code, call)
    if foreign:
        return Fault(f"{reply.text()}: {foreign}")
    if call.caller is None:
        return _token(reply, call)
    if code in EXPIRED or code in KEYS_REJECTED:
        return Fault(f"{reply.text()}: {_keys(code, call, call.caller)}", SourceRejected)
    if code in DENIED and not call.role_arn:
        return denials.no_session(reply)
    is_bare = not reply.message.strip()
    return denials.explain(reply, call) if code in DENIED and not is_bare else _other(reply, call)


def _token(reply: Reply, call: Call) -> Fault:
    """Return the fault of a web identity call, which has no caller whose policies could matter."""
    if reply.code in DENIED:
        return denials.of_token(reply, call)
    if reply.code in (*TOKEN_REJECTED, *EXPIRED, *KEYS_REJECTED):
        return Fault(f"{reply.text()}: {claims.hint(reply.message, call)}", SourceRejected)
    return _other(reply, call)


def _partition(code: str, call: Call) -> str:
    """Return that role and region are in different partitions, if that explains the error."""
    wanted, called = call.role_arn.split(":")[1:2], partition(call.region)
    if code not in (*KEYS_REJECTED, *DENIED, "ValidationError"):
        return ""
    if not wanted or wanted[0] == called or not wanted[0].startswith("aws"):
        return ""
    return (
        f"the role is in the partition {wanted[0]}, but STS in {call.region} (partition {called}) "
        f"was called: set --sts-region, AWS_REGION or the profile's region to a region of "
        f"{wanted[0]}, such as {home_region(call.role_arn)}"
    )


def _keys(code: str, call: Call, caller: Credentials) -> str:
    key, has_token = caller.access_key, bool(caller.token)
    which = f"the calling credentials ({masked(key)})"
    if code in EXPIRED:
        return f"{which} have expired"
    if key.startswith("ASIA") and not has_token:
        return f"{which} are temporary, but their session token is missing (AWS_SESSION_TOKEN)"
    if key.startswith("AKIA") and has_token:
        return (
            f"{which} are long-term keys with a session token that belongs to other keys: remove "
            "the token (AWS_SESSION_TOKEN, aws_session_token)"
        )
    called = partition(call.region)
    why = f"they are revoked, deleted, mistyped or from another partition than {called}"
    if must_be_enabled(call.region):
        why += f", or the account has not enabled the region {call.region}"
    service = "the service" if code == "InvalidAccessKeyId" else "AWS"
    return f"{service} does not know {which}: {why}"


def _other(reply: Reply, call: Call) -> Fault:
    code, text, lower = reply.code, reply.text(), reply.message.lower()
    if "role chaining" in lower:
        return Fault(f"{text}: lower --duration-seconds to 3600", SessionTooLong)
    hint = HINTS.get(code, "").format(region=call.region)
    if not lower.strip():
        hint = WITHOUT_MESSAGE.get(code, hint)
    elif code.startswith("PackedPolicyTooLarge"):
        hint = _too_large(lower, call)
    elif "transitive tag" in lower:
        hint = "the calling session's transitive tags cannot be changed: leave out that --tag"
    elif "not attachable" in lower or "does not exist" in lower:
        hint = "check --policy-arn"
    elif code == "MalformedPolicyDocument":
        hint = f"check {' and '.join(_policies(call)) or '--policy and --policy-arn'}"
    elif "arn" in lower and lower.rstrip(". ").endswith("invalid"):
        hint = "check --policy-arn" if "policy" in lower else "check the role's ARN"
    elif "durationseconds" in lower and ("exceeds" in lower or "less than" in lower):
        hint = (
            "lower --duration-seconds (duration_seconds in a profile), or raise the role's maximum "
            "session duration"
        )
        if not call.role_arn:
            hint = "lower --mfa-session"
    kind = denials.Denied if code in DENIED else ProviderFailed
    return Fault(f"{text}: {hint}" if hint else text, kind)


def _too_large(lower: str, call: Call) -> str:
    sent = _policies(call) + ["--tag"] * ("Tags" in call.given)
    if "session tags" not in lower:
        return f"shorten {', '.join(sent) or 'the session policy'}"
    inherited = (
        "the transitive tags that the calling session passes on count too (EKS Pod Identity: turn "
        "off its session tags)"
    )
    return f"use fewer or shorter --tag; {inherited}" if "Tags" in call.given else inherited


def _policies(call: Call) -> list[str]:
    """Return the options whose session policies were sent."""
    options = {"Policy": "--policy", "PolicyArns": "--policy-arn"}
    return [option for name, option in options.items() if name in call.given]


def _signature(reply: Reply, call: Call) -> Fault:
    off, text = reply.skew(), reply.text()
    if abs(off) > SKEW:
        side = "ahead of" if off > 0 else "behind"
        return Fault(
            f"{text}: this machine's clock is {abs(off)} s {side} STS: set it (timedatectl)"
        )
    if "xpired" in text or "not yet current" in text:
        return Fault(f"{text}: the request took too long to arrive, or the clock was just set")
    if "scoped to" in text:
        return Fault(
            f"{text}: the endpoint is not STS in {call.region}: check AWS_ENDPOINT_URL_STS and "
            "--sts-region"
        )
    whose = masked(call.caller.access_key) if call.caller else "..."
    return Fault(f"{text}: the secret key of {whose} is wrong, or a proxy changed the request")
