"""One call of STS: what is sent, where it is sent, what comes of each answer."""

from __future__ import annotations

import os
import re
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore import exceptions

from credproc import errors
from credproc.errors import CodeNotGiven, DeadlineExceeded, ProviderFailed, RequestError
from credproc.providers import botofaults, patience
from credproc.providers import sts as calls
from credproc.providers.client import client_config
from credproc.providers.reply import Call, Reply
from credproc.providers.sts import load_config
from credproc.providers.stsendpoint import endpoint
from tests.chains import KEY, A, B, Machine, hop
from tests.runs import Hurry
from tests.servers import faults
from tests.servers.base import closed_port
from tests.servers.sts import ERRORS, StsServer, error, skewed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.base import Exchange, Fault

#: Seconds: a bound for what must not hang, on a machine that is busy with something else.
IN_TIME = 8.0


@pytest.fixture(params=["lean", "botocore"])
def machine(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    sts: StsServer,
    request: pytest.FixtureRequest,
) -> Machine:
    """A machine whose calls of STS go without botocore, or by its client: both must do the same."""
    made = Machine(monkeypatch, tmp_path)
    made.knows(sts)
    if request.param == "botocore":
        # Of an endpoint that is given it changes nothing.
        made.set(AWS_STS_REGIONAL_ENDPOINTS="legacy")
    return made


@pytest.fixture
def lean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, tmp_path)


def test_every_parameter_that_is_given_is_sent_and_no_other(
    machine: Machine, sts: StsServer
) -> None:
    full = hop(
        B,
        role_session_name="me@example",
        external_id="external/42",
        duration_seconds=1800,
        policy='{"Version":"2012-10-17","Statement":[]}',
        policy_arn=["arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::222222222222:policy/x"],
        tag=["Team=Blue & Red", "Empty=", "Formula=a=b"],
        transitive_tag_key=["Team", "Empty"],
        source_identity="jane",
        serial_number="arn:aws:iam::111111111111:mfa/jane",
        sts_region="eu-west-1",
    )
    outcome = machine.assume(hop(A), full, run=machine.run(mfa_command="sh -c 'echo 123456'"))

    assert outcome.error is None
    first, second = sts.calls
    assert set(first.parameters) == {"RoleArn", "RoleSessionName"}
    assert first.parameters["RoleArn"] == A
    assert first.parameters["RoleSessionName"].startswith("credproc-")
    assert second.parameters == {
        "RoleArn": B,
        "RoleSessionName": "me@example",
        "ExternalId": "external/42",
        "DurationSeconds": "1800",
        "Policy": '{"Version":"2012-10-17","Statement":[]}',
        "PolicyArns.member.1.arn": "arn:aws:iam::aws:policy/ReadOnlyAccess",
        "PolicyArns.member.2.arn": "arn:aws:iam::222222222222:policy/x",
        "Tags.member.1.Key": "Team",
        "Tags.member.1.Value": "Blue & Red",
        "Tags.member.2.Key": "Empty",
        "Tags.member.2.Value": "",
        "Tags.member.3.Key": "Formula",
        "Tags.member.3.Value": "a=b",
        "TransitiveTagKeys.member.1": "Team",
        "TransitiveTagKeys.member.2": "Empty",
        "SourceIdentity": "jane",
        "SerialNumber": "arn:aws:iam::111111111111:mfa/jane",
        "TokenCode": "123456",
    }
    assert (first.access_key, first.session_token, first.region) == (KEY, "", "eu-central-1")
    assert second.access_key == sts.issued[0].access_key
    assert second.session_token == sts.issued[0].token
    assert second.region == "eu-west-1"


def test_credentials_are_those_of_the_answer_and_name_the_account_of_the_role(
    machine: Machine, sts: StsServer
) -> None:
    found = machine.assume(hop(A), hop(B)).found

    issued = sts.issued[-1]
    assert found is not None
    assert (found.access_key, found.secret_key) == (issued.access_key, issued.secret_key)
    assert (found.token, found.expiration) == (issued.token, int(issued.expires))
    assert found.account_id == "222222222222"


def test_moto_style_expiration_with_microseconds_is_cut_to_seconds(
    machine: Machine, sts: StsServer
) -> None:
    sts.fail(_credentials(Expiration="2099-01-02T03:04:05.678901Z"))
    found = machine.assume(hop()).found
    assert found is not None
    assert time.gmtime(found.expiration)[:6] == (2099, 1, 2, 3, 4, 5)


def _credentials(**changes: str | None) -> Fault:
    """Answer with other credentials; None leaves a field out."""

    def change(data: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        known = {**data["Credentials"], **changes}
        kept = {name: value for name, value in known.items() if value is not None}
        return {**data, "Credentials": kept}

    return faults.mutate(change)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"SessionToken": None}, "without SessionToken"),
        ({"Expiration": None}, "without Expiration"),
        ({"AccessKeyId": None}, "without AccessKeyId"),
        ({"SecretAccessKey": ""}, "without SecretAccessKey"),
        ({"SessionToken": "to ken"}, "with an unreadable SessionToken"),
    ],
)
def test_answer_with_less_than_whole_credentials_is_rejected(
    changes: dict[str, str | None], words: str, machine: Machine, sts: StsServer
) -> None:
    sts.fail(_credentials(**changes))
    outcome = machine.assume(hop())
    assert type(outcome.error) is ProviderFailed
    assert outcome.said == f"role 1 of 1, {A}: STS answered {words}"
    assert sts.count() == 1


FINAL = {
    "AccessDenied": "that its trust policy allows this caller (a condition may require --ext",
    "ValidationError": "lower --duration-seconds",
    "MalformedPolicyDocument": "check --policy and --policy-arn",
    "PackedPolicyTooLarge": "shorten the session policy",
    "RegionDisabledException": "activate STS for eu-central-1",
    "IncompleteSignature": "a proxy may have changed the request",
    "MissingAuthenticationToken": "a proxy may have changed the request",
    "InvalidAction": "a proxy may have changed the request",
    "SignatureDoesNotMatch": "the secret key of ...MPLE is wrong",
    "RequestExpired": "took too long to arrive",
    "ExpiredToken": "(...MPLE) have expired (credentials from env)",
    "ExpiredTokenException": "(...MPLE) have expired",
    "InvalidClientTokenId": "AWS does not know the calling credentials (...MPLE)",
    "UnrecognizedClientException": "AWS does not know the calling credentials (...MPLE)",
    "IDPRejectedClaim": "authentication failed",
}
REPEATED = {
    "Throttling": "throttled by STS in eu-central-1 (Throttling: Rate exceeded)",
    "ThrottlingException": "throttled by STS in eu-central-1",
    "RequestLimitExceeded": "throttled by STS in eu-central-1",
    "InternalFailure": "STS in eu-central-1 returned a server error (500 InternalFailure: ",
    "ServiceUnavailable": "STS in eu-central-1 returned a server error (503 ServiceUnavailable: ",
    "IDPCommunicationError": "STS in eu-central-1 could not reach the identity provider (IDPC",
    "InvalidIdentityToken": "STS in eu-central-1 could not reach the identity provider (Inv",
}


def test_every_error_that_the_stand_in_knows_has_its_row() -> None:
    assert set(FINAL) | set(REPEATED) == set(ERRORS)


@pytest.mark.parametrize("code", FINAL)
def test_final_error_ends_the_chain_after_one_call_and_says_what_to_do(
    code: str, machine: Machine, sts: StsServer
) -> None:
    sts.fail(error(code), role=B)
    outcome = machine.assume(hop(A), hop(A), hop(B), run=machine.run())
    calls_of_b = [call for call in sts.calls if call.parameters["RoleArn"] == B]

    assert isinstance(outcome.error, ProviderFailed)
    assert outcome.said.startswith(f"role 3 of 3, {B}: {code}: ")
    words = FINAL[code].replace("...MPLE", f"...{sts.issued[-1].access_key[-4:]}")
    assert words.replace("from env", "from role 2") in outcome.said
    # Rejected credentials are fetched again, once, and here they are different.
    rejected = isinstance(outcome.error, errors.SourceRejected)
    assert len(calls_of_b) == (2 if rejected else 1)
    assert len(sts.calls) - len(calls_of_b) == (4 if rejected else 2)


@pytest.mark.parametrize("code", REPEATED)
def test_passing_error_is_repeated_and_then_said(
    code: str, machine: Machine, sts: StsServer
) -> None:
    sts.fail(error(code), times=2)
    assert machine.assume(hop()).error is None
    assert sts.count() == 3

    sts.fail(error(code))
    outcome = machine.assume(hop(), run=machine.run(patient=False))
    assert type(outcome.error) is ProviderFailed
    assert outcome.said.startswith(f"role 1 of 1, {A}: {REPEATED[code]}")
    assert sts.count() == 3 + patience.ATTEMPTS
    assert f"sts: {A}: {REPEATED[code]}" in outcome.log
    assert "; retrying in " in outcome.log
    assert "try again in a minute" in outcome.said
    assert "try again in a minute" not in outcome.log


STRANGERS: dict[str, tuple[Fault, str]] = {
    "html": (faults.html(), "is not from STS (status 200;"),
    "xhtml": (
        faults.body(b"<html><p>log in</p></html>", "text/html"),
        "is not from STS (status 200;",
    ),
    "nothing": (faults.body(b""), "is not from STS (status 200;"),
    "json": (faults.body(b'{"Credentials": 1}'), "is not from STS (status 200;"),
    "other xml": (faults.body(b"<ListBucketResult/>", "text/xml"), "is not from STS (status 200;"),
    "redirect": (faults.redirect(302, "http://portal.example/"), "is not from STS (status 302;"),
    "redirect with a page": (
        faults.status(302, b"<html><p>log in</p></html>"),
        "is not from STS (status 302;",
    ),
    "blocked": (faults.status(403, b"<html><p>blocked</p></html>"), "is not from STS (status 403;"),
    "blocked in words": (faults.status(403, b"blocked"), "is not from STS (status 403;"),
    "404": (faults.status(404), "is not from STS (status 404;"),
    "429 without a body": (
        faults.status(429),
        "throttled between this machine and STS in eu-central-1",
    ),
    "429 with a page": (
        faults.status(429, b"<html><p>no</p></html>"),
        "throttled between this machine and STS in eu-central-1 (429)",
    ),
    "500 without a body": (
        faults.status(500),
        "returned a server error (500: Internal Server Error)",
    ),
    "503 with a page": (
        faults.status(503, b"<html><p>no</p></html>"),
        "returned a server error (503",
    ),
    "reset": (faults.reset(), "no answer from STS in eu-central-1: Connection was closed"),
    "reset within": (faults.reset(mid_body=True), "no answer from STS in eu-central-1"),
    "closed": (faults.close(), "no answer from STS in eu-central-1"),
    "truncated": (faults.truncated(), "eu-central-1"),
    "chunks": (faults.chunked(broken=True), "no answer from STS in eu-central-1"),
    "gzip": (faults.gzip(), "is not from STS (status 200;"),
    "not UTF-8": (faults.invalid_utf8(), "is not from STS (status 200;"),
    "no HTTP": (faults.garbage_status(), "no answer from STS in eu-central-1"),
    "TLS": (faults.tls_on_port(), "no answer from STS in eu-central-1"),
    "headers": (faults.many_headers(2000), "no answer from STS in eu-central-1"),
    "no credentials": (faults.without("Credentials"), "is not from STS (status 200;"),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_response_of_another_server_is_a_network_fault(
    name: str, machine: Machine, sts: StsServer
) -> None:
    fault, words = STRANGERS[name]
    sts.fail(fault, times=1)
    assert machine.assume(hop()).error is None, "one that passes"
    assert sts.count() == 2

    sts.fail(fault)
    outcome = machine.assume(hop(), run=machine.run(patient=False))
    assert type(outcome.error) is ProviderFailed
    assert words in outcome.said
    assert sts.count() == 2 + patience.ATTEMPTS
    assert "0x" not in outcome.said


@pytest.mark.parametrize(
    "fault", [faults.hang(), faults.hang_mid_body(), faults.drip(0.05), faults.drip(0.05, "body")]
)
def test_call_that_never_ends_is_given_up_in_time(
    fault: Fault, machine: Machine, sts: StsServer
) -> None:
    sts.fail(fault)
    outcome = machine.assume(hop(), run=machine.run(seconds=60, clock=Hurry(25)))
    assert type(outcome.error) is ProviderFailed
    assert "answer from STS in eu-central-1" in outcome.said
    assert outcome.log.count("; retrying in ") == patience.ATTEMPTS - 1
    assert outcome.seconds < IN_TIME


def test_call_ends_with_the_deadline_of_the_run(machine: Machine, sts: StsServer) -> None:
    sts.fail(faults.drip(0.02))
    outcome = machine.assume(hop(), run=machine.run(seconds=0.5))
    assert isinstance(outcome.error, DeadlineExceeded)
    assert outcome.said.startswith(f"role 1 of 1, {A}: no complete answer from STS in eu-central-1")
    assert outcome.said.endswith("no time is left to try again")
    assert outcome.seconds < IN_TIME


def test_pause_that_would_outlast_the_deadline_is_not_begun(
    machine: Machine, sts: StsServer
) -> None:
    clock = Hurry()
    sts.fail(error("Throttling"))
    outcome = machine.assume(hop(), run=machine.run(seconds=60, clock=clock))
    assert isinstance(outcome.error, DeadlineExceeded)
    assert sts.count() == 1 + len(clock.pauses)
    assert 60 - patience.LONGEST_PAUSE < sum(clock.pauses) < 60


def test_answer_without_end_is_given_up_before_it_fills_the_memory(
    machine: Machine,
    sts: StsServer,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setattr(calls, "MOST", 32 * 2**20)
    others = set(threading.enumerate())
    sts.fail(faults.endless())
    outcome = machine.assume(hop())
    assert type(outcome.error) is ProviderFailed
    if request.node.callspec.id == "lean":
        assert "a body of more than 262144 bytes" in outcome.said
    else:
        assert "the response does not end (over 32 MiB so far)" in outcome.said
        assert sts.count() == 1
    # Its thread reads on until the service ends, and what it holds is not the next test's.
    sts.stop()
    for thread in set(threading.enumerate()) - others:
        thread.join(30)
    assert outcome.seconds < IN_TIME


@pytest.mark.parametrize(
    ("code", "longest"), [("Throttling", [1.0, 2.0, 4.0]), ("InternalFailure", [0.05, 0.1, 0.2])]
)
def test_pauses_grow_and_are_jittered_in_full(
    code: str, longest: list[float], machine: Machine, sts: StsServer
) -> None:
    sts.fail(error(code))
    clock = Hurry()
    for _ in range(20):
        machine.assume(hop(), run=machine.run(patient=False, clock=clock))
    assert len(clock.pauses) == 20 * len(longest)
    for number, most in enumerate(longest):
        drawn = clock.pauses[number :: len(longest)]
        assert min(drawn) < most / 2 < max(drawn) <= most


@pytest.mark.parametrize("off", [-7200, -1000, 1000, 7200])
@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "RequestExpired"])
def test_wrong_clock_is_named_with_seconds_and_direction(
    code: str, off: int, machine: Machine, sts: StsServer
) -> None:
    sts.fail(skewed(off, code))
    outcome = machine.assume(hop())
    match = re.search(r"this machine's clock is (\d+) s (ahead of|behind) STS", outcome.said)
    assert match, outcome.said
    assert abs(int(match[1]) - abs(off)) <= 3
    assert match[2] == ("behind" if off > 0 else "ahead of")
    assert "set it (timedatectl)" in outcome.said
    assert sts.count() == 1


def test_wrong_clock_is_known_from_the_message_where_no_date_is_sent(
    machine: Machine, sts: StsServer
) -> None:
    def without_date(exchange: Exchange) -> None:
        send = exchange.send
        exchange.send = lambda data: send(re.sub(rb"Date: [^\r]*\r\n", b"", data))  # type: ignore[method-assign]
        skewed(3000)(exchange)

    sts.fail(without_date)
    outcome = machine.assume(hop())
    assert re.search(r"clock is (2999|300\d) s behind STS", outcome.said), outcome.said


def test_wrong_clock_that_sts_still_accepts_is_logged(machine: Machine, sts: StsServer) -> None:
    sts.clock = lambda: time.time() - 300
    outcome = machine.assume(hop())
    assert outcome.error is None
    assert re.search(r"sts: this machine's clock is (30\d|299) s ahead", outcome.log)


def test_what_was_sent_in_confidence_is_not_repeated(machine: Machine, sts: StsServer) -> None:
    secret = "canaryExternalId/42"
    sts.fail(error("AccessDenied", f"no {secret} for {A}, sorry"), nth=1)
    quoted = (
        "1 validation error detected: Value '4711' at 'externalId' failed to satisfy constraint: "
        "Member must have length"
    )
    sts.fail(error("ValidationError", quoted), nth=2)
    first = machine.assume(hop(external_id=secret))
    second = machine.assume(hop(external_id="4711"))
    assert "canary" not in first.said + first.log
    assert f"{A}: AccessDenied: no [secret] for {A}, sorry" in first.said
    assert "4711" not in second.said
    assert "Value '...' at 'externalId' failed" in second.said


def test_wrong_mfa_code_may_be_followed_by_another_at_once(
    machine: Machine, sts: StsServer
) -> None:
    device = "arn:aws:iam::111111111111:mfa/jane"
    sts.mfa_codes[device] = ["654321"]
    run = machine.run(mfa_command="sh -c 'echo 123456'")
    outcome = machine.assume(hop(serial_number=device), run=run)
    assert isinstance(outcome.error, CodeNotGiven)
    assert not outcome.error.cacheable
    assert "each code works once, so wait for the next one" in outcome.said
    assert "123456" not in outcome.said


def test_refused_connection_is_said_with_its_reason(machine: Machine) -> None:
    machine.set(AWS_ENDPOINT_URL_STS=closed_port())
    outcome = machine.assume(hop())
    assert type(outcome.error) is ProviderFailed
    assert "no answer from STS in eu-central-1: Could not connect" in outcome.said
    assert "(connection refused)" in outcome.said


def test_invalid_endpoint_is_a_configuration_error(machine: Machine) -> None:
    machine.set(AWS_ENDPOINT_URL_STS="nonsense")
    outcome = machine.assume(hop())
    assert isinstance(outcome.error, RequestError)
    assert outcome.said == "AWS_ENDPOINT_URL_STS must begin with http:// or https://"


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "sts.us-east-1.amazonaws.com"),
        ("eu-central-1", "sts.eu-central-1.amazonaws.com"),
        ("ap-southeast-7", "sts.ap-southeast-7.amazonaws.com"),
        ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
    ],
)
def test_endpoint_is_the_regions_own(region: str, host: str, lean: Machine) -> None:
    found = endpoint(load_config(lean.run()), region)
    assert found is not None
    assert found.url == f"https://{host}"


@pytest.mark.parametrize(("left", "connect", "read"), [(20, 3, 5), (4, 3, 4), (1, 1, 1)])
def test_timeouts_are_inside_the_deadline(
    left: int, connect: int, read: int, machine: Machine
) -> None:
    config: Any = client_config(machine.run(seconds=left))
    assert config.connect_timeout == pytest.approx(connect, abs=0.5)
    assert config.read_timeout == pytest.approx(read, abs=0.5)
    assert config.retries == {"total_max_attempts": 1, "mode": "standard"}


def test_one_client_serves_all_roles_of_a_region(machine: Machine, sts: StsServer) -> None:
    machine.assume(hop(A), hop(B), hop(A), hop(B, sts_region="eu-west-1"))
    assert [request.connection for request in sts.requests] == [1, 1, 1, 2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[default]\nregion = eu-west-1\n[default]\n", "/config, line 3: cannot be parsed as a"),
        ("no section\n", "/config, line 1: cannot be parsed as a config file"),
    ],
)
def test_config_that_cannot_be_read_is_named_with_its_line(
    text: str, words: str, machine: Machine
) -> None:
    machine.config(text)
    outcome = machine.assume(hop())
    assert isinstance(outcome.error, RequestError)
    assert words in outcome.said


def test_profile_that_the_environment_names_must_exist(machine: Machine) -> None:
    machine.set(AWS_PROFILE="nowhere")
    outcome = machine.assume(hop())
    assert isinstance(outcome.error, RequestError)
    folder = machine.folder
    assert outcome.said == (
        f"profile nowhere (from AWS_PROFILE) is in neither {folder}/config (which does not "
        f"exist) nor {folder}/credentials (which does not exist)"
    )


def test_empty_variable_names_no_profile(machine: Machine) -> None:
    machine.set(AWS_PROFILE="", AWS_DEFAULT_PROFILE="")
    assert machine.assume(hop()).error is None


def test_user_without_a_name_is_a_number() -> None:
    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 54321")

    assert calls.user(unknown) == str(os.getuid())


def test_answer_without_an_arn_names_no_account() -> None:
    answer = {
        "Credentials": {
            "AccessKeyId": "ASIAIOSFODNN7EXAMPLE",
            "SecretAccessKey": "x",
            "SessionToken": "y",
            "Expiration": "2999-01-01T00:00:00Z",
        }
    }

    assert calls._credentials(answer).account_id == ""


def _tls(text: str) -> Exception:
    return exceptions.SSLError(endpoint_url="https://sts", error=ssl.SSLError(text))


@pytest.mark.parametrize(
    ("wrong", "words", "again"),
    [
        (exceptions.ParamValidationError(report="geheim"), "botocore rejects the", False),
        (_tls("[SSL: WRONG_VERSION_NUMBER] x"), ": the server or the proxy does not speak T", True),
        (_tls("[SSL: UNEXPECTED_EOF] x"), "no TLS connection to STS in eu-central-1", True),
        (_tls("CERTIFICATE_VERIFY_FAILED: has expired"), "set this machine's clock, or", False),
        (_tls("CERTIFICATE_VERIFY_FAILED: self-signed"), ": set AWS_CA_BUNDLE to", False),
        (exceptions.UnsupportedSignatureVersionError(signature_version="x"), "Unsupported", False),
    ],
)
def test_error_without_an_answer_has_its_words(wrong: Exception, words: str, again: bool) -> None:
    fault = botofaults.explain(wrong, botofaults.LastResponse(), Call("eu-central-1"))

    assert words in fault.words()
    assert "geheim" not in fault.words()
    assert bool(fault.pause) == again


def test_proxy_that_wants_a_password_is_named() -> None:
    last = botofaults.LastResponse()
    last.reply = Reply(407)

    assert "407" in botofaults.explain(ValueError("not XML"), last, Call("eu-central-1")).message


def test_clock_is_not_blamed_without_a_time_to_compare() -> None:
    assert Reply(403, {}, "SignatureDoesNotMatch", "no time in it").skew() == 0
