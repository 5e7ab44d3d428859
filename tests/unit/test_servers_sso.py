"""The stand-in for the SSO portal serves botocore, with the token it is left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.credentials import SSOProvider
from botocore.exceptions import ClientError, TokenRetrievalError, UnauthorizedSSOTokenError
from botocore.tokens import SSOTokenProvider

from tests.servers.sso import ERRORS, SsoPortal, error, write_token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START = "https://corp.example/start"
SESSION = f"""
[sso-session corp]
sso_start_url = {START}
sso_region = eu-west-1

[profile dev]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Developer
"""
LEGACY = f"""
[profile dev]
sso_start_url = {START}
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = Developer
"""


@pytest.fixture
def portal() -> Iterator[SsoPortal]:
    with SsoPortal() as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, portal: SsoPortal, monkeypatch: pytest.MonkeyPatch) -> Path:
    for reader in (SSOProvider, SSOTokenProvider):
        folder = str(tmp_path / ".aws" / "sso" / "cache")  # botocore asks for HOME at its import
        monkeypatch.setattr(reader, "_SSO_TOKEN_CACHE_DIR", folder)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSO", portal.url)
    (tmp_path / "config").write_text(SESSION)
    return tmp_path


def resolve() -> Any:
    found = botocore.session.Session(profile="dev").get_credentials()
    assert found is not None
    return found.get_frozen_credentials()


@pytest.mark.parametrize(("config", "name"), [(SESSION, "corp"), (LEGACY, START)])
def test_botocore_gets_the_credentials(
    portal: SsoPortal, home: Path, config: str, name: str
) -> None:
    (home / "config").write_text(config)
    write_token(home, name, "eu-west-1", time.time() + 3600)
    found = resolve()
    current = portal.current("123456789012", "Developer")
    assert found.access_key == current["accessKeyId"]
    assert found.secret_key == current["secretAccessKey"]
    assert found.token == current["sessionToken"]
    assert portal.count("creds") == 1


def test_wrong_token_is_unauthorized(portal: SsoPortal, home: Path) -> None:
    write_token(home, "corp", "eu-west-1", time.time() + 3600, token="other")
    with pytest.raises(UnauthorizedSSOTokenError):
        resolve()
    assert portal.count("creds") == 1


def test_role_not_assigned_is_forbidden(portal: SsoPortal, home: Path) -> None:
    portal.assignments.clear()
    write_token(home, "corp", "eu-west-1", time.time() + 3600)
    with pytest.raises(ClientError, match=r"ForbiddenException.*No access"):
        resolve()


def test_expired_login_reaches_no_portal(portal: SsoPortal, home: Path) -> None:
    path = write_token(home, "corp", "eu-west-1", time.time() - 1)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(TokenRetrievalError, match="expired"):
        resolve()
    assert portal.count() == 0


@pytest.mark.parametrize("code", ["InvalidRequestException", "ResourceNotFoundException"])
def test_scripted_error_is_understood(portal: SsoPortal, home: Path, code: str) -> None:
    portal.fail(error(code))
    write_token(home, "corp", "eu-west-1", time.time() + 3600)
    with pytest.raises(ClientError) as caught:
        resolve()
    assert caught.value.response["Error"] == {"Code": code, "Message": ERRORS[code][1]}
