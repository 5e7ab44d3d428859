"""Refusals by STS: which policy denied the call, or which key or token is wrong, and what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from credproc.errors import CodeNotGiven, ProviderFailed, SourceRejected, WrongCode, masked
from credproc.providers import claims
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
DENIED = ("AccessDenied", "AccessDeniedException")

_MANGLED = "a proxy may have changed the request, or AWS_ENDPOINT_URL_STS is not STS"
#: What to do about codes that have only one meaning; {region} is filled in.
HINTS = {
    "RegionDisabledException": "activate STS for {region} in the IAM console, or use another "
    "--sts-region",
    "MalformedPolicyDocument": "check --policy and --policy-arn",
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

#: "... is not authorized to perform: sts:X on resource: ..."
_WHO = re.compile(r"User: (arn:\S+) is not authorized to perform: (sts:\w+)")
#: The end of such a message where STS says which kind of policy denied the call.
_WHY = re.compile(
    r"with an (explicit) deny in (?:an?|the) ([A-Za-z -]+?(?:policy|boundary))\b|"
    r"because no ([A-Za-z -]+?(?:policy|boundary)) allows"
)
#: Kinds of policy, as STS names them, with where each is and who can change it. {who} is the
#: caller, {theirs} and {ours} are the accounts of the role and of the caller.
POLICIES = {
    "service control policy": "a service control policy (SCP) of the organization: only an "
    "administrator of the organization can change it",
    "resource control policy": "a resource control policy (RCP) of the organization: only an "
    "administrator of the organization can change it",
    "permissions boundary": "the permissions boundary of {who}: an administrator of {ours} can "
    "change it",
    "session policy": "the session policy that {who} was given when its session began (--policy, "
    "--policy-arn of the role before, or an SSO permission set)",
    "identity-based policy": "the policies attached to {who}: an administrator of {ours} can "
    "change them",
    "resource-based policy": "the role's own trust policy: an administrator of {theirs} can change "
    "it",
    "role trust policy": "the role's own trust policy: an administrator of {theirs} can change it",
    "VPC endpoint policy": "the policy of the VPC endpoint for STS: an administrator of the "
    "network can change it",
}


class Denied(ProviderFailed):
    """A policy denied the call, perhaps because it requires a more recent MFA code."""


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
        return _no_session(reply)
    is_bare = not reply.message.strip()
    return _denied(reply, call) if code in DENIED and not is_bare else _other(reply, call)


def _token(reply: Reply, call: Call) -> Fault:
    """Return the fault of a web identity call, which has no caller whose policies could matter."""
    if reply.code in DENIED:
        return Fault(f"{reply.text()}: {claims.denied(call)}")
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
    why = "they are revoked, deleted, mistyped or from another partition"
    if must_be_enabled(call.region):
        why += f", or the account has not enabled the region {call.region}"
    service = "the service" if code == "InvalidAccessKeyId" else "AWS"
    return f"{service} does not know {which}: {why}"


def _denied(reply: Reply, call: Call) -> Fault:
    text = reply.text()
    if "MultiFactorAuthentication failed" in reply.message:
        return _mfa(reply)
    if "root account" in reply.message:
        return Fault(f"{text}: use the keys of a user or a role, not of the root user")
    found, why = _WHO.search(reply.message), _WHY.search(reply.message)
    who = found[1] if found else "the caller"
    action = found[2] if found else "sts:AssumeRole"
    if why:
        return Fault(f"{text}: {_policy(why, who, action, call)}", Denied)
    if action == "sts:TagSession":
        return Fault(f"{text}: {_tags(call)}")
    if action == "sts:SetSourceIdentity":
        return Fault(f"{text}: {_source_identity(call)}")
    return Fault(f"{text}: {_unexplained(who, call)}", Denied)


def _no_session(reply: Reply) -> Fault:
    """Return the fault of a denied GetSessionToken."""
    if "MultiFactorAuthentication failed" in reply.message:
        return _mfa(reply)
    why = "any user may call GetSessionToken with long-term keys, unless a policy denies it"
    if not reply.message.strip():
        why = "the service does not say why; not every service has GetSessionToken (--mfa-session)"
    return Fault(f"{reply.text()}: {why}")


def _policy(why: re.Match[str], who: str, action: str, call: Call) -> str:
    """Return what to do where STS says which kind of policy denied the call."""
    kind = (why[2] or why[3]).strip()
    where = POLICIES.get(kind, f"a {kind}").format(
        who=who, ours=_account(who, "the caller's account"), theirs=_account(call.role_arn)
    )
    if why[1]:
        return f"{action} is explicitly denied by {where}"
    place, _, change = where.partition(": ")
    return f"{action} must be allowed by {place}" + (f" ({change})" if change else "")


def _account(arn: str, otherwise: str = "the role's account") -> str:
    parts = arn.split(":")
    return f"account {parts[4]}" if len(parts) > 4 and parts[4] else otherwise


def _unexplained(who: str, call: Call) -> str:
    """Return what to do where STS gives no reason; it does not even say whether the role exists."""
    options = {
        "ExternalId": "--external-id",
        "SerialNumber": "--serial-number (MFA)",
        "Tags": "--tag",
        "SourceIdentity": "--source-identity",
    }
    missing = [option for name, option in options.items() if name not in call.given]
    if "ExternalId" in call.given:
        missing.insert(0, "a different --external-id")
    demand = f" (a condition may require {', '.join(missing)})" if missing else ""
    is_one = _account(who, "") in ("", _account(call.role_arn))
    whose = "the caller's policies" if is_one else "the caller's policies in its own account"
    return (
        "check that the role exists (STS does not say), that its trust policy allows this caller"
        f"{demand}, and that {whose} allow sts:AssumeRole on it"
    )


def _tags(call: Call) -> str:
    allow = "the role's trust policy, and the caller's policy, must allow sts:TagSession too"
    if "Tags" in call.given:
        return f"{allow}, or leave out --tag"
    return (
        f"{allow}: no --tag was given, but the calling session passes on its transitive tags (as "
        "sessions from EKS Pod Identity and identity providers do)"
    )


def _source_identity(call: Call) -> str:
    allow = "the role's trust policy, and the caller's policy, must allow sts:SetSourceIdentity too"
    if "SourceIdentity" in call.given:
        return f"{allow} (a session that has a source identity cannot change it)"
    return f"{allow}: the calling session has a source identity, which is passed on"


def _mfa(reply: Reply) -> Fault:
    text = reply.text()
    if "must provide" in reply.message:
        return Fault(f"{text}: name the MFA device with --serial-number (mfa_serial in a profile)")
    if "serial number" in reply.message.lower():
        return Fault(
            f"{text}: the code is wrong, or --serial-number (mfa_serial) is not the caller's own "
            "device",
            CodeNotGiven,
        )
    return Fault(f"{text}: each code works once, so wait for the next one", WrongCode)


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
    elif code == "ValidationError" and "durationseconds" in lower:
        hint = (
            "lower --duration-seconds (duration_seconds in a profile), or raise the role's maximum "
            "session duration"
        )
        if not call.role_arn:
            hint = "lower --mfa-session"
    kind = Denied if code in DENIED else ProviderFailed
    return Fault(f"{text}: {hint}" if hint else text, kind)


def _too_large(lower: str, call: Call) -> str:
    sent = [
        option
        for name, option in (
            ("Policy", "--policy"), ("PolicyArns", "--policy-arn"), ("Tags", "--tag")
        )
        if name in call.given
    ]  # fmt: skip
    if "session tags" not in lower:
        return f"shorten {', '.join(sent) or 'the session policy'}"
    inherited = (
        "the transitive tags that the calling session passes on count too (EKS Pod Identity: turn "
        "off its session tags)"
    )
    return f"use fewer or shorter --tag; {inherited}" if "Tags" in call.given else inherited


def _signature(reply: Reply, call: Call) -> Fault:
    off, text = reply.skew(), reply.text()
    if abs(off) > SKEW:
        side = "ahead of" if off > 0 else "behind"
        return Fault(
            f"{text}: this machine's clock is {abs(off)} s {side} STS: set it (timedatectl)"
        )
    if "xpired" in text or "not yet current" in text:
        return Fault(f"{text}: the request took too long to arrive, or the clock was just set")
    whose = masked(call.caller.access_key) if call.caller else "..."
    return Fault(f"{text}: the secret key of {whose} is wrong")
