"""A web identity's token: what it says of itself (never the token), and why STS refuses it."""

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


def read(text: str) -> dict[str, Any]:
    """Return the claims of a JSON Web Token, not verified; {} for anything else."""
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
    """Return what to do where a trust policy does not allow the token, or there is no such role."""
    found = read(call.token)
    issuer = _shown(found.get("iss")).removeprefix("https://")
    keys = f"{issuer}:aud and {issuer}:sub" if issuer else "the provider's :aud and :sub"
    return (
        f"the role does not exist (STS does not say so), or its trust policy does not allow "
        f"{described(call.token)}: its Principal must be Federated with that issuer, its Action "
        f"sts:AssumeRoleWithWebIdentity, and its conditions on {keys} must match"
    )


def hint(message: str, call: Call) -> str:
    """Return what to do about a token that STS does not accept."""
    lower, whose = message.lower(), described(call.token)
    account = (call.role_arn.split(":") + [""] * 5)[4] or "of the role"
    if "no openidconnect provider" in lower:
        return f"add the issuer as an identity provider to IAM in account {account} ({whose})"
    if "audience" in lower:
        return f"add the audience to the identity provider in IAM in account {account} ({whose})"
    if "thumbprint" in lower:
        return f"update the thumbprints of the identity provider in IAM in account {account}"
    if "not a valid jwt" in lower:
        return f"an ID token is needed, not an access token ({whose})"
    late = lateness(call.token)
    if late or "expired" in lower:
        return f"get a new token: {whose}" + (f" expired {late} s ago" if late else " has expired")
    return f"the token must be current, and its issuer known to IAM in account {account} ({whose})"


def described(text: str) -> str:
    """Return the issuer, audience and subject that a token names."""
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


def lateness(text: str) -> int:
    """Return for how many seconds the token has been expired by this clock, 0 if it has not."""
    expires = read(text).get("exp")
    return max(int(time.time() - expires), 0) if isinstance(expires, (int, float)) else 0


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else ""
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "..."
