"""IAM Identity Center: GetRoleCredentials, CreateToken, and the token that a login leaves."""

from __future__ import annotations

import hashlib
import json
import time
import urllib.parse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.servers.base import Answer, Server
from tests.servers.rotation import Rotation, iso
from tests.servers.wire import as_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.servers.base import Fault, Recorded

TOKEN = "canarySsoToken0123456789"
REFRESH_TOKEN = "canarySsoRefresh0123456789"

#: Code: HTTP status, message.
ERRORS = {
    "InvalidRequestException": (400, "Invalid request"),
    "UnauthorizedException": (401, "Session token not found or invalid"),
    "ForbiddenException": (403, "No access"),
    "ResourceNotFoundException": (404, "Resource not found"),
    "TooManyRequestsException": (429, "HTTP 429 Unknown Code"),
    "InternalServerException": (500, "Internal server error"),
}


class SsoPortal(Server):
    """The portal's REST API; every attribute may be changed at any time."""

    def __init__(
        self,
        token: str = TOKEN,
        assignments: Iterable[tuple[str, str]] = (("123456789012", "Developer"),),
        lifetime: float = 3600,
        clock: Callable[[], float] = time.time,
        *,
        port: int = 0,
    ) -> None:
        #: The access token that is accepted, and the refresh token that buys the next one. Each
        #: refresh token is good for one exchange.
        self.token = token
        self.refresh = REFRESH_TOKEN
        #: The pairs of account and role that the token's user may have.
        self.assignments = set(assignments)
        self._clock = clock
        self._lifetime = lifetime
        self._rotations: dict[tuple[str, str], Rotation] = {}
        super().__init__(clock=clock, port=port)

    def current(self, account: str, role: str) -> dict[str, Any]:
        """Return the credentials served now, by the portal's names."""
        rotation = self._rotation(account, role)
        known = rotation.current(role)
        return {
            "accessKeyId": known["AccessKeyId"],
            "secretAccessKey": known["SecretAccessKey"],
            "sessionToken": known["Token"],
            "expiration": int(rotation.expires) * 1000,
        }

    def _rotation(self, account: str, role: str) -> Rotation:
        key = (account, role)
        if key not in self._rotations:
            half = self._lifetime / 2
            self._rotations[key] = Rotation(account, self._lifetime, half, self._clock)
        return self._rotations[key]

    def fail(self, fault: Fault, times: int | None = None, nth: int | None = None) -> None:
        """Break GetRoleCredentials."""
        self.break_("creds", fault, times, nth)

    def labels(self, request: Recorded) -> Iterable[str]:
        path = request.path.partition("?")[0]
        return ({"/federation/credentials": "creds", "/token": "token"}.get(path, path),)

    def answer(self, request: Recorded) -> Answer:
        path, _, query = request.path.partition("?")
        if path == "/token" and request.method == "POST":
            return self._exchanged(json.loads(request.body))
        if path != "/federation/credentials" or request.method != "GET":
            return refusal("ResourceNotFoundException")
        parameters = dict(urllib.parse.parse_qsl(query))
        account, role = parameters.get("account_id", ""), parameters.get("role_name", "")
        if not account or not role:
            return refusal("InvalidRequestException")
        if request.headers.get("x-amz-sso_bearer_token") != self.token:
            return refusal("UnauthorizedException")
        if (account, role) not in self.assignments:
            return refusal("ForbiddenException")
        return as_json({"roleCredentials": self.current(account, role)})

    def _exchanged(self, parameters: dict[str, str]) -> Answer:
        if parameters.get("refreshToken") != self.refresh:
            data = {"error": "invalid_grant", "error_description": "Invalid grant provided"}
            answer = as_json(data, status=400)
            return replace(answer, headers={"x-amzn-ErrorType": "InvalidGrantException"})
        self.token, self.refresh = f"{self.token}Next", f"{self.refresh}Next"
        return as_json(
            {
                "accessToken": self.token,
                "tokenType": "Bearer",
                "expiresIn": 3600,
                "refreshToken": self.refresh,
            }
        )


def refusal(code: str) -> Answer:
    """Return this error of the portal."""
    status, message = ERRORS[code]
    answer = as_json({"message": message, "__type": f"com.amazonaws.switchboard#{code}"})
    return replace(answer, status=status, headers={"x-amzn-ErrorType": code})


def error(code: str) -> Fault:
    """Answer with this error; KeyError at once if it is none of ``ERRORS``."""
    answer = refusal(code)
    return lambda exchange: exchange.reply(answer)


def write_token(
    home: Path, name: str, region: str, expires: float, token: str = TOKEN, refresh: str = ""
) -> Path:
    """Leave what a login leaves under ``home``, for a session's name or a start URL.

    With ``refresh`` the token can be exchanged for a newer one.
    """
    folder = home / ".aws" / "sso" / "cache"
    folder.mkdir(parents=True, exist_ok=True)
    start = name if "://" in name else "https://portal.example/start"
    path = folder / f"{hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()}.json"
    document = {
        "startUrl": start,
        "region": region,
        "accessToken": token,
        "expiresAt": iso(expires),
    }
    if refresh:
        document |= {
            "clientId": "client",
            "clientSecret": "canaryClientSecret0123456789",
            "registrationExpiresAt": iso(time.time() + 80 * 86400),
            "refreshToken": refresh,
        }
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    return path


def main() -> None:
    """Run the portal until stdin closes or SIGTERM comes."""
    from tests.servers import command

    command.serve(SsoPortal())


if __name__ == "__main__":
    main()
