"""Whatever IMDS answers, the client ends in time with credentials or with one sentence."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credproc import credentials
from credproc.errors import DeadlineExceeded
from credproc.providers import imds
from tests.imds_client import (
    FAILED,
    IN_TIME,
    UNAVAILABLE,
    Kind,
    fetched,
    is_well_behaved,
    new_run,
)
from tests.runs import Hurry
from tests.servers import faults
from tests.servers.imds import ImdsServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.base import Fault

STEPS = ("token", "list", "creds")
#: What a failure must say that was tried as often as it may be.
TRIED = "in 4 tries"

#: How much faster a clock goes on which a busy machine has time enough for the two seconds.
SLOWLY = 0.25


@pytest.fixture
def service() -> Iterator[ImdsServer]:
    """A service that would answer without a token."""
    with ImdsServer(mode="optional") as server:
        yield server


class Row(NamedTuple):
    """A fault, the steps it is for, and what must come of it."""

    name: str
    fault: Fault
    outcome: Kind
    #: How many requests of the broken step arrive.
    requests: int
    words: tuple[str, ...] = ()
    steps: tuple[str, ...] = STEPS


CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

#: Faults that may pass: tried again, and then a failure.
PASSING = [
    Row("rst", faults.reset(), FAILED, 4, (TRIED, "reset by peer")),
    Row("rst in the body", faults.reset(mid_body=True), FAILED, 4, (TRIED, "reset by peer")),
    Row("fin", faults.close(), FAILED, 4, (TRIED, "closed without a response")),
    *(Row(str(code), faults.status(code), FAILED, 4, (TRIED, f"status {code}"))
      for code in (429, 500, 502, 503, 504)),
    Row("503, retry after", faults.status(503, b"", {"Retry-After": "30"}), FAILED, 4, (TRIED,)),
    Row("empty", faults.body(b""), FAILED, 4, (TRIED, "an empty response")),
    Row("blanks", faults.body(b" \r\n\r\n"), FAILED, 4, (TRIED, "an empty response")),
    Row("page", faults.html(), FAILED, 4, (TRIED,)),
    Row("page, token", faults.html(), FAILED, 4, ("a response that is not a token",), ("token",)),
    Row("page, list", faults.html(), FAILED, 4, ("a web page instead of a name",), ("list",)),
    Row("text", faults.body(b"come back later"), FAILED, 4, ("not JSON",), ("creds",)),
    Row("null", faults.body(b"null"), FAILED, 4, ("JSON that is not an object",), ("creds",)),
    Row("list", faults.body(b"[1, 2]"), FAILED, 4, ("JSON that is not an object",), ("creds",)),
    Row("number", faults.body(b"12"), FAILED, 4, ("JSON that is not an object",), ("creds",)),
    Row("string", faults.body(b'"text"'), FAILED, 4, ("JSON that is not an object",), ("creds",)),
    Row("deep", faults.body(b"[" * 60_000), FAILED, 4, ("not JSON",), ("creds",)),
    Row("cut", faults.truncated(), FAILED, 4, (TRIED, "truncated")),
    Row("cut by a byte", faults.truncated(1), FAILED, 4, (TRIED, "truncated")),
    Row("cut, length right", faults.truncated(right_length=True), FAILED, 4, ("not JSON",),
        ("creds",)),
    Row("length short", faults.content_length(-20), FAILED, 4, ("not JSON",), ("creds",)),
    Row("broken chunk", faults.chunked(broken=True), FAILED, 4, (TRIED, "not HTTP")),
    Row("gzip", faults.gzip(), FAILED, 4, (TRIED, "encoding that was not requested")),
    Row("invalid UTF-8", faults.invalid_utf8(), FAILED, 4, (TRIED,), ("token", "creds")),
    # The first bound of two: Python 3.14 reads as much at once as the second one allows.
    Row("64 MiB", faults.huge(), FAILED, 4, (TRIED, "of more than ")),
    Row("a byte too many", faults.body(b"x" * 65537), FAILED, 4, ("more than 65536 bytes",)),
    Row("endless", faults.endless(), FAILED, 4, (TRIED, "of more than ")),
    Row("huge header", faults.huge_header(), FAILED, 4, (TRIED, "response headers too large")),
    Row("many headers", faults.many_headers(5000), FAILED, 4, (TRIED, "headers too large")),
    Row("endless headers", faults.endless_headers(), FAILED, 4, (TRIED, "more than 131072 bytes")),
    # Newer releases of http.client count these, and give up before our own bound does.
    Row("endless 100", faults.endless_continue(), FAILED, 4, (TRIED, "(a response ")),
    Row("garbage", faults.garbage_status(), FAILED, 4, (TRIED, "not HTTP")),
    Row("TLS", faults.tls_on_port(), FAILED, 4, (TRIED, "not HTTP")),
    Row("TLS, slowly", faults.delay(0.02, faults.tls_on_port()), FAILED, 4, (TRIED, "not HTTP")),
    Row("negative chunk", faults.raw(CHUNKS + b"-5\r\n"), FAILED, 4, (TRIED, "not HTTP")),
    Row("chunk without end", faults.raw(CHUNKS + b"fffffff\r\n" + b"x" * 500_000), FAILED, 4,
        (TRIED, "more than 65536 bytes")),
    Row("chunks without end", faults.raw(CHUNKS + b"1;x\r\nx\r\n" * 50_000), FAILED, 4,
        (TRIED, "more than 131072 bytes")),
    Row("odd length", faults.raw(b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n"), FAILED, 4,
        (TRIED, "an empty response")),
    Row("HTTP/2", faults.raw(b"HTTP/2 200 OK\r\n\r\n"), FAILED, 4, (TRIED, "not HTTP")),
]  # fmt: skip

#: Answers that are final, and answers that are good.
FINAL = [
    *(Row(f"redirect {code}", faults.redirect(code), FAILED, 1, (str(code), "redirect"))
      for code in (301, 302, 303, 307, 308)),
    *(Row(str(code), faults.status(code), UNAVAILABLE, 1, ("does not offer IMDSv2", str(code)),
          ("token",)) for code in (400, 404, 405)),
    Row("403", faults.status(403), UNAVAILABLE, 1, ("turned off", "--http-endpoint"), ("token",)),
    Row("401", faults.status(401), FAILED, 1, ("401 for a token",), ("token",)),
    Row("404", faults.status(404), UNAVAILABLE, 1, ("no role", "instance profile"), ("list",)),
    *(Row(str(code), faults.status(code), FAILED, 1, (str(code), "for the list of roles"),
          ("list",)) for code in (204, 400, 403, 405, 418)),
    *(Row(str(code), faults.status(code), FAILED, 1, (str(code), "for the credentials of app"),
          ("creds",)) for code in (204, 400, 403, 405)),
    Row("404", faults.status(404), FAILED, 2, ("lists the role app", "no credentials"), ("creds",)),
    Row("401", faults.status(401), FAILED, 2, ("401 for the list",), ("list",)),
    Row("401", faults.status(401), FAILED, 2, ("401 for the credentials",), ("creds",)),
    Row("101", faults.raw(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), FAILED, 1, ("101",)),
    Row("chunks", faults.chunked(), None, 1),
    Row("HTTP/1.0", faults.http10(), None, 1),
    Row("100 first", faults.continue_100(), None, 1),
    Row("byte order mark", faults.bom(), None, 1, (), ("creds",)),
    Row("slow, but in time", faults.delay(0.05), None, 1),
]  # fmt: skip

CASES = [
    pytest.param(row, step, id=f"{row.name}-{step}")
    for row in PASSING + FINAL
    for step in row.steps
]


@pytest.mark.parametrize(("row", "step"), CASES)
def test_each_fault_raises_the_expected_error(service: ImdsServer, row: Row, step: str) -> None:
    service.fail(step, row.fault)
    outcome = fetched(service, clock=Hurry(SLOWLY))
    assert outcome.kind is row.outcome, outcome
    assert service.count(step) == row.requests, outcome
    for words in row.words:
        assert words in outcome.said
    is_well_behaved(service, outcome)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("row", PASSING[::3], ids=lambda row: row.name)
def test_fault_that_passes_does_not_cost_the_credentials(
    service: ImdsServer, row: Row, times: int, step: str
) -> None:
    if step not in row.steps:
        step = row.steps[0]
    service.fail(step, row.fault, times)
    outcome = fetched(service, clock=Hurry(SLOWLY))
    assert outcome.found is not None, outcome
    assert service.count(step) == times + 1
    is_well_behaved(service, outcome)


#: What an instance or a pod answers in its first seconds, and how often here.
STARTING = {
    "500 for the credentials": ("creds", faults.status(500, b"pod not found"), 9),
    "503 for the token": ("token", faults.status(503), 9),
    "throttled": ("list", faults.status(429), 9),
    "no role listed yet": ("list", faults.body(b""), 9),
    "tokens that are not taken yet": ("list", faults.status(401), 9),
    "credentials that are not there yet": ("creds", faults.status(404), 9),
    "a page instead of a token": ("token", faults.html(), 9),
    "a page instead of the list": ("list", faults.html(), 9),
    "text instead of the list": ("list", faults.body(b"please wait"), 9),
    "a page instead of credentials": ("creds", faults.html(), 9),
    "half of the credentials": ("creds", faults.truncated(right_length=True), 9),
    "a response that is cut off": ("creds", faults.truncated(), 9),
    "connections that are closed": ("list", faults.close(), 9),
}


@pytest.mark.parametrize(("step", "fault", "times"), STARTING.values(), ids=STARTING)
def test_service_that_is_only_starting_is_waited_for(
    service: ImdsServer, step: str, fault: Fault, times: int
) -> None:
    service.fail(step, fault, times)
    outcome = fetched(service, patient=True)
    assert outcome.found is not None, outcome
    assert service.count(step) == times + 1
    is_well_behaved(service, outcome)


@pytest.mark.parametrize(("step", "fault", "times"), STARTING.values(), ids=STARTING)
def test_service_that_goes_on_starting_is_given_up_at_the_deadline(
    service: ImdsServer, step: str, fault: Fault, times: int
) -> None:
    service.fail(step, fault)
    outcome = fetched(service, seconds=10, patient=True)
    assert outcome.kind is DeadlineExceeded, outcome
    assert service.count(step) > times
    is_well_behaved(service, outcome)


@pytest.mark.parametrize(
    ("step", "code"), [("list", 404), ("token", 404), ("token", 403), ("token", 400)]
)
def test_answer_is_not_waited_for_however_patient_the_run(
    service: ImdsServer, step: str, code: int
) -> None:
    service.fail(step, faults.status(code))
    outcome = fetched(service, patient=True)
    assert outcome.kind is UNAVAILABLE, outcome
    assert service.count(step) == 1


def test_region_lookup_does_not_retry_until_the_deadline(service: ImdsServer) -> None:
    service.fail("region", faults.status(503))
    run = new_run(service.url, patient=True)
    with pytest.raises(FAILED, match="in 4 tries"):
        imds.region(run)
    assert imds.Imds().retrieve(run).access_key


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (faults.status(404, b"", {"Server": "nginx"}), "calls itself nginx): this is not an EC2 "),
        (faults.status(403, b"", {"Server": "squid/6.1"}), "(403 for a token, by a server that "),
        (
            faults.status(405, b"", {"Metadata-Flavor": "Google"}),
            "(405 for a token, by Google's metadata service): ",
        ),
        (faults.status(302, b"", {"Server": "Zscaler"}), "calls itself Zscaler: a VPN, a proxy "),
        (faults.html(), "a VPN, a proxy or another cloud answers at http://127.0.0.1:"),
    ],
)
def test_other_service_at_the_address_is_named_with_its_status(
    service: ImdsServer, fault: Fault, words: str
) -> None:
    service.fail("token", fault)
    outcome = fetched(service)
    assert words in outcome.said
    assert "set AWS_EC2_METADATA_DISABLED=true to skip it" in outcome.said
    assert "turned off for this instance" not in outcome.said
    assert len(outcome.said) < 500


#: Ways to keep a client waiting, and whether it hears anything at all.
SILENCE = {
    "nothing": (faults.hang(), False),
    "nothing after the headers": (faults.hang_after_headers(), True),
    "half a body": (faults.hang_mid_body(), True),
    "headers, drop by drop": (faults.drip(0.05, "headers"), True),
    "a body, drop by drop": (faults.drip(0.6, "body"), True),
    "a body shorter than announced": (faults.content_length(5), True),
    "TLS, very slowly": (faults.delay(5, faults.tls_on_port()), False),
}


@pytest.mark.parametrize(("fault", "is_heard"), SILENCE.values(), ids=SILENCE)
def test_silence_ends_after_two_seconds(fault: Fault, is_heard: bool) -> None:
    def one(step: str) -> None:
        with ImdsServer(mode="optional") as server:
            server.fail(step, fault)
            outcome = fetched(server)
            assert outcome.seconds > 1.9
            assert server.count(step) == 2, outcome  # each has a second
            assert "within 2 s" in outcome.said
            if step == "token" and not is_heard:
                assert outcome.kind is UNAVAILABLE
                assert "accepted the connection but sent no token" in outcome.said
                assert "--http-put-response-hop-limit 2" in outcome.said
            else:
                assert outcome.kind is FAILED
                assert "no usable answer" in outcome.said
            is_well_behaved(server, outcome)

    with ThreadPoolExecutor(len(STEPS)) as threads:
        list(threads.map(one, STEPS))


def test_try_that_hangs_is_given_up_for_another() -> None:
    def one(step: str) -> None:
        with ImdsServer(mode="optional") as server:
            server.fail(step, faults.hang(), times=1)
            outcome = fetched(server)
            assert outcome.found is not None, outcome
            assert server.count(step) == 2
            is_well_behaved(server, outcome)

    with ThreadPoolExecutor(len(STEPS)) as threads:
        list(threads.map(one, STEPS))


# Whatever else there is.

HEADERS = st.sampled_from([
    b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: 99999999999999999999",
    b"Content-Length: \xb2", b"Content-Length: 0x10", b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked", b"Content-Encoding: gzip", b"Content-Encoding: \xff",
    b"Connection: close", b"Connection: keep-alive", b"Location: /", b" folded: x", b": nameless",
    b"Content-Type: text/html; charset=nonsense", b"nonsense", b"\x00: \x00",
    b"X: " + b"x" * 70_000,
])  # fmt: skip
LINES = st.one_of(
    st.sampled_from([
        b"HTTP/1.1 200 OK", b"HTTP/1.0 200", b"HTTP/1.1 404 Not Found", b"HTTP/1.1 401 \xff",
        b"HTTP/1.1 100 Continue", b"HTTP/0.9 200 OK", b"HTTP/3 200 OK", b"HTTP/1.1", b"",
        b"HTTP/1.1 999 x", b"HTTP/1.1 1000 x", b"HTTP/1.1 -200 x", b"HTTP/1.1 2_00 x",
        b"ICY 200 OK",
    ]),
    st.integers(100, 999).map(lambda code: b"HTTP/1.1 %d x" % code),
    st.binary(max_size=80),
)  # fmt: skip
DOCUMENTS = st.dictionaries(
    st.sampled_from([
        "Code", "Message", "AccessKeyId", "SecretAccessKey", "Token", "Expiration", "AccountId",
    ]),
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30),
        st.sampled_from(["Success", "Failed", "2030-01-01T00:00:00Z", "ASIAEXAMPLE"]),
        st.lists(st.integers(), max_size=2),
    ),
).map(lambda value: json.dumps(value).encode())  # fmt: skip
BODIES = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=60).map(lambda value: value.encode("utf-8", "replace")),
    DOCUMENTS,
    st.sampled_from([
        b"app", b"5\r\nhello\r\n0\r\n\r\n", b"-1\r\nxxxx", b"fffffffff\r\nx", b"x" * 70_000,
    ]),
)  # fmt: skip
ANSWERS = st.one_of(
    st.binary(max_size=400),
    st.builds(
        lambda line, headers, body: b"\r\n".join([line, *headers, b"", body]),
        LINES,
        st.lists(HEADERS, max_size=4),
        BODIES,
    ),
    st.builds(
        lambda body: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body), BODIES
    ),
)


@given(answers=st.dictionaries(st.sampled_from(STEPS), ANSWERS, min_size=1), keep=st.booleans())
@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_malformed_responses_never_crash_the_client(
    service: ImdsServer, answers: dict[str, bytes], keep: bool
) -> None:
    service.heal()
    for step, answer in answers.items():
        service.fail(step, faults.raw(answer, keep=keep))
    outcome = fetched(service, seconds=0.2)
    assert outcome.seconds < IN_TIME
    if outcome.found is not None:
        document = json.loads(credentials.document(outcome.found))
        assert all(document[key] for key in ("AccessKeyId", "SecretAccessKey", "SessionToken"))
