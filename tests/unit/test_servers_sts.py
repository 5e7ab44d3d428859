"""The stand-in for STS answers as STS does, as botocore understands it."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from tests.servers import faults, tls
from tests.servers.minting import assume_role
from tests.servers.sts import ERRORS, StsServer, error, skewed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

A = "arn:aws:iam::111111111111:role/path/a"
B = "arn:aws:iam::222222222222:role/b"

ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=5)


@pytest.fixture(scope="module")
def session() -> botocore.session.Session:
    return botocore.session.Session()


@pytest.fixture
def sts() -> Iterator[StsServer]:
    with StsServer() as server:
        yield server


class Caller:
    """Makes clients, as one principal or another."""

    def __init__(self, session: botocore.session.Session, server: StsServer) -> None:
        self.session = session
        self.server = server

    def client(self, keys: dict[str, str] | None = None, key: str = "AKIATEST") -> Any:
        keys = keys or {"AccessKeyId": key, "SecretAccessKey": "secret"}
        return self.session.create_client(
            "sts",
            region_name="eu-central-1",
            endpoint_url=self.server.url,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys.get("SessionToken"),
            config=ONCE,
        )

    def assume(self, role: str = A, keys: dict[str, str] | None = None, **more: Any) -> Any:
        return self.client(keys).assume_role(RoleArn=role, RoleSessionName="me", **more)

    def code(self, **more: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as caught:
            self.assume(**more)
        said = caught.value.response["Error"]
        return said["Code"], said["Message"]


@pytest.fixture
def caller(session: botocore.session.Session, sts: StsServer) -> Caller:
    return Caller(session, sts)


def test_assumed_role_has_credentials_and_an_identity(caller: Caller, sts: StsServer) -> None:
    answer = caller.assume(SourceIdentity="joe")
    assert answer["AssumedRoleUser"]["Arn"] == "arn:aws:sts::111111111111:assumed-role/a/me"
    assert answer["SourceIdentity"] == "joe"
    keys = answer["Credentials"]
    assert keys["AccessKeyId"].startswith("ASIA")
    assert abs(keys["Expiration"].timestamp() - time.time() - 3600) < 5
    assert {keys["SecretAccessKey"], keys["SessionToken"]} == sts.secrets
    who = caller.client(keys).get_caller_identity()
    assert (who["Arn"], who["Account"]) == (answer["AssumedRoleUser"]["Arn"], "111111111111")


def test_every_call_issues_other_credentials(caller: Caller) -> None:
    keys = [caller.assume()["Credentials"]["AccessKeyId"] for _ in range(3)]
    assert len(set(keys)) == 3


def test_calls_are_recorded_as_parsed(caller: Caller, sts: StsServer) -> None:
    first = caller.assume(ExternalId="x y+z", Tags=[{"Key": "k", "Value": ""}])["Credentials"]
    caller.assume(B, first)
    one, two = sts.calls
    assert one.action == "AssumeRole"
    assert one.parameters == {
        "RoleArn": A,
        "RoleSessionName": "me",
        "ExternalId": "x y+z",
        "Tags.member.1.Key": "k",
        "Tags.member.1.Value": "",
    }
    assert (one.access_key, one.session_token, one.region) == ("AKIATEST", "", "eu-central-1")
    assert one.host == f"127.0.0.1:{sts.port}"
    assert (two.access_key, two.session_token) == (first["AccessKeyId"], first["SessionToken"])
    assert (sts.count(), sts.count(A), sts.count(B), sts.count("AssumeRole")) == (2, 1, 1, 2)


def test_duration_is_honored(caller: Caller) -> None:
    expiration = caller.assume(DurationSeconds=900)["Credentials"]["Expiration"]
    assert abs(expiration.timestamp() - time.time() - 900) < 5


@pytest.mark.parametrize("seconds", [899, 43201])
def test_duration_outside_the_limits_is_refused(caller: Caller, seconds: int) -> None:
    caller.server.check = False
    client = caller.client()
    client.meta.events.register(
        "before-call.sts.AssumeRole",
        lambda params, **_: params["body"].update(DurationSeconds=str(seconds)),
    )
    with pytest.raises(ClientError, match=r"ValidationError.*'durationSeconds'"):
        client.assume_role(RoleArn=A, RoleSessionName="me")


def test_chained_role_lasts_an_hour_at_most(caller: Caller, sts: StsServer) -> None:
    first = caller.assume(DurationSeconds=7200)["Credentials"]
    code, message = caller.code(role=B, keys=first, DurationSeconds=3601)
    assert code == "ValidationError"
    assert "1 hour session limit for roles assumed by role chaining" in message
    sts.enforce_chained_cap = False
    assert caller.assume(B, first, DurationSeconds=3601)["Credentials"]


def test_duration_beyond_the_roles_own_limit_is_refused(caller: Caller, sts: StsServer) -> None:
    sts.max_durations[A] = 3600
    code, message = caller.code(DurationSeconds=7200)
    assert code == "ValidationError"
    assert "MaxSessionDuration" in message


def test_lifetime_can_be_capped_below_the_requested_one(caller: Caller, sts: StsServer) -> None:
    sts.max_lifetime = 5
    expiration = caller.assume(DurationSeconds=900)["Credentials"]["Expiration"]
    assert expiration.timestamp() - time.time() <= 5


def test_source_identity_persists_through_a_chain(caller: Caller) -> None:
    first = caller.assume(SourceIdentity="joe")["Credentials"]
    assert caller.assume(B, first)["SourceIdentity"] == "joe"
    assert caller.code(role=B, keys=first, SourceIdentity="ann")[0] == "AccessDenied"


def test_bad_role_is_refused(caller: Caller) -> None:
    assert caller.code(role="arn:aws:iam::1:role/short")[0] == "ValidationError"


def test_unknown_key_is_refused(caller: Caller, sts: StsServer) -> None:
    keys = {"AccessKeyId": "XKIATEST", "SecretAccessKey": "secret"}
    assert caller.code(keys=keys)[0] == "InvalidClientTokenId"
    sts.trust("XKIATEST", "arn:aws:iam::333333333333:user/x")
    assert caller.client(keys).get_caller_identity()["Account"] == "333333333333"
    assert caller.code(keys={**keys, "AccessKeyId": "YKIA"})[0] == "InvalidClientTokenId"
    sts.check = False
    assert caller.assume(keys={**keys, "AccessKeyId": "YKIA"})


def test_strict_service_accepts_only_what_was_configured(caller: Caller, sts: StsServer) -> None:
    sts.trusted_prefixes = ()
    assert caller.code()[0] == "InvalidClientTokenId"
    sts.trust("AKIATEST")
    assert caller.assume()


def test_session_token_must_fit_the_key(caller: Caller) -> None:
    keys = caller.assume()["Credentials"]
    assert caller.code(keys={**keys, "SessionToken": "other"})[0] == "InvalidClientTokenId"
    unknown = {"AccessKeyId": "ASIAUNKNOWN", "SecretAccessKey": "secret"}
    assert caller.code(keys=unknown)[0] == "InvalidClientTokenId"
    assert caller.assume(keys={**unknown, "SessionToken": "any"})


def test_revoked_and_expired_credentials_are_refused(caller: Caller, sts: StsServer) -> None:
    keys = caller.assume()["Credentials"]
    sts.revoke(keys["AccessKeyId"])
    assert caller.code(keys=keys)[0] == "ExpiredToken"
    keys = caller.assume()["Credentials"]
    sts.clock = lambda: time.time() + 3601
    assert caller.code(keys=keys)[0] == "ExpiredToken"


def test_mfa_code_that_is_wrong_or_was_used_is_denied(caller: Caller, sts: StsServer) -> None:
    device = "arn:aws:iam::111111111111:mfa/joe"
    sts.mfa_codes[device] = ["123456", "234567"]
    code, message = caller.code(SerialNumber=device, TokenCode="654321")
    assert code == "AccessDenied"
    assert message.startswith("MultiFactorAuthentication failed with invalid MFA one time pass")
    assert caller.assume(SerialNumber=device, TokenCode="123456")
    assert caller.code(SerialNumber=device, TokenCode="123456")[0] == "AccessDenied"
    client = caller.client()
    with pytest.raises(ClientError, match="MultiFactorAuthentication"):
        client.get_session_token(SerialNumber=device, TokenCode="654321")
    assert client.get_session_token(SerialNumber=device, TokenCode="234567")["Credentials"]


def test_external_id_must_be_the_roles(caller: Caller, sts: StsServer) -> None:
    sts.external_ids[A] = "right"
    assert caller.code()[0] == "AccessDenied"
    assert caller.code(ExternalId="wrong")[0] == "AccessDenied"
    assert caller.assume(ExternalId="right")


def test_session_token_is_not_given_to_a_role(caller: Caller) -> None:
    keys = caller.assume()["Credentials"]
    with pytest.raises(ClientError, match="AccessDenied"):
        caller.client(keys).get_session_token()


def test_web_identity_needs_no_signature(caller: Caller, sts: StsServer) -> None:
    answer = caller.client().assume_role_with_web_identity(
        RoleArn=A, RoleSessionName="pod", WebIdentityToken="a" * 20
    )
    assert answer["AssumedRoleUser"]["Arn"].endswith("assumed-role/a/pod")
    assert sts.calls[0].access_key == ""


def test_unsigned_and_unknown_actions_are_refused(sts: StsServer) -> None:
    for action, status, code in (
        (b"AssumeRole", 403, b"MissingAuthenticationToken"),
        (b"Nothing", 400, b"InvalidAction"),
    ):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(sts.url, b"Action=" + action + b"&Version=2011-06-15")
        with caught.value as answer:
            assert answer.code == status
            assert code in answer.read()


@pytest.mark.parametrize("code", list(ERRORS))
def test_each_error_is_understood_by_botocore(caller: Caller, sts: StsServer, code: str) -> None:
    sts.fail(error(code))
    with pytest.raises(ClientError) as caught:
        caller.assume()
    response = caught.value.response
    assert response["Error"]["Code"] == code
    assert response["Error"]["Message"]
    assert response["ResponseMetadata"]["HTTPStatusCode"] == ERRORS[code][0]


def test_error_names_the_caller_and_the_role(caller: Caller, sts: StsServer) -> None:
    first = caller.assume()
    sts.fail(error("AccessDenied"), role=B)
    _, message = caller.code(role=B, keys=first["Credentials"])
    arn = first["AssumedRoleUser"]["Arn"]
    assert message == f"User: {arn} is not authorized to perform: sts:AssumeRole on resource: {B}"


def test_error_may_carry_words_of_the_test(caller: Caller, sts: StsServer) -> None:
    sts.fail(error("ValidationError", "a < b & c"))
    assert caller.code() == ("ValidationError", "a < b & c")
    with pytest.raises(KeyError):
        error("Unheard")


@pytest.mark.parametrize(
    ("seconds", "words"), [(1200, "is now earlier than"), (-1200, "is still later than")]
)
def test_skewed_service_shows_its_own_time(
    caller: Caller, sts: StsServer, seconds: int, words: str
) -> None:
    sts.clock = lambda: 1_800_000_000.0
    sts.fail(skewed(seconds))
    with pytest.raises(ClientError, match=words) as caught:
        caller.assume()
    response = caught.value.response
    assert response["Error"]["Code"] == "SignatureDoesNotMatch"
    date = {1200: "Fri, 15 Jan 2027 08:20:00 GMT", -1200: "Fri, 15 Jan 2027 07:40:00 GMT"}
    assert response["ResponseMetadata"]["HTTPHeaders"]["date"] == date[seconds]


def test_fault_is_for_one_role_and_so_often(caller: Caller, sts: StsServer) -> None:
    sts.fail(error("Throttling"), role=B, times=1)
    assert caller.assume(A)
    assert caller.code(role=B)[0] == "Throttling"
    assert caller.assume(B)


def test_fault_is_for_the_nth_call_of_an_action(caller: Caller, sts: StsServer) -> None:
    sts.fail(error("InternalFailure"), action="AssumeRole", nth=2)
    client = caller.client()
    client.get_caller_identity()
    assert caller.assume()
    assert caller.code()[0] == "InternalFailure"
    assert caller.assume()


def test_answer_can_be_mutated(caller: Caller, sts: StsServer) -> None:
    sts.fail(faults.without("AssumedRoleUser"), times=1)
    assert "AssumedRoleUser" not in caller.assume()
    sts.fail(faults.fields(PackedPolicySize=99), times=1)
    assert caller.assume()["PackedPolicySize"] == 99


def test_faults_without_an_answer_break_the_call(caller: Caller, sts: StsServer) -> None:
    for fault in (faults.status(429), faults.reset(), faults.close(), faults.garbage_status()):
        sts.fail(fault, times=1)
        with pytest.raises((BotoCoreError, ResponseParserError)):
            caller.assume()
    assert caller.assume()


def test_delay_comes_before_the_answer(caller: Caller, sts: StsServer) -> None:
    sts.delay = 0.05
    start = time.monotonic()
    caller.assume()
    assert time.monotonic() - start >= 0.05


def test_paused_calls_wait(caller: Caller, sts: StsServer) -> None:
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda client: answers.append(client.get_caller_identity()),
                         args=(caller.client(),))
        for _ in range(3)
    ]  # fmt: skip
    with sts.hold() as hold:
        for thread in threads:
            thread.start()
        hold.wait_for(3)
        assert answers == []
    for thread in threads:
        thread.join(5)
    assert len(answers) == 3


def test_command_serves_until_stdin_closes() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.servers.sts"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        found = assume_role(url, A, "me", 900)
        process.communicate(timeout=10)
    assert found["AccessKeyId"].startswith("ASIA")
    assert process.returncode == 0


def test_hundred_callers_at_once_get_hundred_answers(sts: StsServer) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(assume_role(sts.url, A, "me", 900)["AccessKeyId"])
        )
        for _ in range(100)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(set(found)) == sts.count(A) == 100


def test_service_speaks_tls(tmp_path: Path, session: botocore.session.Session) -> None:
    files = tls.make(tmp_path)
    trusting = ssl.create_default_context(cafile=files.ca)
    with StsServer(tls=files.server) as sts:
        client: Any = session.create_client(
            "sts",
            region_name="eu-central-1",
            endpoint_url=sts.url,
            verify=files.ca,
            aws_access_key_id="AKIATEST",
            aws_secret_access_key="secret",
        )
        assert client.assume_role(RoleArn=A, RoleSessionName="me")["Credentials"]
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(sts.url, b"Action=Nothing", context=trusting)
        caught.value.close()
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            urllib.request.urlopen(sts.url, b"Action=Nothing", context=ssl.create_default_context())
