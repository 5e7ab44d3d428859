"""The stand-in for IMDS says what IMDS says."""

from __future__ import annotations

import contextlib
import http.client
from typing import TYPE_CHECKING, Any

import pytest

from tests.runs import Clock
from tests.servers.imds import ImdsServer
from tests.servers.imds_requests import ROLES, TOKEN, TTL, ask, get, seconds, served, token

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def imds(clock: Clock) -> Iterator[ImdsServer]:
    with ImdsServer(clock=clock) as server:
        yield server


def test_token_is_opaque_and_its_lifetime_is_echoed(imds: ImdsServer) -> None:
    reply = ask(imds, "PUT", "/latest/api/token", {TTL: "60"})
    assert reply.status == 200
    assert reply.headers[TTL] == "60"
    assert reply.headers["Server"] == "EC2ws"
    assert reply.headers["Content-Type"] == "text/plain"
    assert len(reply.body) == 56


@pytest.mark.parametrize("seconds", ["", "0", "-1", "21601", "1.5", "x", "²"])
def test_token_with_a_bad_lifetime_is_refused(imds: ImdsServer, seconds: str) -> None:
    headers = {TTL: seconds.encode().decode("latin-1")}
    assert ask(imds, "PUT", "/latest/api/token", headers).status == 400


def test_token_without_a_lifetime_is_refused(imds: ImdsServer) -> None:
    assert ask(imds, "PUT", "/latest/api/token").status == 400


def test_forwarded_and_versioned_token_requests_are_refused(imds: ImdsServer) -> None:
    forwarded = {TTL: "60", "X-Forwarded-For": "10.0.0.1"}
    assert ask(imds, "PUT", "/latest/api/token", forwarded).status == 403
    assert ask(imds, "PUT", "/2021-03-23/api/token", {TTL: "60"}).status == 403


def test_other_methods_are_refused_with_the_configured_status(imds: ImdsServer) -> None:
    assert ask(imds, "PUT", "/latest/meta-data/", {TTL: "60"}).status == 405
    assert ask(imds, "GET", "/latest/api/token").status == 405
    imds.odd_method_status = 403
    assert ask(imds, "POST", "/latest/meta-data/").status == 403


@pytest.mark.parametrize("mode", ["required", "optional"])
def test_unknown_token_is_refused_in_both_modes(imds: ImdsServer, mode: Any) -> None:
    imds.mode = mode
    assert ask(imds, "GET", ROLES, {TOKEN: "AQAEAforeign=="}).status == 401


def test_missing_token_is_refused_when_required_and_counted_when_optional(
    imds: ImdsServer,
) -> None:
    assert ask(imds, "GET", ROLES).status == 401
    assert imds.v1_requests == 0
    imds.mode = "optional"
    assert ask(imds, "GET", ROLES).text == "app"
    assert imds.v1_requests == 1


def test_token_is_good_for_exactly_its_lifetime(imds: ImdsServer, clock: Clock) -> None:
    first = token(imds, 60)
    clock.now += 59.9
    assert ask(imds, "GET", ROLES, {TOKEN: first}).status == 200
    clock.now += 0.1
    assert ask(imds, "GET", ROLES, {TOKEN: first}).status == 401


def test_two_tokens_are_good_at_once_until_revoked(imds: ImdsServer) -> None:
    tokens = [token(imds), token(imds)]
    assert [ask(imds, "GET", ROLES, {TOKEN: each}).status for each in tokens] == [200, 200]
    imds.revoke_tokens()
    assert [ask(imds, "GET", ROLES, {TOKEN: each}).status for each in tokens] == [401, 401]


def test_disabled_service_refuses_everything(imds: ImdsServer) -> None:
    imds.enabled = False
    assert ask(imds, "PUT", "/latest/api/token", {TTL: "60"}).status == 403
    assert ask(imds, "GET", "/latest/meta-data/").status == 403


def test_unknown_path_is_answered_with_a_page(imds: ImdsServer) -> None:
    reply = get(imds, "/latest/meta-data/nothing")
    assert reply.status == 404
    assert reply.text.startswith("<?xml")
    assert "404 - Not Found" in reply.text


def test_head_has_headers_and_no_body(imds: ImdsServer) -> None:
    reply = ask(imds, "HEAD", ROLES, {TOKEN: token(imds)})
    assert (reply.status, reply.headers["Content-Length"], reply.body) == (200, "3", b"")


def test_lists_name_what_there_is(imds: ImdsServer) -> None:
    assert get(imds, "/latest/meta-data/").text == "iam/\ninstance-id\nplacement/"
    assert get(imds, "/latest/meta-data/iam/").text == "info\nsecurity-credentials/"
    assert get(imds, "/2021-03-23/meta-data/placement/").text == "availability-zone\nregion"


def test_list_without_a_slash_is_answered_only_if_so_set(imds: ImdsServer) -> None:
    assert get(imds, ROLES.rstrip("/")).text == "app"
    imds.slashless_lists = False
    assert get(imds, ROLES.rstrip("/")).status == 404
    assert get(imds, ROLES).text == "app"


@pytest.mark.parametrize(
    ("style", "expected"),
    [("plain", "app"), ("lf", "app\n"), ("crlf", "app\r\n"), ("two", "app\nother")],
)
def test_role_list_ends_as_set(imds: ImdsServer, style: Any, expected: str) -> None:
    imds.list_style = style
    assert get(imds, ROLES).text == expected


def test_credentials_have_the_documented_fields(imds: ImdsServer, clock: Clock) -> None:
    document = served(imds)
    assert document == imds.current
    assert list(document) == [
        "Code", "LastUpdated", "Type", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"
    ]  # fmt: skip
    assert document["AccessKeyId"].startswith("ASIA")
    assert len(document["AccessKeyId"]) == 20
    assert seconds(document["LastUpdated"]) == clock.now
    assert seconds(document["Expiration"]) == clock.now + 21600
    assert {document["SecretAccessKey"], document["Token"]} < imds.secrets


def test_instance_is_described(imds: ImdsServer) -> None:
    assert get(imds, "/latest/meta-data/placement/region").text == "eu-central-1"
    assert get(imds, "/latest/meta-data/placement/availability-zone/").text == "eu-central-1a"
    assert get(imds, "/latest/meta-data/instance-id").text.startswith("i-")
    info = get(imds, "/latest/meta-data/iam/info").json
    assert info["InstanceProfileArn"] == "arn:aws:iam::123456789012:instance-profile/app"
    identity = get(imds, "/latest/dynamic/instance-identity/document").json
    assert (identity["accountId"], identity["region"]) == ("123456789012", "eu-central-1")


def test_extended_credentials_are_off_by_default(imds: ImdsServer) -> None:
    path = "/latest/meta-data/iam/security-credentials-extended/"
    assert [get(imds, path).status, get(imds, path + "app").status] == [404, 404]
    imds.extended = True
    assert get(imds, path).text == "app"
    assert get(imds, path + "app").json["AccountId"] == "123456789012"
    assert "AccountId" not in served(imds)
    imds.account_in_document = True
    assert served(imds)["AccountId"] == "123456789012"


def test_instance_without_a_profile_has_no_iam(imds: ImdsServer) -> None:
    imds.role = None
    assert get(imds, "/latest/meta-data/").text == "instance-id\nplacement/"
    for path in ("", "info", "security-credentials/", "security-credentials/app"):
        assert get(imds, "/latest/meta-data/iam/" + path).status == 404


def test_role_that_does_not_trust_ec2_is_said_to(imds: ImdsServer) -> None:
    imds.trusted = False
    document = served(imds)
    assert document["Code"] == "AssumeRoleUnauthorizedAccess"
    assert "app" in document["Message"]
    assert "SecretAccessKey" not in document


def test_role_can_be_exchanged(imds: ImdsServer) -> None:
    before = served(imds)
    imds.role = "other"
    assert get(imds, ROLES).text == "other"
    assert get(imds, ROLES + "app").status == 404
    assert get(imds, ROLES + "other").json["AccessKeyId"] != before["AccessKeyId"]


def test_profile_can_be_attached_later(clock: Clock) -> None:
    with ImdsServer(role=None, clock=clock) as imds:
        imds.attach("late", after=30)
        assert get(imds, ROLES).status == 404
        clock.now += 30
        assert get(imds, ROLES).text == "late"


@pytest.mark.parametrize(("lifetime", "rotate"), [(21600, 3600), (21600, 21600), (900, 3600)])
def test_new_set_is_shown_five_minutes_before_the_old_ends(
    clock: Clock, lifetime: float, rotate: float
) -> None:
    with ImdsServer(clock=clock, lifetime=lifetime, rotate=rotate) as imds:
        for _ in range(3):
            old = served(imds)
            clock.now = seconds(old["Expiration"]) - 300
            assert served(imds)["AccessKeyId"] != old["AccessKeyId"]


def test_set_stays_the_same_until_it_is_rotated(imds: ImdsServer, clock: Clock) -> None:
    first = served(imds)
    clock.now += 3599
    assert served(imds) == first
    clock.now += 1
    second = served(imds)
    assert all(first[name] != second[name] for name in ("AccessKeyId", "SecretAccessKey", "Token"))
    imds.turn()
    assert served(imds)["Token"] not in (first["Token"], second["Token"])
    assert imds.generation == 2


def test_frozen_service_serves_a_set_past_its_end(imds: ImdsServer, clock: Clock) -> None:
    first = served(imds)
    imds.freeze()
    clock.now += 30000
    assert served(imds) == first
    assert seconds(first["Expiration"]) < clock.now
    imds.thaw()
    assert seconds(served(imds)["Expiration"]) > clock.now


def test_date_header_is_of_the_servers_clock(imds: ImdsServer, clock: Clock) -> None:
    clock.now = 0.0
    reply = ask(imds, "GET", ROLES)
    assert reply.headers["Date"] == "Thu, 01 Jan 1970 00:00:00 GMT"


def test_token_answer_does_not_survive_too_many_hops(imds: ImdsServer) -> None:
    known = token(imds)
    imds.hops = 2
    connection = http.client.HTTPConnection(imds.host, imds.port, timeout=0.05)
    with contextlib.closing(connection):
        connection.request("PUT", "/latest/api/token", headers={TTL: "60"})
        with pytest.raises(TimeoutError):
            connection.getresponse()
    assert ask(imds, "GET", ROLES, {TOKEN: known}).status == 200
    imds.limit = 2
    assert len(token(imds)) == 56


def test_service_listens_on_ipv6() -> None:
    with ImdsServer(ipv6=True) as imds:
        assert imds.url == f"http://[::1]:{imds.port}"
        assert served(imds)["Code"] == "Success"


def test_minted_credentials_are_served_once_minted_per_set(clock: Clock) -> None:
    roles: list[str] = []

    def mint(role: str) -> dict[str, str]:
        roles.append(role)
        names = ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")
        return {name: f"{name}-{role}-{len(roles)}" for name in names}

    with ImdsServer(clock=clock, mint=mint) as imds:
        assert served(imds)["Token"] == served(imds)["Token"] == "Token-app-1"
        clock.now += 3600
        assert served(imds)["Expiration"] == "Expiration-app-2"
    assert roles == ["app", "app"]
