"""The sign-in service of `aws login`: CreateOAuth2Token, and the token that a login leaves."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.servers.base import Answer, Server
from tests.servers.rotation import Rotation, iso
from tests.servers.wire import as_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.servers.base import Recorded

#: What a refresh token buys lasts a quarter of an hour.
LIFETIME = 900
REFRESH_TOKEN = "canaryRefreshToken0123456789"
CLIENT = "arn:aws:signin:::devtools/same-device"


class SigninServer(Server):
    """The service that exchanges refresh tokens; each request must be proved with a key (DPoP)."""

    def __init__(
        self, account: str = "123456789012", clock: Callable[[], float] = time.time
    ) -> None:
        self.account = account
        self._rotation = Rotation(account, LIFETIME, LIFETIME / 2, clock)
        super().__init__(clock=clock)

    @property
    def access_key(self) -> str:
        """The access key of the current credentials."""
        return str(self._rotation.current("login")["AccessKeyId"])

    def labels(self, request: Recorded) -> Iterable[str]:
        return (request.path.partition("?")[0],)

    def answer(self, request: Recorded) -> Answer:
        if request.method != "POST" or request.path != "/v1/token":
            return as_json({"error": "no such path"}, status=404)
        proof = request.headers.get("dpop", "").split(".")
        fields = json.loads(request.body)
        if len(proof) != 3 or fields.get("refreshToken") != REFRESH_TOKEN:
            return as_json({"error": "TOKEN_EXPIRED", "message": "log in"}, status=401)
        known = self._rotation.current("login")
        return as_json(
            {
                "accessToken": {
                    "accessKeyId": known["AccessKeyId"],
                    "secretAccessKey": known["SecretAccessKey"],
                    "sessionToken": known["Token"],
                },
                "tokenType": "aws_sigv4",
                "expiresIn": LIFETIME,
                "refreshToken": REFRESH_TOKEN,
            }
        )


def write_token(home: Path, session: str, expires: float, account: str = "123456789012") -> Path:
    """Leave what a login leaves under ``home``; credentials that have ended are refreshed."""
    folder = home / ".aws" / "login" / "cache"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{hashlib.sha256(session.encode()).hexdigest()}.json"
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    ended = base64.b32encode(hashlib.sha256(session.encode()).digest())[:16].decode()
    document = {
        "accessToken": {
            "accessKeyId": f"ASIA{ended}",
            "secretAccessKey": "canarySecretOfLogin0123456789",
            "sessionToken": "canaryTokenOfLogin0123456789",
            "accountId": account,
            "expiresAt": iso(expires),
        },
        "tokenType": "aws_sigv4",
        "refreshToken": REFRESH_TOKEN,
        "clientId": CLIENT,
        "dpopKey": pem.decode(),
    }
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    return path
