"""A Security Token Service: it issues credentials, knows whom it gave them to, and refuses."""

from __future__ import annotations

import argparse
import re
import time
import urllib.parse
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from tests.servers.base import Answer, Server
from tests.servers.rotation import iso, made_up
from tests.servers.sts_errors import (
    CHAINED,
    ERRORS,
    INVALID_TOKEN,
    NAMESPACE,
    WRONG_CODE,
    StsError,
    error,
    skewed,
)
from tests.servers.wire import rendered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.servers.base import Fault, Recorded

__all__ = ["ERRORS", "Call", "Issued", "StsServer", "error", "skewed"]

ROLE = re.compile(r"arn:aws[\w-]*:iam::(\d{12}):role/(?:\S+/)?([\w+=,.@-]{1,64})")
SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}")
SCOPE = re.compile(r"Credential=([^/]+)/\d{8}/([^/]+)/sts/aws4_request")

UNSIGNED = ("AssumeRoleWithWebIdentity",)

#: Roles assumed from a role last no longer than this.
CHAINED_CAP = 3600


@dataclass(frozen=True)
class Call:
    """One request, as STS understands it."""

    action: str
    parameters: dict[str, str]
    access_key: str
    session_token: str
    region: str
    host: str
    at: float


@dataclass(frozen=True)
class Issued:
    """Credentials that STS knows; ``expires`` is 0 for keys that never end."""

    access_key: str
    secret_key: str = ""
    token: str = ""
    arn: str = "arn:aws:iam::123456789012:user/test"
    expires: float = 0.0
    source_identity: str = ""
    #: When its MFA code was used, 0 without one; and whether it is a user's (GetSessionToken).
    mfa_at: float = 0.0
    is_user: bool = False


class StsServer(Server):
    """STS on loopback; every attribute may be changed at any time."""

    def __init__(
        self,
        delay: float = 0.0,
        lifetime: int = 3600,
        clock: Callable[[], float] = time.time,
        *,
        enforce_chained_cap: bool = True,
        check: bool = True,
        trusted_prefixes: tuple[str, ...] = ("AKIA", "ASIA"),
        max_lifetime: int | None = None,
        tls: tuple[str, str] | None = None,
        port: int = 0,
    ) -> None:
        self.delay = delay
        self.lifetime = lifetime
        self.enforce_chained_cap = enforce_chained_cap
        self.check = check
        #: Unknown keys that start so are taken for good.
        self.trusted_prefixes = trusted_prefixes
        #: No credentials last longer than this, whatever was requested.
        self.max_lifetime = max_lifetime
        #: Device to the codes that are right for it, each once; devices not named take every code.
        self.mfa_codes: dict[str, list[str]] = {}
        #: Role to the greatest age of the MFA code that its trust policy allows (seconds).
        self.mfa_ages: dict[str, float] = {}
        #: Role to the external id that its trust policy asks for.
        self.external_ids: dict[str, str] = {}
        #: Role to its MaxSessionDuration.
        self.max_durations: dict[str, int] = {}
        self._known: dict[str, Issued] = {}
        self._issued: list[Issued] = []
        self._revoked: set[str] = set()
        super().__init__(clock=clock, tls=tls, port=port)

    # What tests ask and say.

    @property
    def calls(self) -> list[Call]:
        """Every call so far, in order of arrival."""
        return [parse(request) for request in self.requests]

    @property
    def issued(self) -> list[Issued]:
        """Everything issued so far."""
        return list(self._issued)

    @property
    def secrets(self) -> set[str]:
        """Every secret key and session token issued so far."""
        return {secret for each in self._issued for secret in (each.secret_key, each.token)}

    def trust(self, access_key: str, arn: str = "", token: str = "") -> None:
        """Know this key, as that principal's; with ``token``, only together with it."""
        known = Issued(access_key, token=token)
        self._known[access_key] = replace(known, arn=arn or known.arn)

    def revoke(self, access_key: str) -> None:
        """Answer ExpiredToken to this key from now on."""
        self._revoked.add(access_key)

    def fail(
        self,
        fault: Fault,
        role: str | None = None,
        times: int | None = None,
        nth: int | None = None,
        action: str | None = None,
    ) -> None:
        """Break calls: those for the role's ARN, else those of the action, else all."""
        self.break_(role or action, fault, times, nth)

    # The protocol.

    def labels(self, request: Recorded) -> Iterable[str]:
        call = parse(request)
        role = call.parameters.get("RoleArn")
        return (call.action, role) if role else (call.action,)

    def facts(self, request: Recorded) -> dict[str, str]:
        call = parse(request)
        role = call.parameters.get("RoleArn", "")
        return {"caller": self._caller(call).arn, "action": call.action, "role": role}

    def answer(self, request: Recorded) -> Answer:
        if self.delay:
            self.stopping.wait(self.delay)
        call = parse(request)
        actions = {
            "AssumeRole": self._assume_role,
            "AssumeRoleWithWebIdentity": self._assume_with_web_identity,
            "GetCallerIdentity": self._caller_identity,
            "GetSessionToken": self._session_token,
        }
        try:
            if call.action not in actions:
                raise StsError("InvalidAction")
            if call.action not in UNSIGNED:
                self._authenticate(request, call)
            result = actions[call.action](call)
        except StsError as refusal:
            return refusal.answer(**self.facts(request))
        return rendered(result, lambda data: _xml(call.action, data), "text/xml")

    def _authenticate(self, request: Recorded, call: Call) -> None:
        if not self.check:
            return
        if not request.headers.get("authorization"):
            raise StsError("MissingAuthenticationToken")
        if not call.access_key:
            raise StsError("IncompleteSignature")
        if call.access_key in self._revoked:
            raise StsError("ExpiredToken")
        known = self._known.get(call.access_key)
        if known is None:
            temporary = call.access_key.startswith("ASIA")
            untrusted = not call.access_key.startswith(self.trusted_prefixes)
            if untrusted or (temporary and not call.session_token):
                raise StsError("InvalidClientTokenId")
            return
        if known.token and known.token != call.session_token:
            raise StsError("InvalidClientTokenId", INVALID_TOKEN)
        if known.expires and known.expires <= self.clock():
            raise StsError("ExpiredToken")

    def _caller(self, call: Call) -> Issued:
        unknown = Issued(call.access_key)
        if call.access_key.startswith("ASIA"):
            unknown = replace(unknown, arn="arn:aws:sts::123456789012:assumed-role/unknown/test")
        return self._known.get(call.access_key, unknown)

    def _assume_role(self, call: Call) -> dict[str, Any]:
        arn, account, role, name = _wanted(call.parameters)
        caller = self._caller(call)
        self._check_conditions(call.parameters, arn)
        self._check_age(call, arn)
        seconds = self._seconds(call, arn)
        identity = call.parameters.get("SourceIdentity", "")
        if caller.source_identity and identity not in ("", caller.source_identity):
            raise StsError("AccessDenied")
        session = f"arn:{arn.split(':')[1]}:sts::{account}:assumed-role/{role}/{name}"
        issued = self._issue(session, seconds, identity or caller.source_identity)
        result: dict[str, Any] = {
            "Credentials": _credentials(issued),
            "AssumedRoleUser": {"AssumedRoleId": f"{_id(arn)}:{name}", "Arn": session},
        }
        if call.parameters.get("Policy") or call.parameters.get("PolicyArns.member.1.arn"):
            result["PackedPolicySize"] = "6"
        if issued.source_identity:
            result["SourceIdentity"] = issued.source_identity
        return result

    def _check_conditions(self, parameters: dict[str, str], arn: str) -> None:
        wanted = self.external_ids.get(arn)
        if wanted is not None and parameters.get("ExternalId") != wanted:
            raise StsError("AccessDenied")
        codes = self.mfa_codes.get(parameters.get("SerialNumber", ""))
        if codes is not None:
            if parameters.get("TokenCode") not in codes:
                raise StsError("AccessDenied", WRONG_CODE)
            codes.remove(parameters["TokenCode"])

    def _check_age(self, call: Call, arn: str) -> None:
        if arn not in self.mfa_ages or call.parameters.get("TokenCode"):
            return
        used = self._caller(call).mfa_at
        if not used or self.clock() - used > self.mfa_ages[arn]:
            raise StsError("AccessDenied")

    def _seconds(self, call: Call, arn: str, longest: int = 43200) -> int:
        requested = call.parameters.get("DurationSeconds")
        if requested is None:
            return self.lifetime
        bounds = (
            ("greater", 900)
            if not requested.isdigit() or int(requested) < 900
            else ("less", longest)
        )
        if bounds[0] == "greater" or int(requested) > longest:
            rule = f"have value {bounds[0]} than or equal to {bounds[1]}"
            raise StsError("ValidationError", _constraint("durationSeconds", requested, rule))
        seconds = int(requested)
        chained = call.access_key.startswith("ASIA") and call.action == "AssumeRole"
        chained = chained and not self._caller(call).is_user
        if self.enforce_chained_cap and chained and seconds > CHAINED_CAP:
            raise StsError("ValidationError", CHAINED)
        if seconds > self.max_durations.get(arn, longest):
            raise StsError("ValidationError")
        return seconds

    def _assume_with_web_identity(self, call: Call) -> dict[str, Any]:
        arn, account, role, name = _wanted(call.parameters)
        if not call.parameters.get("WebIdentityToken"):
            raise StsError("ValidationError", _constraint("webIdentityToken", None, "not be null"))
        session = f"arn:{arn.split(':')[1]}:sts::{account}:assumed-role/{role}/{name}"
        issued = self._issue(session, self._seconds(call, arn), "")
        return {
            "Credentials": _credentials(issued),
            "SubjectFromWebIdentityToken": "system:serviceaccount:default:test",
            "AssumedRoleUser": {"AssumedRoleId": f"{_id(arn)}:{name}", "Arn": session},
            "Provider": "arn:aws:iam::123456789012:oidc-provider/oidc.example",
            "Audience": "sts.amazonaws.com",
        }

    def _session_token(self, call: Call) -> dict[str, Any]:
        if call.access_key.startswith("ASIA"):
            message = "Cannot call GetSessionToken with session credentials"
            raise StsError("AccessDenied", message)
        self._check_conditions(call.parameters, "")
        issued = self._issue(self._caller(call).arn, self._seconds(call, "", 129600), "")
        used = self.clock() if call.parameters.get("TokenCode") else 0.0
        self._known[issued.access_key] = replace(issued, mfa_at=used, is_user=True)
        return {"Credentials": _credentials(issued)}

    def _caller_identity(self, call: Call) -> dict[str, Any]:
        arn = self._caller(call).arn
        return {"Arn": arn, "UserId": _id(arn), "Account": arn.split(":")[4]}

    def _issue(self, arn: str, seconds: int, source_identity: str) -> Issued:
        if self.max_lifetime is not None:
            seconds = min(seconds, self.max_lifetime)
        keys = made_up(f"{arn}/{uuid.uuid4()}")
        issued = Issued(
            keys["AccessKeyId"],
            keys["SecretAccessKey"],
            keys["Token"],
            arn,
            self.clock() + seconds,
            source_identity,
        )
        self._known[issued.access_key] = issued
        self._issued.append(issued)
        return issued


def parse(request: Recorded) -> Call:
    """Return what the request asks, from its form or its query."""
    form = request.body.decode("utf-8", "replace") or request.path.partition("?")[2]
    parameters = dict(urllib.parse.parse_qsl(form, keep_blank_values=True))
    action = parameters.pop("Action", "")
    parameters.pop("Version", None)
    headers = request.headers
    scope = SCOPE.search(headers.get("authorization", ""))
    return Call(
        action,
        parameters,
        scope[1] if scope else "",
        headers.get("x-amz-security-token", ""),
        scope[2] if scope else "",
        headers.get("host", ""),
        request.at,
    )


def _wanted(parameters: dict[str, str]) -> tuple[str, str, str, str]:
    """Return the role's ARN, account and name, and the session's name."""
    for parameter in ("RoleArn", "RoleSessionName"):
        if not parameters.get(parameter):
            field = parameter[0].lower() + parameter[1:]
            raise StsError("ValidationError", _constraint(field, None, "not be null"))
    arn, name = parameters["RoleArn"], parameters["RoleSessionName"]
    match = ROLE.fullmatch(arn)
    if not match:
        raise StsError("ValidationError", f"{arn} is invalid")
    if not SESSION_NAME.fullmatch(name):
        rule = r"satisfy regular expression pattern: [\w+=,.@-]*"
        raise StsError("ValidationError", _constraint("roleSessionName", name, rule))
    return arn, match[1], match[2], name


def _constraint(field: str, value: str | None, rule: str) -> str:
    shown = "null" if value is None else f"'{value}'"
    return (
        f"1 validation error detected: Value {shown} at '{field}' failed to satisfy constraint: "
        f"Member must {rule}"
    )


def _credentials(issued: Issued) -> dict[str, str]:
    return {
        "AccessKeyId": issued.access_key,
        "SecretAccessKey": issued.secret_key,
        "SessionToken": issued.token,
        "Expiration": iso(issued.expires),
    }


def _id(arn: str) -> str:
    return "AROA" + made_up(arn, "")["AccessKeyId"]


def _xml(action: str, data: Any) -> bytes:
    return (
        f'<{action}Response xmlns="{NAMESPACE}">\n'
        f"<{action}Result>{_elements(data)}</{action}Result>\n"
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata>\n"
        f"</{action}Response>\n"
    ).encode()


def _elements(data: Any) -> str:
    if isinstance(data, dict):
        return "".join(f"<{name}>{_elements(each)}</{name}>" for name, each in data.items())
    return escape("" if data is None else str(data))


def main() -> None:
    """Run the service until stdin closes or SIGTERM comes."""
    from tests.servers import command

    parser = argparse.ArgumentParser(prog="python -m tests.servers.sts")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--lifetime", type=int, default=3600)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    given = parser.parse_args()
    tls = (given.tls[0], given.tls[1]) if given.tls else None
    command.serve(StsServer(given.delay, given.lifetime, tls=tls, port=given.port))


if __name__ == "__main__":
    main()
