"""Failing calls of STS: the run ends in time, with one helpful line."""

from __future__ import annotations

import re
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests import cachedir
from tests.cloud import CHAIN, KEYS, ONE, TWO
from tests.harness import NOWHERE, SCRIPTS
from tests.servers import faults, tls
from tests.servers.base import closed_port
from tests.servers.proxy import Proxy
from tests.servers.sts import StsServer, error, skewed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cloud import Cloud
    from tests.harness import Host, Result
    from tests.servers.base import Fault

#: Seconds. Four tries and their pauses, on a machine that is busy with something else.
IN_TIME = 15.0

ONE_HOP = ("--role-arn", ONE, "--source", "env", "--sts-region", "eu-central-1")
#: What every message begins with.
NAMED = f"credproc: chain: role 1 of 1, {ONE}: "


def refusal(result: Result) -> str:
    """Return the error line of a run without credentials."""
    assert (result.status, result.stdout) == (1, b""), result
    assert result.stderr.startswith(NAMED), result
    assert result.stderr.count("\n") == 1, result
    for secret in KEYS.values():
        assert secret not in result.stderr
    return result.stderr


FAULTS: dict[str, tuple[Fault, int, str]] = {
    "denied": (
        error("AccessDenied"),
        1,
        "check that the role exists (STS does not say), that its trust policy allows",
    ),
    "too long": (error("ValidationError"), 1, "lower --duration-seconds"),
    "policy": (error("MalformedPolicyDocument"), 1, "check --policy"),
    "packed": (error("PackedPolicyTooLarge"), 1, "shorten the session policy"),
    "region": (error("RegionDisabledException"), 1, "activate STS for eu-central-1"),
    "mangled": (error("IncompleteSignature"), 1, "a proxy may have changed the request"),
    "expired": (error("ExpiredToken"), 1, "(...MPLE) have expired"),
    "unknown": (
        error("InvalidClientTokenId"),
        1,
        "AWS does not know the calling credentials (...MPLE)",
    ),
    "secret": (error("SignatureDoesNotMatch"), 1, "is wrong"),
    "clock behind": (skewed(5000), 1, "s behind STS: set it (timedatectl)"),
    "clock ahead": (skewed(-5000), 1, "s ahead of STS: set it (timedatectl)"),
    "portal": (faults.html(), 4, "is not from STS (status 200; a proxy or a captive portal?)"),
    "redirect": (faults.redirect(302, NOWHERE), 4, "is not from STS (status 302;"),
    "nothing": (faults.body(b""), 4, "is not from STS (status 200;"),
    "closed": (faults.close(), 4, "no answer from STS in eu-central-1: Connection was closed"),
    "endless redirects": (faults.redirect(), 4, "is not from STS (status 302;"),
    "without a token": (
        faults.mutate(lambda data: {**data, "Credentials": _without_token(data)}),
        1,
        "STS answered without SessionToken",
    ),
}


def _without_token(data: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in data["Credentials"].items() if name != "SessionToken"}


@pytest.mark.parametrize("name", FAULTS)
def test_error_is_one_line_and_never_cached_as_credentials(name: str, cloud: Cloud) -> None:
    fault, calls, words = FAULTS[name]
    cloud.sts.fail(fault)
    result = cloud.host.run(*ONE_HOP)

    assert words in refusal(result)
    assert cloud.sts.count() == calls
    assert result.seconds < IN_TIME
    assert [entry.document for entry in cachedir.entries(cloud.host.cache)] == [b"", b""]


def test_fault_that_has_passed_is_forgotten(cloud: Cloud) -> None:
    cloud.sts.fail(faults.html())
    assert cloud.host.run(*ONE_HOP).status == 1
    cloud.sts.heal()
    cachedir.change(cloud.host.cache, look=-1)
    assert cloud.host.document(*ONE_HOP)["AccessKeyId"] == cloud.sts.issued[-1].access_key


def test_throttling_that_passes_only_costs_a_pause(cloud: Cloud) -> None:
    cloud.sts.fail(error("Throttling"), times=1)
    assert cloud.host.document(*CHAIN)
    assert cloud.roles == (2, 1)


BUSY: dict[str, Fault] = {
    "unwell": error("ServiceUnavailable"),
    "throttled": faults.status(429, b"", {"Retry-After": "0"}),
    "identity provider": error("IDPCommunicationError"),
    "verification key": error("InvalidIdentityToken"),
}


@pytest.mark.parametrize("name", ["unwell", "identity provider"])
def test_busy_sts_is_waited_for_where_nothing_is_cached(name: str, cloud: Cloud) -> None:
    cloud.sts.fail(BUSY[name], times=5)
    assert cloud.host.document(*ONE_HOP)["AccessKeyId"] == cloud.sts.issued[-1].access_key
    assert cloud.sts.count() == 6


@pytest.mark.parametrize("name", BUSY)
def test_busy_sts_fails_at_the_deadline_with_the_reason(name: str, cloud: Cloud) -> None:
    cloud.sts.fail(BUSY[name])
    result = cloud.host.run(*ONE_HOP, "--timeout", "4")
    said = refusal(result)
    assert "no time is left to try again" in said
    assert result.seconds > 2.5, "it gave up early"
    assert "try again in a minute" in said
    assert "trust policy" not in said


@pytest.mark.parametrize("name", BUSY)
def test_busy_sts_is_tried_a_few_times_where_something_is_cached(name: str, cloud: Cloud) -> None:
    document = cloud.host.document(*ONE_HOP)
    cloud.leave("now")
    cloud.sts.fail(BUSY[name])
    result = cloud.host.run(*ONE_HOP)
    assert result.document["AccessKeyId"] == document["AccessKeyId"]
    assert cloud.sts.count() <= 1 + 4
    assert result.seconds < IN_TIME


def test_pause_that_sts_demands_is_observed(cloud: Cloud) -> None:
    cloud.sts.fail(faults.status(503, b"", {"x-amz-retry-after": "1500"}), times=1)
    assert cloud.host.document(*ONE_HOP)
    first, second = cloud.sts.requests
    assert second.at - first.at >= 1.5


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(error("AccessDenied"), id="denied"),
        pytest.param(error("ServiceUnavailable"), id="unwell"),
        pytest.param(faults.html(), id="portal"),
        pytest.param(skewed(-5000), id="clock"),
        pytest.param(faults.close(), id="closed"),
    ],
)
def test_valid_cached_credentials_are_printed_despite_errors_of_sts(
    fault: Fault, cloud: Cloud
) -> None:
    held = cloud.host.document(*ONE_HOP)
    cloud.leave("now")
    cloud.sts.fail(fault)
    printed = cloud.host.document(*ONE_HOP)
    assert printed["AccessKeyId"] == held["AccessKeyId"]
    assert cloud.sts.count() > 1


@pytest.mark.parametrize("fault", [faults.drip(0.05), faults.hang()], ids=["drip", "hang"])
def test_answer_that_does_not_come_ends_with_the_deadline(fault: Fault, cloud: Cloud) -> None:
    cloud.sts.fail(fault)
    result = cloud.host.run(*ONE_HOP, "--timeout", "2")
    assert "answer from STS in eu-central-1" in refusal(result)
    assert result.seconds < IN_TIME


def test_endless_response_is_an_error(cloud: Cloud) -> None:
    cloud.sts.fail(faults.endless())
    result = cloud.host.run(*ONE_HOP)
    assert "no answer from STS in eu-central-1: a body of more than 262144 bytes" in refusal(result)
    assert result.seconds < IN_TIME


def test_endless_response_is_an_error_of_botocores_client_too(cloud: Cloud) -> None:
    cloud.sts.fail(faults.endless())
    result = cloud.host.run(*ONE_HOP, AWS_STS_REGIONAL_ENDPOINTS="legacy")
    assert "the response does not end (over 256 MiB so far)" in refusal(result)
    assert result.seconds < IN_TIME


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://sts.invalid", "(name or service not known)"),
        (NOWHERE, "(connection refused)"),
    ],
)
def test_network_failure_is_reported_with_its_reason(url: str, words: str, cloud: Cloud) -> None:
    result = cloud.host.run(*ONE_HOP, AWS_ENDPOINT_URL_STS=url)
    said = refusal(result)
    assert f'no answer from STS in eu-central-1: Could not connect to the endpoint URL: "{url}' in (
        said
    )
    assert words in said or "(temporary failure in name resolution)" in said
    assert result.seconds < IN_TIME


def test_network_that_is_down_does_not_change_the_identity(cloud: Cloud) -> None:
    result = cloud.host.run(*ONE_HOP, "--imds", AWS_ENDPOINT_URL_STS=closed_port())
    assert result.status == 1
    assert cloud.imds.count() == 0


# TLS and proxies.


@pytest.fixture
def certificates(tmp_path: Path) -> tls.Certificates:
    folder = tmp_path / "certificates"
    folder.mkdir()
    return tls.make(folder)


@pytest.fixture
def secured(certificates: tls.Certificates, host: Host) -> Iterator[StsServer]:
    """An STS with TLS, whose certificate authority is not trusted by default."""
    with StsServer(tls=certificates.server) as server:
        host.environ.update(KEYS, AWS_ENDPOINT_URL_STS=server.url)
        yield server


def test_certificate_of_a_known_authority_is_trusted(
    secured: StsServer, certificates: tls.Certificates, host: Host
) -> None:
    host.document(*ONE_HOP, AWS_CA_BUNDLE=certificates.ca)
    host.config(f"[default]\nca_bundle = {certificates.ca}\n")
    host.document(*ONE_HOP, "--duration-seconds", "900")
    assert secured.count() == 2


def test_certificate_of_an_unknown_authority_is_refused_with_a_remedy(
    secured: StsServer, host: Host
) -> None:
    result = host.run(*ONE_HOP)
    said = refusal(result)
    assert (
        f"no trusted connection to STS in eu-central-1: SSL validation failed for {secured.url}"
        in (said)
    )
    assert "CERTIFICATE_VERIFY_FAILED" in said
    assert "set AWS_CA_BUNDLE to the certificate authority of your proxy" in said
    assert secured.count() == 0


@pytest.mark.parametrize("way", ["lean", "botocore"])
def test_an_empty_variable_does_not_turn_verification_off(
    way: str, secured: StsServer, host: Host
) -> None:
    names = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    if way == "botocore":
        host.environ["AWS_STS_REGIONAL_ENDPOINTS"] = "legacy"
    host.environ |= dict.fromkeys(names, "")
    said = refusal(host.run(*ONE_HOP))

    assert "CERTIFICATE_VERIFY_FAILED" in said
    assert secured.count() == 0


def test_an_empty_variable_changes_nothing_for_credprocctl(secured: StsServer, host: Host) -> None:
    names = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "AWS_PROFILE")
    host.environ |= dict.fromkeys(names, "")
    host.environ |= {"AWS_ENDPOINT_URL": secured.url, "AWS_MAX_ATTEMPTS": "1"}
    result = host.run("role", "list", command=SCRIPTS / "credprocctl")

    assert result.status == 1
    assert "CERTIFICATE_VERIFY_FAILED" in result.stderr
    assert secured.count() == 0


@pytest.mark.parametrize("content", [None, "nonsense\n"])
def test_invalid_ca_bundle_is_named(
    content: str | None, secured: StsServer, host: Host, tmp_path: Path
) -> None:
    path = tmp_path / "bundle.pem"
    if content is not None:
        path.write_text(content)
    said = refusal(host.run(*ONE_HOP, AWS_CA_BUNDLE=str(path)))
    assert "AWS_CA_BUNDLE (or ca_bundle in the config) is not a readable certificate file" in said


def test_sts_is_called_through_the_proxy_of_the_environment_and_imds_is_not(
    secured: StsServer, certificates: tls.Certificates, cloud: Cloud
) -> None:
    argv = ("--role-arn", ONE, "--role-arn", TWO, "--source", "imds")
    with Proxy(user="joe:hunter2-hunter2") as proxy:
        address = proxy.url.replace("//", "//joe:hunter2-hunter2@")
        variables: dict[str, Any] = {"HTTPS_PROXY": address, "HTTP_PROXY": address}
        variables["AWS_ENDPOINT_URL_STS"] = secured.url
        cloud.host.document(*argv, **variables, AWS_CA_BUNDLE=certificates.ca)
        assert set(proxy.targets) == {f"127.0.0.1:{secured.port}"}
        assert proxy.connections == 1
        assert secured.count() == 2
        assert cloud.imds.count("creds") == 1

        direct = cloud.host.document(
            *argv, "--no-cache", **variables, AWS_CA_BUNDLE=certificates.ca, NO_PROXY="127.0.0.1"
        )
        assert direct["AccessKeyId"] == secured.issued[-1].access_key
        assert proxy.connections == 1


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("", "the proxy for STS in eu-central-1 requires credentials (407)"),
        (
            "joe:wrong-hunter2",
            "requires credentials (407): put the right user name and password into HTTPS_PROXY",
        ),
    ],
)
def test_proxy_that_wants_a_password_is_named_without_it(
    user: str, words: str, secured: StsServer, certificates: tls.Certificates, host: Host
) -> None:
    with Proxy(user="joe:hunter2-hunter2") as proxy:
        address = proxy.url.replace("//", f"//{user}@") if user else proxy.url
        result = host.run(*ONE_HOP, HTTPS_PROXY=address, AWS_CA_BUNDLE=certificates.ca)
        said = refusal(result)
        assert words in said
        assert "hunter2" not in said
        assert proxy.count() == 1


def test_proxy_that_makes_no_tunnel_is_not_said_to_be_unreachable(
    certificates: tls.Certificates, host: Host
) -> None:
    host.environ.update(KEYS)
    url = closed_port().replace("http:", "https:")
    with Proxy() as proxy:
        said = refusal(host.run(*ONE_HOP, HTTPS_PROXY=proxy.url, AWS_ENDPOINT_URL_STS=url,
                                AWS_CA_BUNDLE=certificates.ca))  # fmt: skip
        assert "the proxy opened no connection to STS in eu-central-1 (502" in said


def test_url_of_a_proxy_without_tls_must_begin_with_http(
    certificates: tls.Certificates, secured: StsServer, host: Host
) -> None:
    def refuse() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        proxy = threading.Thread(target=refuse)
        proxy.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        said = refusal(host.run(*ONE_HOP, HTTPS_PROXY=url, AWS_CA_BUNDLE=certificates.ca))
        proxy.join()
    assert "no TLS connection to the proxy for STS in eu-central-1: if it does not speak" in said
    assert secured.count() == 0


@pytest.mark.parametrize(
    ("variable", "url", "words"),
    [
        ("AWS_ENDPOINT_URL_STS", "sts.eu-central-1.amazonaws.com", "must begin with http:// or h"),
        ("AWS_ENDPOINT_URL", "ann:hunter2-hunter2@127.0.0.1:1", "must begin with http:// or https"),
        ("AWS_ENDPOINT_URL_STS", "'http://127.0.0.1:1'", "must begin with http:// or https"),
        ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1 ", "has a space or a line end around it"),
        ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:443443", "has a port that is not a number up"),
        ("AWS_ENDPOINT_URL_STS", "http://ann:hunter2#x@127.0.0.1", "write # as %23"),
        ("AWS_ENDPOINT_URL_STS", "http://[::1", "has a [ without a ]"),
    ],
)
def test_endpoint_url_that_cannot_be_used_is_named_without_its_secrets(
    variable: str, url: str, words: str, host: Host
) -> None:
    host.environ.update(KEYS, AWS_ENDPOINT_URL_STS="")
    host.environ[variable] = url
    result = host.run(*ONE_HOP)
    assert result.status == 2
    assert result.stderr.startswith(f"credproc: {variable} ")
    assert words in result.stderr
    assert "hunter2" not in result.stderr


def test_proxy_that_is_not_there_is_named_without_its_password(
    secured: StsServer, certificates: tls.Certificates, host: Host
) -> None:
    address = closed_port().replace("//", "//joe:hunter2-hunter2@")
    said = refusal(host.run(*ONE_HOP, HTTPS_PROXY=address, AWS_CA_BUNDLE=certificates.ca))
    assert re.search(r'Failed to connect to proxy URL: "http://[^"]*@127.0.0.1:\d+"', said)
    assert "(connection refused)" in said
    assert "hunter2" not in said


@pytest.mark.parametrize("password", ["hunter2#Wxyz", "hunter2/Wxyz", "hunter2?", "hunter2\\Wxyz"])
def test_password_that_ends_the_proxys_host_is_an_error_that_does_not_show_it(
    password: str, cloud: Cloud
) -> None:
    log = cloud.host.folder / "log"
    variables: dict[str, Any] = {"CREDPROC_LOG": str(log), "AWS_ENDPOINT_URL_STS": None}
    variables["AWS_ENDPOINT_URL"] = None
    variables["HTTPS_PROXY"] = f"http://corpuser:{password}@127.0.0.1:1"
    for argv in (ONE_HOP, (*ONE_HOP, "-v")):
        result = cloud.host.run(*argv, **variables)
        assert (result.status, result.stdout) == (2, b"")
        assert "HTTPS_PROXY has a user name or password with characters that must be escaped" in (
            result.stderr
        )
        for part in ("corpuser", "hunter2", "Wxyz"):
            assert part not in result.stderr + log.read_text("utf-8")
            assert not any(
                part.encode() in path.read_bytes() for path in cloud.host.cache.glob("*")
            )


def test_socks_proxy_is_an_error_only_if_it_is_used(cloud: Cloud) -> None:
    variables: dict[str, Any] = {"HTTP_PROXY": "socks5h://127.0.0.1:1"}
    result = cloud.host.run(*ONE_HOP, **variables)
    assert result.status == 2
    assert "HTTP_PROXY is a SOCKS proxy, which the AWS SDK for Python cannot use" in result.stderr
    assert cloud.host.document(*ONE_HOP, **variables, NO_PROXY="127.0.0.1")
    assert cloud.host.document(*ONE_HOP, "--no-cache", ALL_PROXY="socks5h://127.0.0.1:1")
