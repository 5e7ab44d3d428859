"""AccessDenied from STS: which policy denied the call, and who can change it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from credproc.errors import CodeNotGiven, ProviderFailed, WrongCode
from credproc.providers import claims
from credproc.providers.reply import Call, Fault

if TYPE_CHECKING:
    from credproc.providers.reply import Reply

DENIED = ("AccessDenied", "AccessDeniedException")

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


def explain(reply: Reply, call: Call) -> Fault:
    """Return the fault of a denied AssumeRole, by what STS says about the reason."""
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
    if "explicit deny" in reply.message:
        return Fault(f"{text}: {_deny(who)}", Denied)
    other = {"sts:TagSession": _tags, "sts:SetSourceIdentity": _source_identity}.get(action)
    if other:
        allow = f"the role's trust policy, and the caller's policy, must allow {action} too"
        return Fault(f"{text}: {allow}{other(call)}")
    return Fault(f"{text}: {_unexplained(who, call)}", Denied)


def of_token(reply: Reply, call: Call) -> Fault:
    """Return the fault of a denied AssumeRoleWithWebIdentity, which has no caller."""
    why = _WHY.search(reply.message)
    hint = claims.denied(call)
    if why and "trust policy" not in _place(why):
        hint = _policy(why, "the token's owner", "sts:AssumeRoleWithWebIdentity", call)
    return Fault(f"{reply.text()}: {hint}")


def no_session(reply: Reply) -> Fault:
    """Return the fault of a denied GetSessionToken."""
    if "MultiFactorAuthentication failed" in reply.message:
        return _mfa(reply)
    why = "any user may call GetSessionToken with long-term keys, unless a policy denies it"
    if "session credentials" in reply.message:
        why = "--mfa-session needs a user's long-term keys, and these keys are temporary"
    if not reply.message.strip():
        why = "the service does not say why; not every service has GetSessionToken (--mfa-session)"
    return Fault(f"{reply.text()}: {why}")


def _policy(why: re.Match[str], who: str, action: str, call: Call) -> str:
    """Return what to do where STS says which kind of policy denied the call."""
    where = _place(why).format(
        who=who, ours=_account(who, "the caller's account"), theirs=_account(call.role_arn)
    )
    if why[1]:
        return f"{action} is explicitly denied by {where}"
    place, _, change = where.partition(": ")
    return f"{action} must be allowed by {place}" + (f" ({change})" if change else "")


def _place(why: re.Match[str]) -> str:
    """Return the policy that STS names, and who can change it."""
    kind = (why[2] or why[3]).strip()
    return POLICIES.get(kind, f"a {kind}")


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
    if _is_session_of(who, call.role_arn):
        demand = (
            " (it is a session of this role itself, which no role may assume by default)" + demand
        )
    is_one = _account(who, "") in ("", _account(call.role_arn))
    whose = "the caller's policies" if is_one else "the caller's policies in its own account"
    return (
        "check that the role exists (STS does not say), that its trust policy allows this caller"
        f"{demand}, and that {whose} allow sts:AssumeRole on it"
    )


def _is_session_of(who: str, role_arn: str) -> bool:
    """Whether a caller's ARN is that of a session of a role."""
    caller, role = who.split(":"), role_arn.split(":")
    if len(caller) < 6 or len(role) < 6 or caller[4] != role[4]:
        return False
    return caller[5].startswith(f"assumed-role/{role[5].rpartition('/')[2]}/")


def _deny(who: str) -> str:
    """Return what to do where STS says that a statement denies, but not in which policy."""
    return (
        f"a Deny statement applies, and STS does not say in which policy: check the policies and "
        f"the permissions boundary of {who}, the role's trust policy, and the service and resource "
        "control policies (SCP, RCP) of both organizations"
    )


def _tags(call: Call) -> str:
    if "Tags" in call.given:
        return ", or leave out --tag"
    return (
        ": no --tag was given, but the calling session passes on its transitive tags (as "
        "sessions from EKS Pod Identity and identity providers do)"
    )


def _source_identity(call: Call) -> str:
    if "SourceIdentity" in call.given:
        return " (a session that has a source identity cannot change it)"
    return ": the calling session has a source identity, which is passed on"


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
