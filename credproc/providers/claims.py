"""The claims of a web identity's token (never the token itself), and why STS refuses it."""

from __future__ import annotations

import base64
import binascii
import json
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from credproc.providers.reply import Call

#: Characters of a claim that are shown.
MOST_SHOWN = 200

_UNSIGNED = (
    "the token must be signed with one of the keys that its issuer publishes (jwks_uri in "
    "/.well-known/openid-configuration): get a new token"
)
#: What to do about a token, by lower-case words in STS's message; {account} is the role's.
HINTS = {
    "no openidconnect provider": "add the issuer as an identity provider to IAM in account "
    "{account}",
    "audience": "add the audience to the identity provider in IAM in account {account}",
    "thumbprint": "update the thumbprints of the identity provider in IAM in account {account}",
    "not a valid jwt": "an ID token is needed, not an access token",
    "future": "the issuer's clock is ahead",
    "claim:": "the issuer must include that claim",
    "sign": _UNSIGNED,
    "verification key": _UNSIGNED,
}


def read(text: str) -> dict[str, Any]:
    """Return the unverified claims of a JSON Web Token; {} for anything else."""
    parts = text.split(".")
    if len(parts) != 3:
        return {}
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        found = json.loads(payload)
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def denied(call: Call) -> str:
    """Return what to do if a trust policy does not allow the token, or the role does not exist."""
    found = read(call.token)
    issuer = _shown(found.get("iss")).removeprefix("https://")
    keys = f"{issuer}:aud and {issuer}:sub" if issuer else "the provider's :aud and :sub"
    return (
        f"the role does not exist (STS does not say so), or its trust policy does not allow "
        f"{described(call.token)}: its Principal must be Federated with that issuer, its Action "
        f"sts:AssumeRoleWithWebIdentity, and its conditions on {keys} must match"
    )


def hint(message: str, call: Call) -> str:
    """Return what to do about a token that STS rejected."""
    whose = described(call.token)
    late = expired_for(call.token)
    found = next((text for words, text in HINTS.items() if words in message.lower()), "")
    if found:
        account = (call.role_arn.split(":") + [""] * 5)[4] or "of the role"
        return f"{found.format(account=account)} ({whose})"
    if late or "expired" in message.lower():
        return f"get a new token: {whose}" + (f" expired {late} s ago" if late else " has expired")
    return f"check the token ({whose})"


def described(text: str) -> str:
    """Return the issuer, audience and subject of a token, in words."""
    found = read(text)
    if not found and text:
        form = "" if text.count(".") == 2 else " (it is not a JSON Web Token)"
        return f"the token's issuer, audience and subject{form}"
    audience = found.get("aud")
    named = {
        "issuer": found.get("iss"),
        "audience": ", ".join(map(str, audience)) if isinstance(audience, list) else audience,
        "subject": found.get("sub"),
    }
    return "a token with " + ", ".join(
        f"{name} {_shown(value)}" if value else f"no {name}" for name, value in named.items()
    )


def expired_for(text: str) -> int:
    """Return how many seconds ago the token expired by this clock, 0 if it has not expired."""
    expires = read(text).get("exp")
    return max(int(time.time() - expires), 0) if isinstance(expires, (int, float)) else 0


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else ""
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "..."
