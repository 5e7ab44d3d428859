"""The stand-in for a container's credentials endpoint serves botocore."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from botocore.credentials import ContainerProvider, CredentialRetrievalError
from botocore.utils import ContainerMetadataFetcher

from tests.servers import faults
from tests.servers.container import ContainerServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def container() -> Iterator[ContainerServer]:
    with ContainerServer() as server:
        yield server


def provider(container: ContainerServer, token: str = "") -> ContainerProvider:
    environ = {ContainerProvider.ENV_VAR_FULL: container.full_uri}
    if token:
        environ[ContainerProvider.ENV_VAR_AUTH_TOKEN] = token
    fetcher: Any = ContainerMetadataFetcher(sleep=lambda _: None)
    return ContainerProvider(environ, fetcher)


def test_document_has_the_fields_of_a_task(container: ContainerServer) -> None:
    with urllib.request.urlopen(container.full_uri) as response:
        document = json.load(response)
    assert document == container.current
    assert set(document) == {
        "RoleArn", "AccessKeyId", "SecretAccessKey", "Token", "Expiration", "AccountId"
    }  # fmt: skip


def test_document_may_lack_the_account(container: ContainerServer) -> None:
    container.account_id = False
    assert "AccountId" not in container.current


def test_other_paths_do_not_exist(container: ContainerServer) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        urllib.request.urlopen(container.url + "/other")
    caught.value.close()
    assert container.count("creds") == 0


def test_botocore_gets_the_credentials(container: ContainerServer) -> None:
    found = provider(container).load()
    frozen = found.get_frozen_credentials()
    assert frozen.access_key == container.current["AccessKeyId"]
    assert {frozen.secret_key, frozen.token} == container.secrets
    assert frozen.account_id == "123456789012"
    assert container.count("creds") == 1


def test_authorization_is_checked_if_set(container: ContainerServer) -> None:
    container.token = "Bearer right"
    with pytest.raises(CredentialRetrievalError):
        provider(container, "Bearer wrong").load()
    provider(container, "Bearer right").load()
    assert container.requests[-1].headers["authorization"] == "Bearer right"


def test_next_set_is_another(container: ContainerServer) -> None:
    before = container.current
    container.turn()
    assert container.current["Token"] != before["Token"]


def test_fault_is_retried_by_botocore(container: ContainerServer) -> None:
    container.fail(faults.status(500), times=1)
    provider(container).load()
    assert container.count("creds") == 2
