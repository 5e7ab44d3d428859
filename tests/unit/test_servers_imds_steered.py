"""The stand-in for IMDS does what a test tells it, and serves botocore."""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import sys
import threading
import urllib.parse
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.utils import IMDSRegionProvider, InstanceMetadataFetcher
from moto.server import ThreadedMotoServer

from tests.servers import faults
from tests.servers.imds import ImdsServer
from tests.servers.imds_requests import ROLES, TOKEN, TTL, ask, get, served, token
from tests.servers.minting import assume_role, minter
from tests.servers.sts import StsServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def imds() -> Iterator[ImdsServer]:
    with ImdsServer() as server:
        yield server


def test_requests_are_recorded_with_their_connection(imds: ImdsServer) -> None:
    connection = http.client.HTTPConnection(imds.host, imds.port, timeout=5)
    with contextlib.closing(connection):
        for path in (ROLES, ROLES + "app"):
            connection.request("GET", path, headers={"X-One": "a"})
            connection.getresponse().read()
    ask(imds, "GET", "/latest/meta-data/placement/region")
    first, second, third = imds.requests
    assert (first.method, first.path, first.headers["x-one"]) == ("GET", ROLES, "a")
    assert first.connection == second.connection != third.connection
    assert first.at <= second.at <= third.at
    assert [imds.count(step) for step in ("list", "creds", "region", "token")] == [1, 1, 1, 0]
    assert (imds.count(), imds.connections) == (3, 2)


def test_connection_is_closed_on_request(imds: ImdsServer) -> None:
    reply = ask(imds, "GET", ROLES, {"Connection": "close"})
    assert reply.headers["Connection"] == "close"


def test_step_fails_so_often_and_is_healthy_then(imds: ImdsServer) -> None:
    imds.fail("token", faults.status(500), times=1)
    imds.fail("token", faults.status(429, headers={"Retry-After": "1"}), times=1)
    replies = [ask(imds, "PUT", "/latest/api/token", {TTL: "60"}) for _ in range(3)]
    assert [reply.status for reply in replies] == [500, 429, 200]
    assert replies[1].headers["Retry-After"] == "1"


def test_only_the_nth_request_of_a_step_fails(imds: ImdsServer) -> None:
    imds.fail("list", faults.status(503), nth=2)
    known = token(imds)
    statuses = [ask(imds, "GET", ROLES, {TOKEN: known}).status for _ in range(3)]
    assert statuses == [200, 503, 200]


def test_healed_service_answers(imds: ImdsServer) -> None:
    imds.fail(None, faults.status(500))
    assert ask(imds, "GET", ROLES).status == 500
    imds.heal()
    assert get(imds, ROLES).status == 200


def test_role_can_vanish_between_two_requests(imds: ImdsServer) -> None:
    imds.fail("list", faults.then(lambda: setattr(imds, "role", "renamed")), times=1)
    name = get(imds, ROLES).text
    assert name == "app"
    assert get(imds, ROLES + name).status == 404


def test_paused_requests_wait_for_their_release(imds: ImdsServer) -> None:
    replies: list[int] = []
    known = token(imds)

    def read() -> None:
        replies.append(ask(imds, "GET", ROLES + "app", {TOKEN: known}).status)

    threads = [threading.Thread(target=read) for _ in range(3)]
    with imds.hold("creds") as hold:
        for thread in threads:
            thread.start()
        hold.wait_for(3)
        assert replies == []
        with pytest.raises(TimeoutError, match="3 of 4"):
            hold.wait_for(4, timeout=0.01)
    for thread in threads:
        thread.join(5)
    assert replies == [200, 200, 200]


def test_stopping_ends_paused_and_hanging_requests() -> None:
    imds = ImdsServer()
    imds.hold("list")
    imds.fail("creds", faults.hang())
    failed: list[type[BaseException]] = []

    def read(path: str) -> None:
        try:
            ask(imds, "GET", path)
        except (http.client.HTTPException, OSError) as error:
            failed.append(type(error))

    threads = [threading.Thread(target=read, args=(ROLES + name,)) for name in ("", "app")]
    for thread in threads:
        thread.start()
    imds.wait_for(2)
    imds.stop()
    for thread in threads:
        thread.join(5)
    assert len(failed) == 2
    assert imds.open_connections == 0


def test_botocore_gets_the_credentials(imds: ImdsServer) -> None:
    fetcher = InstanceMetadataFetcher(timeout=5, num_attempts=1, base_url=imds.url)
    answer = fetcher.retrieve_iam_role_credentials()
    current = imds.current
    assert answer["role_name"] == "app"
    assert answer["access_key"] == current["AccessKeyId"]
    assert answer["secret_key"] == current["SecretAccessKey"]
    assert answer["token"] == current["Token"]
    assert [request.labels for request in imds.requests] == [("token",), ("list",), ("creds",)]
    assert imds.connections == 1
    assert imds.v1_requests == 0


def test_botocore_finds_no_credentials_without_a_profile(imds: ImdsServer) -> None:
    imds.role = None
    fetcher = InstanceMetadataFetcher(timeout=5, num_attempts=1, base_url=imds.url)
    assert fetcher.retrieve_iam_role_credentials() == {}


def test_botocore_finds_the_region(imds: ImdsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds.url)
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    provider = IMDSRegionProvider(botocore.session.Session())
    assert provider.provide() == "eu-central-1"


def run(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.servers.imds", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def url_of(process: subprocess.Popen[bytes]) -> urllib.parse.SplitResult:
    assert process.stdout is not None
    return urllib.parse.urlsplit(process.stdout.readline().decode().strip())


def test_command_serves_until_stdin_closes() -> None:
    with run("--role", "batch") as process:
        address = url_of(process)
        fetcher = InstanceMetadataFetcher(timeout=5, num_attempts=1, base_url=address.geturl())
        assert fetcher.retrieve_iam_role_credentials()["role_name"] == "batch"
        process.communicate(timeout=10)
    assert process.returncode == 0


def test_command_mints_at_sts_and_ends_on_a_signal() -> None:
    with StsServer() as sts:
        arn = "arn:aws:iam::210987654321:role/minted"
        with run("--sts-endpoint", sts.url, "--role-arn", arn) as process:
            address = url_of(process)
            fetcher = InstanceMetadataFetcher(timeout=5, num_attempts=1, base_url=address.geturl())
            answer = fetcher.retrieve_iam_role_credentials()
            process.terminate()
            process.wait(10)
        assert answer["access_key"] == sts.issued[0].access_key
        assert sts.calls[0].parameters["RoleArn"] == arn
    assert process.returncode == 0


def test_minted_credentials_are_the_roles_at_moto() -> None:
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    try:
        host, port = moto.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        with ImdsServer(mint=minter(endpoint, "123456789012")) as imds:
            found = served(imds)
        client: Any = botocore.session.Session().create_client(
            "sts",
            region_name="eu-central-1",
            endpoint_url=endpoint,
            aws_access_key_id=found["AccessKeyId"],
            aws_secret_access_key=found["SecretAccessKey"],
            aws_session_token=found["Token"],
        )
        arn = client.get_caller_identity()["Arn"]
    finally:
        moto.stop()
    assert arn.startswith("arn:aws:sts::123456789012:assumed-role/app/")


def test_minted_expiration_has_whole_seconds() -> None:
    with StsServer() as sts:
        sts.fail(
            faults.mutate(
                lambda data: {
                    "Credentials": {**data["Credentials"], "Expiration": "2030-01-01T00:00:00.5Z"}
                }
            )
        )
        found = assume_role(sts.url, "arn:aws:iam::210987654321:role/minted", "i-1", 3600)
    assert found["Expiration"] == "2030-01-01T00:00:00Z"
