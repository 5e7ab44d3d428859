"""moto's server identifies its callers, and rejects credentials that it did not issue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from tests.servers.minting import assume_role
from tests.servers.moto import Moto

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHER = "444455556666"
NAMES = ("AccessKeyId", "SecretAccessKey", "SessionToken")


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    with Moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


def client(moto: Moto, service: str, key: str, secret: str, token: str | None = None) -> Any:
    return botocore.session.Session().create_client(
        service,
        region_name="eu-central-1",
        endpoint_url=moto.url,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
    )


def test_only_what_it_issued_is_accepted_and_every_call_is_recorded(moto: Moto) -> None:
    key, secret = moto.user("laptop")
    jump, app = moto.role("jump"), moto.role("app", OTHER)
    moto.bucket("app-data", OTHER)
    instance = assume_role(moto.url, jump, "i-0a1b2c3d4e5f60718", 3600)
    moto.authenticate()
    moto.forget()

    first = client(moto, "sts", key, secret).assume_role(RoleArn=jump, RoleSessionName="me")
    keys = [first["Credentials"][name] for name in NAMES]
    second = client(moto, "sts", *keys).assume_role(RoleArn=app, RoleSessionName="me")
    last = [second["Credentials"][name] for name in NAMES]

    assert client(moto, "sts", *last).get_caller_identity()["Arn"] == (
        f"arn:aws:sts::{OTHER}:assumed-role/app/me"
    )
    assert [b["Name"] for b in client(moto, "s3", *last).list_buckets()["Buckets"]] == ["app-data"]
    assert [(call.action, call.access_key) for call in moto.calls] == [
        ("AssumeRole", key),
        ("AssumeRole", keys[0]),
        ("GetCallerIdentity", last[0]),
    ]
    minted = (instance["AccessKeyId"], instance["SecretAccessKey"], instance["Token"])
    assert client(moto, "sts", *minted).get_caller_identity()["Account"] == "123456789012"
    for wrong, code in (
        (("AKIAAAAAAAAAAAAAAAAA", secret), "InvalidClientTokenId"),
        ((key, "x" * 40), "SignatureDoesNotMatch"),
        ((*last[:2], "another token"), "InvalidClientTokenId"),
    ):
        with pytest.raises(ClientError, match=code):
            client(moto, "sts", *wrong).get_caller_identity()
