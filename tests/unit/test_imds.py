"""The client of IMDS: its requests, its tokens, the role, the credentials, and what it says."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from credproc.deadline import Deadline
from credproc.errors import ProviderFailed, ProviderUnavailable
from credproc.providers import imds, metadata
from credproc.variables import CONTAINER_IDENTITIES
from tests.imds_client import (
    FAILED,
    IN_TIME,
    UNAVAILABLE,
    Kind,
    call,
    fetched,
    is_well_behaved,
    new_run,
)
from tests.runs import Hurry
from tests.servers import faults
from tests.servers.base import backlog_full, closed_port
from tests.servers.imds import ImdsServer
from tests.servers.rotation import iso
from tests.servers.wire import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.base import Exchange, Fault
    from tests.servers.imds import ListStyle

STEPS = ("token", "list", "creds")


@pytest.fixture
def service() -> Iterator[ImdsServer]:
    """A service that would answer without a token."""
    with ImdsServer(mode="optional") as server:
        yield server


def test_healthy_service_gets_three_requests_on_one_connection(service: ImdsServer) -> None:
    outcome = fetched(service)
    assert outcome.found is not None
    expected = service.current
    assert outcome.found.access_key == expected["AccessKeyId"]
    assert outcome.found.secret_key == expected["SecretAccessKey"]
    assert outcome.found.token == expected["Token"]
    assert iso(outcome.found.expiration) == expected["Expiration"]
    assert outcome.found.provider == "imds"
    assert [request.labels[0] for request in service.requests] == ["token", "list", "creds"]
    assert service.requests[0].headers["x-aws-ec2-metadata-token-ttl-seconds"] == "21600"
    assert service.connections == 1
    is_well_behaved(service, outcome)


def test_answer_beyond_the_hop_limit_names_the_hop_limit() -> None:
    with ImdsServer(hops=2) as server:
        outcome = fetched(server, seconds=1)
        assert outcome.kind is UNAVAILABLE
        assert "hop limit must be 2 or more" in outcome.said
        assert "within 1 s" in outcome.said
        server.limit = 2
        assert fetched(server).found is not None


def test_dropped_packets_are_a_doubt_after_two_seconds() -> None:
    with backlog_full() as url:
        outcome = fetched(url)
    assert outcome.kind is UNAVAILABLE
    assert f"no connection to {url} within 2 s" in outcome.said
    assert 1.9 < outcome.seconds < IN_TIME


def test_refusal_is_an_answer() -> None:
    url = closed_port()
    outcome = fetched(url)
    assert outcome.kind is UNAVAILABLE
    assert f"nothing answers at {url} (connection refused)" in outcome.said
    assert outcome.seconds < IN_TIME


def test_refusal_by_a_service_that_was_there_a_moment_ago_is_a_failure() -> None:
    with ImdsServer() as server:
        server.fail("list", faults.then(server._listener.close, faults.reset()))
        outcome = fetched(server)
        assert outcome.kind is FAILED, outcome
        assert "connection refused" in outcome.said


@pytest.mark.parametrize(
    ("number", "outcome"),
    [("ENETUNREACH", UNAVAILABLE), ("EHOSTUNREACH", UNAVAILABLE), ("EPERM", UNAVAILABLE),
     ("EAFNOSUPPORT", UNAVAILABLE), ("ENOBUFS", FAILED), ("EMFILE", FAILED)],
)  # fmt: skip
def test_missing_network_is_not_blamed_on_imds(
    service: ImdsServer, monkeypatch: pytest.MonkeyPatch, number: str, outcome: Kind
) -> None:
    code = getattr(errno, number)

    def connect(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(socket.socket, "connect", connect)
    came = fetched(service)
    assert came.kind is outcome
    assert os.strerror(code).lower() in came.said
    assert service.connections == 0


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The resolver of this machine; ``resolve`` is what it does."""
    made = SimpleNamespace()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: made.resolve())
    return made


def test_resolver_that_hangs_is_not_waited_for(names: SimpleNamespace) -> None:
    released = threading.Event()
    names.resolve = lambda: released.wait(10)
    try:
        outcome = fetched("http://imds.example", seconds=0.3)
    finally:
        released.set()
    assert outcome.kind is UNAVAILABLE
    assert "no connection to http://imds.example" in outcome.said
    assert outcome.seconds < IN_TIME


def test_name_without_an_address_is_a_doubt(names: SimpleNamespace) -> None:
    def resolve() -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    names.resolve = resolve
    outcome = fetched("http://imds.example")
    assert outcome.kind is UNAVAILABLE
    assert (
        "cannot resolve the host of http://imds.example (name or service not known)" in outcome.said
    )


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".example"])
def test_name_that_cannot_be_one_has_no_address(host: str) -> None:
    outcome = fetched(f"http://{host}")
    assert outcome.kind is UNAVAILABLE
    assert f"cannot resolve the host of http://{host} (" in outcome.said


def test_every_address_of_a_name_is_tried(service: ImdsServer, names: SimpleNamespace) -> None:
    tcp = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
    addresses = [(*tcp, ("127.0.0.1", 1)), (*tcp, ("127.0.0.1", service.port))]
    names.resolve = lambda: addresses
    assert fetched("http://imds.example").found is not None
    addresses.pop()
    assert "connection refused" in fetched("http://imds.example").said


def test_service_on_ipv6_is_called() -> None:
    with ImdsServer(ipv6=True) as server:
        outcome = fetched(server)
        assert outcome.found is not None
        assert server.requests[0].headers["host"] == f"[::1]:{server.port}"
    assert f"nothing answers at http://[::1]:{server.port}" in fetched(server).said


def test_endpoint_may_have_a_path(service: ImdsServer) -> None:
    fetched(service.url + "/latest/")
    assert service.requests[0].path == "/latest/latest/api/token"


# Tokens.


@pytest.mark.parametrize("step", ["list", "creds"])
def test_token_that_was_revoked_is_replaced_once(service: ImdsServer, step: str) -> None:
    before = {"list": "token", "creds": "list"}[step]
    service.fail(before, faults.then(service.revoke_tokens), times=1)
    outcome = fetched(service)
    assert outcome.found is not None
    assert service.count("token") == 2
    assert service.count(step) == 2
    used = [request.headers["x-aws-ec2-metadata-token"] for request in service.requests
            if request.labels[0] == step]  # fmt: skip
    assert used[0] != used[1]
    is_well_behaved(service, outcome)


def test_token_is_replaced_once_in_a_run_and_not_for_every_request(service: ImdsServer) -> None:
    service.fail("list", faults.status(401), nth=1)
    service.fail("creds", faults.status(401))
    outcome = fetched(service)
    assert outcome.kind is FAILED
    assert "401 for the credentials of app" in outcome.said
    assert [request.labels[0] for request in service.requests] == [
        "token", "list", "token", "list", "creds",
    ]  # fmt: skip


GOOD = "A" * 56


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        (b"AQAEA" + b"x" * 49 + b"==", True),
        (b"x" * 1024, True),
        (GOOD.encode() + b"\n", True),
        (GOOD.encode() + b"\r\n", True),
        (b"x" * 1025, False),
        (b"AQAEA\r\nX-Evil: 1", False),
        (b"AQAEA\nX-Evil: 1", False),
        (b"two words", False),
        (b"AQAEA\x00", False),
        (b"AQAEA\x1b[31m", False),
        ("schlüssel".encode(), False),
        (b"\xff\xfe", False),
        (b"<token/>", False),
    ],
)
def test_only_what_can_be_a_token_is_sent_back(
    service: ImdsServer, sent: bytes, taken: bool
) -> None:
    service.fail("token", faults.body(sent))
    outcome = fetched(service)
    assert outcome.kind is FAILED  # no provider issued it
    if taken:
        assert "401 for the list" in outcome.said
        assert service.requests[1].headers["x-aws-ec2-metadata-token"] == sent.decode().strip()
        return
    assert "a response that is not a token" in outcome.said
    assert service.count("list") == 0
    assert "x-evil" not in service.requests[0].headers


def test_token_that_a_service_repeats_is_not_shown(service: ImdsServer) -> None:
    def parrot(exchange: Exchange) -> None:
        token = exchange.request.headers["x-aws-ec2-metadata-token"]
        exchange.reply(text(f"you sent {token}"))

    service.fail("list", parrot)
    outcome = fetched(service)
    assert outcome.kind is FAILED
    assert "you sent" not in outcome.said
    is_well_behaved(service, outcome)


@pytest.mark.parametrize("code", [301, 302, 307, 308])
@pytest.mark.parametrize("step", STEPS)
def test_redirect_is_followed_nowhere(service: ImdsServer, code: int, step: str) -> None:
    with ImdsServer(mode="optional") as other:
        service.fail(step, faults.redirect(code, other.url + "/latest/api/token"))
        outcome = fetched(service)
        assert outcome.kind is FAILED
        assert f"answered {code}" in outcome.said
        assert other.connections == 0


# Names of roles.


@pytest.mark.parametrize("style", ["plain", "lf", "crlf", "two"])
def test_role_is_the_first_line_of_the_list(service: ImdsServer, style: ListStyle) -> None:
    service.list_style = style
    outcome = fetched(service)
    assert outcome.found is not None
    assert service.requests[-1].path == metadata.ROLES + "app"


@pytest.mark.parametrize(
    "name",
    [b"../../../user-data", b"a%2fb", b"a/b", b"a b", b"a?b", b"x" * 200, b"x" * 65,
     "rôle".encode(), b"\xef\xbb\xbfapp", b"app\rother", b"app\x00", b"\x1b[31mapp", b"app\xff",
     b'{"a": 1}'],
)  # fmt: skip
def test_invalid_role_name_is_not_requested(service: ImdsServer, name: bytes) -> None:
    service.fail("list", faults.body(name))
    outcome = fetched(service)
    assert outcome.kind is FAILED
    assert "a response that is not a role name" in outcome.said
    assert service.count("creds") == 0
    is_well_behaved(service, outcome)


@pytest.mark.parametrize("name", ["x" * 64, "A_b+c=d,e.f@g-1"])
def test_every_valid_role_name_is_requested(service: ImdsServer, name: str) -> None:
    service.role = name
    assert fetched(service).found is not None


def test_role_that_vanished_is_looked_for_again_once(service: ImdsServer) -> None:
    def exchange_role() -> None:
        service.role = "next"

    service.fail("list", faults.then(exchange_role), times=1)
    outcome = fetched(service)
    assert outcome.found is not None
    assert outcome.found.access_key == service.document_of("next")["AccessKeyId"]
    assert service.count("token") == 1
    assert service.count("list") == service.count("creds") == 2


def test_role_that_was_removed_is_reported_as_missing(service: ImdsServer) -> None:
    def detach() -> None:
        service.role = None

    service.fail("list", faults.then(detach), times=1)
    outcome = fetched(service)
    assert outcome.kind is UNAVAILABLE
    assert "no role" in outcome.said
    assert service.count("list") == 2


def test_role_requested_by_name_is_the_only_one(service: ImdsServer) -> None:
    assert fetched(service, "app").found is not None
    service.forget()
    outcome = fetched(service, "web")
    assert outcome.kind is UNAVAILABLE
    assert "this instance's role is app, not web" in outcome.said
    assert service.count("creds") == 0


def test_role_requested_by_name_is_not_replaced_by_another_one(
    service: ImdsServer,
) -> None:
    def exchange_role() -> None:
        service.role = "next"

    service.fail("list", faults.then(exchange_role), times=1)
    outcome = fetched(service, "app")
    assert outcome.kind is UNAVAILABLE
    assert "is next, not app" in outcome.said


# Credentials.


def test_missing_trust_is_reported_with_what_to_do(service: ImdsServer) -> None:
    service.trusted = False
    outcome = fetched(service)
    assert outcome.kind is FAILED
    assert "IMDS (role app) answered AssumeRoleUnauthorizedAccess EC2 cannot" in outcome.said
    assert "trust policy must let ec2.amazonaws.com" in outcome.said
    assert service.count() == 3


KEYS = ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (faults.fields(Code="Failed"), "answered Failed"),
        (faults.fields(Code="Failed", Message="over \x1b[31mloaded\r\n"), "Failed over [31mloaded"),
        (faults.fields(Code="success"), "answered success"),
        (faults.fields(Code=None), "an unreadable Code"),
        (faults.fields(Code=["Success"]), "an unreadable Code"),
        (faults.fields(Code=""), "an unreadable Code"),
        (faults.fields(Code="Failed", Message={"a": 1}), "answered Failed"),
        *((faults.without(key), f"without {key}") for key in KEYS),
        *((faults.fields(**{key: ""}), f"without {key}") for key in KEYS),
        *((faults.fields(**{key: None}), f"without {key}") for key in KEYS),
        *((faults.fields(**{key: 12}), f"unreadable {key}") for key in KEYS),
        *((faults.fields(**{key: ["x"]}), f"unreadable {key}") for key in KEYS),
        *((faults.fields(**{key: "a\r\nb"}), f"unreadable {key}") for key in KEYS),
        *((faults.fields(**{key: "schlüssel"}), f"unreadable {key}") for key in KEYS),
        *((faults.fields(Expiration=value), "unreadable Expiration")
          for value in ("soon", "2030-13-01T00:00:00Z", "2030-01-01T00:00:00", "2030-01-01",
                        "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "1" * 5000)),
        (faults.mutate(lambda _: {}), "without AccessKeyId"),
        (faults.mutate(lambda _: {"Code": "Success"}), "without AccessKeyId"),
    ],
)  # fmt: skip
def test_answer_without_credentials_is_a_failure_at_once(
    service: ImdsServer, change: Fault, said: str
) -> None:
    service.fail("creds", change)
    outcome = fetched(service)
    assert outcome.kind is FAILED
    assert outcome.said.startswith("IMDS (role app) answered ")
    assert said in outcome.said
    assert service.count() == 3
    is_well_behaved(service, outcome)


def test_message_of_a_refusal_holds_no_secret(service: ImdsServer) -> None:
    secret = service.current["SecretAccessKey"]
    service.fail("creds", faults.fields(Code="Failed", Message=f"cannot use {secret}"))
    outcome = fetched(service)
    assert "cannot use [secret]" in outcome.said
    is_well_behaved(service, outcome)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("2030-01-02T03:04:05Z", "2030-01-02T03:04:05Z"),
        ("2030-01-02T03:04:05.999999Z", "2030-01-02T03:04:05Z"),
        ("2030-01-02T03:04:05+02:00", "2030-01-02T01:04:05Z"),
        ("2030-01-02T03:04:05-0530", "2030-01-02T08:34:05Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z"),  # 0 would mean: never
    ],
)
def test_expiration_is_read_in_every_form(service: ImdsServer, sent: str, read: str) -> None:
    service.fail("creds", faults.fields(Expiration=sent))
    outcome = fetched(service)
    assert outcome.found is not None
    assert iso(outcome.found.expiration) == read


def test_code_may_be_missing_and_the_account_may_be_given(service: ImdsServer) -> None:
    service.account_in_document = True
    service.fail("creds", faults.without("Code", "Type", "LastUpdated"))
    outcome = fetched(service)
    assert outcome.found is not None
    assert outcome.found.account_id == "123456789012"


# What surrounds a conversation.


@pytest.mark.parametrize("variable", CONTAINER_IDENTITIES)
def test_containers_own_identity_comes_before_the_nodes(service: ImdsServer, variable: str) -> None:
    environ = {variable: "http://127.0.0.1/x"}
    outcome = fetched(service, environ=environ)
    assert outcome.kind is UNAVAILABLE
    assert variable in outcome.said
    assert "--imds ROLE" in outcome.said
    assert service.count() == 0
    assert fetched(service, "app", environ=environ).found is not None
    assert fetched(service, environ={variable: ""}).found is not None


def test_pauses_grow_and_differ(service: ImdsServer) -> None:
    clock = Hurry()
    service.fail(None, faults.status(503))
    for _ in range(20):
        call(new_run(service.url, clock=clock))
    pauses = clock.pauses
    longest = [max(pauses[start::3]) for start in range(3)]
    assert len(set(pauses)) == len(pauses) == 60
    assert longest[0] <= 0.1 < longest[1] <= 0.2 < longest[2] <= 0.4


def test_more_tries_and_more_time_can_be_configured(service: ImdsServer) -> None:
    service.fail("list", faults.status(503), times=9)
    outcome = fetched(service, environ={"AWS_METADATA_SERVICE_NUM_ATTEMPTS": "10"})
    assert outcome.found is not None
    assert service.count("list") == 10
    service.fail("list", faults.delay(1.2))
    assert fetched(service, environ={"AWS_METADATA_SERVICE_TIMEOUT": "3"}).found is not None


def test_chain_gets_region_and_role_with_one_token(service: ImdsServer) -> None:
    run = new_run(service.url)
    assert imds.region(run) == "eu-central-1"
    assert imds.instance_id(run.until(Deadline(5))) == "i-0a1b2c3d4e5f60718"
    assert call(run).found is not None
    assert service.count("token") == 1


def test_chain_waits_only_once_for_a_missing_service() -> None:
    with backlog_full() as url:
        run = new_run(url)
        started = time.monotonic()
        with pytest.raises(ProviderUnavailable):
            imds.region(run)
        outcome = call(run)
        assert time.monotonic() - started < IN_TIME
        assert outcome.seconds < 1
        assert "within 2 s" in outcome.said


@pytest.mark.parametrize("odd", ["", "<html>", "../x", "EU", "a.b", "i-", "i-/x", "x" * 300])
def test_region_and_instance_that_cannot_be_are_not_believed(service: ImdsServer, odd: str) -> None:
    for label in ("region", "instance-id"):
        service.fail(label, faults.status(404) if not odd else faults.body(odd.encode()))
    if odd.startswith("<"):
        with pytest.raises(ProviderFailed, match="a web page"):
            imds.region(new_run(service.url))
        return
    assert imds.region(new_run(service.url)) in ("", odd[:2] if odd == "i-" else "")
    assert imds.instance_id(new_run(service.url)) == ""


def test_name_of_the_role_is_to_be_had_alone(service: ImdsServer) -> None:
    assert imds.role_name(new_run(service.url)) == "app"
    assert service.count("creds") == 0
