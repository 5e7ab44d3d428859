"""What is done without botocore is what botocore does: it may decline, and never disagrees."""

from __future__ import annotations

import calendar
import re
import time
import urllib.parse
from typing import TYPE_CHECKING, Any

import botocore.httpsession
import pytest
from botocore import auth, awsrequest, configloader, configprovider, exceptions, serialize
from botocore import credentials as keys_of_botocore
from botocore.config import Config
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from credproc import inifile
from credproc.credentials import Credentials
from credproc.errors import CredprocError
from credproc.providers import initial, query
from credproc.providers.resolved import resolved
from credproc.providers.sharedconfig import SharedConfig
from credproc.providers.sts import load_config
from credproc.providers.stsendpoint import (
    PARTITIONS,
    UNUSUAL,
    UNUSUAL_KEYS,
    Endpoint,
    custom,
    endpoint,
)
from tests.chains import LOADER, A, B, Machine, hop
from tests.harness import environment
from tests.servers import tls
from tests.servers.sts import StsServer

if TYPE_CHECKING:
    from pathlib import Path

#: Settings of botocore that change nothing about a call of STS by credproc, which has time-outs,
#: tries and a name of its own; the others lead to botocore's client.
HARMLESS = {
    *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_DEFAULT_REGION"),
    *("AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE", "AWS_SDK_UA_APP_ID", "AWS_STS_REGIONAL_ENDPOINTS"),
    *("AWS_METADATA_SERVICE_TIMEOUT", "AWS_METADATA_SERVICE_NUM_ATTEMPTS"),
    *("AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"),
    *("AWS_EC2_METADATA_V1_DISABLED", "AWS_IMDS_USE_IPV6"),
    *("AWS_CSM_CLIENT_ID", "AWS_CSM_HOST", "AWS_DISABLE_HOST_PREFIX_INJECTION"),
    "BOTOCORE_TCP_KEEPALIVE",
    "AWS_LOGIN_CACHE_DIRECTORY",
}
HARMLESS_KEYS = {
    *("ec2_metadata_service_endpoint", "ec2_metadata_service_endpoint_mode", "region"),
    *("ec2_metadata_v1_disabled", "imds_use_ipv6", "max_attempts", "retry_mode", "sdk_ua_app_id"),
    *("metadata_service_timeout", "metadata_service_num_attempts", "sts_regional_endpoints"),
    *("csm_client_id", "csm_host", "disable_host_prefix_injection", "parameter_validation"),
    "tcp_keepalive",
}
#: All that botocore knows: for each setting its config key and its variables.
SETTINGS = configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES.values()

REGIONS = [
    region
    for partition in LOADER.load_data("endpoints")["partitions"]
    for region in [
        *partition["regions"],
        *partition["services"].get("sts", {}).get("endpoints", {}),
    ]
]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, tmp_path)


def by_botocore(region: str, known: Any = None) -> str:
    """Return botocore's endpoint of STS; "" if it makes no client."""
    session = known or SharedConfig().botocore()
    session.set_credentials("a", "b")
    try:
        config = Config(retries={"total_max_attempts": 1, "mode": "standard"})
        client: Any = session.create_client("sts", region_name=region, config=config)
    except Exception:
        return ""
    return str(client.meta.endpoint_url)


# The files.

LINES = st.sampled_from([
    "[default]", "[profile a]", "[profile 'b c']", '[profile "d"]', "[profile]", "[profile x y]",
    "[sso-session s]", "[services t]", "[preview]", "[DEFAULT]", "[default", "default]", "[]",
    "[ ]", " [profile f]", "[profile g] ; said", "[profile h\\ i]", "[a]b]", "[profile 'open]",
    "region = eu-west-1", "region: eu-west-1", "Region=x", "a=b:c", "a:b=c", "role_arn = ", "key",
    "= value", ": value", "s3 =", "  max = 1", "  max", "\tmax=2", "    deep = 3", " region = y",
    "# said", "; said", "  # said", "", "   ", "endpoint_url = http://x # y", "ключ = значение",
    "a = b ; c", "x = \x0c", "\x0b", "\ufeff[profile z]", "a\x1c= 1", "[profile\u00a0q]",
    "b = \u2028c",
])  # fmt: skip


@given(st.lists(LINES, max_size=12), st.sampled_from(["\n", "\r\n"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_file_is_read_as_botocore_reads_it(tmp_path: Path, lines: list[str], end: str) -> None:
    path = tmp_path / "config"
    path.write_bytes(end.join(lines).encode())
    try:
        found = inifile.profile_map(inifile.read(path.read_text("utf-8")))
    except inifile.Declined:
        event("declined")
        return
    event("read")
    assert found == configloader.load_config(str(path))


@pytest.mark.slow
@given(st.lists(LINES, max_size=12))
@settings(
    max_examples=3_000,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_many_files_are_read_as_botocore_reads_them(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "config"
    path.write_bytes("\n".join(lines).encode())
    try:
        found = inifile.profile_map(inifile.read(path.read_text("utf-8")))
    except inifile.Declined:
        return
    assert found == configloader.load_config(str(path))


def test_usual_file_is_not_declined() -> None:
    text = """
        # mine
        [default]
        region = eu-central-1
        s3 =
            max_concurrent_requests = 20

        [profile 'two words']
        role_arn: arn:aws:iam::111122223333:role/a
        source_profile = default
        """
    found = inifile.profile_map(inifile.read(text))
    assert found["profiles"]["default"]["s3"] == {"max_concurrent_requests": "20"}
    assert found["profiles"]["two words"]["source_profile"] == "default"


def test_both_files_are_one_config_as_with_botocore(machine: Machine) -> None:
    machine.config(
        "[default]\nregion = a\n[profile both]\nregion = b\noutput = c\n[other]\nx = y\n"
    )
    machine.credentials("[both]\noutput = d\naws_access_key_id = e\n[alone]\nregion = f\n")

    for profile in ("", "both", "alone"):
        session = SharedConfig(profile)
        assert session.is_readable()
        assert session.full_config == session.botocore().full_config
        assert session.get_scoped_config() == session.botocore().get_scoped_config()
    assert not SharedConfig("missing").is_readable()
    with pytest.raises(exceptions.ProfileNotFound):
        SharedConfig("missing").get_scoped_config()


@pytest.mark.parametrize(
    ("config", "credentials"),
    [
        ("", "[p]\naws_access_key_id = AKIAONE\naws_secret_access_key = one\n"),
        ("[profile p]\naws_access_key_id = AKIATWO\naws_secret_access_key = two\n", ""),
        (("[profile p]\naws_access_key_id = AKIATWO\naws_secret_access_key = two\n"
          "aws_session_token = other\n"),
         "[p]\naws_access_key_id = AKIAONE\naws_secret_access_key = one\n"),
        ("[profile p]\nregion = x\n",
         ("[p]\naws_access_key_id = AKIAONE\naws_secret_access_key = one\n"
          "aws_session_token = new\naws_security_token = old\naws_account_id = 111122223333\n")),
        ("", "[p]\naws_access_key_id = AKIAONE\n"),
        ("", "[p]\naws_secret_access_key = one\n"),
        ("[profile p]\naws_access_key_id = AKIATWO\naws_secret_access_key = two\n",
         "[p]\naws_session_token = alone\n"),
    ],
)  # fmt: skip
def test_keys_of_a_profile_are_those_of_botocore(
    config: str, credentials: str, machine: Machine
) -> None:
    machine.config(config)
    machine.credentials(credentials)
    session = load_config(machine.run(), "p")
    found = initial._keys(session, "p")
    try:
        right = resolved(machine.run(), session, "p", initial.BEFORE) or resolved(
            machine.run(), session, "p", initial.AFTER
        )
    except CredprocError:
        right = None

    assert (found and found.secrets()) == (right and right.secrets())
    if found and right:
        assert (found.account_id, found.provider) == (right.account_id, right.provider)


# The endpoints.


def test_endpoint_of_every_region_is_that_of_botocore(machine: Machine) -> None:
    plain = []
    known = SharedConfig().botocore()
    for region in REGIONS:
        found = endpoint(load_config(machine.run()), region)
        if found:
            plain.append(region)
            assert found.url == by_botocore(region, known), region
            assert found.region == region
    assert len(plain) > 40
    assert all(any(re.fullmatch(names, region) for region in plain) for names in PARTITIONS)
    assert endpoint(load_config(machine.run()), "aws-global") is None
    assert endpoint(load_config(machine.run()), "xx-nowhere-1") is None


@pytest.mark.parametrize("value", ["x", pytest.param("true", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", sorted({*UNUSUAL, *HARMLESS, "HTTPS_PROXY", "all_proxy"}))
def test_variable_changes_the_endpoint_or_nothing(name: str, value: str, machine: Machine) -> None:
    machine.set(**{name: value})
    found = endpoint(SharedConfig(), "eu-west-1")
    if found is not None:
        assert name in HARMLESS
        assert found.url == by_botocore("eu-west-1") == "https://sts.eu-west-1.amazonaws.com"


@pytest.mark.parametrize("value", ["x", pytest.param("\n  a = b", marks=pytest.mark.slow)])
@pytest.mark.parametrize("key", sorted({*UNUSUAL_KEYS, *HARMLESS_KEYS, "services", "s3", "output"}))
def test_key_changes_the_endpoint_or_nothing(key: str, value: str, machine: Machine) -> None:
    machine.config(f"[default]\n{key} = {value}\n")
    found = endpoint(SharedConfig(), "eu-west-1")
    if found is not None:
        assert key not in UNUSUAL_KEYS
        assert found.url == by_botocore("eu-west-1") == "https://sts.eu-west-1.amazonaws.com"


def test_every_setting_of_botocore_is_known() -> None:
    variables = set()
    for _, name, *_ in SETTINGS:
        variables |= {name} if isinstance(name, str) else set(name or ())
    keys = {key for key, *_ in SETTINGS if key}

    assert variables - {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"} <= HARMLESS | set(UNUSUAL)
    assert keys <= HARMLESS_KEYS | set(UNUSUAL_KEYS)


GIVEN = [
    "http://127.0.0.1:4566", "https://sts.example:8443/", "http://[::1]:80", "https://STS.example",
    "http://localhost/path", "http://me:pw@localhost", "localhost:4566", "ftp://x", "https://x/?a=b",
    "https://sts.amazonaws.com", "https://sts-fips.us-east-1.amazonaws.com", "http://a_b", "http://",
]  # fmt: skip


@pytest.mark.parametrize("url", GIVEN)
@pytest.mark.parametrize("where", ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL", "key", "services"])
def test_endpoint_that_is_given_is_that_of_botocore(url: str, where: str, machine: Machine) -> None:
    config = "[default]\nregion = eu-west-1\n"
    if where == "key":
        config += f"endpoint_url = {url}\n"
    elif where == "services":
        config += f"services = mine\n[services mine]\nsts =\n  endpoint_url = {url}\n"
    else:
        machine.set(**{where: url})
    machine.config(config)

    found = endpoint(SharedConfig(), "eu-west-1")
    if found is None:
        assert url not in GIVEN[:4]
    else:
        assert url == found.url == by_botocore("eu-west-1")


@pytest.mark.parametrize("flag", ["true", "false"])
def test_endpoints_in_the_order_of_botocore(flag: str, machine: Machine) -> None:
    urls = [f"http://127.0.0.1:{port}" for port in (1, 2, 3, 4)]
    machine.config(
        f"[default]\nendpoint_url = {urls[3]}\nservices = mine\n"
        f"[services mine]\nsts =\n  endpoint_url = {urls[2]}\ns3 =\n  endpoint_url = http://no\n"
    )
    machine.set(AWS_ENDPOINT_URL_STS=urls[0], AWS_ENDPOINT_URL=urls[1])
    for taken in ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL", None):
        found = endpoint(SharedConfig(), "eu-west-1")
        assert found is not None
        assert found.url == by_botocore("eu-west-1")
        if taken:
            machine.set(**{taken: None})
    machine.set(AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=flag)
    assert endpoint(SharedConfig(), "eu-west-1") is None


def test_models_of_ones_own_are_for_botocore(machine: Machine) -> None:
    (machine.folder / ".aws" / "models").mkdir(parents=True)
    assert endpoint(SharedConfig(), "eu-west-1") is None


def test_tls_is_that_of_botocore() -> None:
    made = query.context()
    theirs = botocore.httpsession.create_urllib3_context()

    assert query.authorities() == botocore.httpsession.where()
    for name in ("options", "verify_flags", "verify_mode", "minimum_version", "maximum_version"):
        assert getattr(made, name) == getattr(theirs, name), name
    assert made.check_hostname


# The request.

PARAMETERS: dict[str, Any] = {
    "RoleArn": "arn:aws:iam::111122223333:role/a",
    "RoleSessionName": "me@example.com",
    "ExternalId": "a:b/c=d e&f+g~h%i",
    "DurationSeconds": 3600,
    "Policy": '{"Version": "2012-10-17", "Statement": []}',
    "PolicyArns": [{"arn": "arn:aws:iam::aws:policy/A"}, {"arn": "arn:aws:iam::aws:policy/B"}],
    "Tags": [{"Key": "Team", "Value": "Blau & Rot"}, {"Key": "\N{SNOWMAN}", "Value": ""}],
    "TransitiveTagKeys": ["Team", "\N{SNOWMAN}"],
    "SourceIdentity": "jane",
    "SerialNumber": "arn:aws:iam::111122223333:mfa/jane",
    "TokenCode": "123456",
}


def test_parameters_are_those_of_botocore() -> None:
    client: Any = SharedConfig().botocore().create_client("sts", region_name="eu-west-1")
    for action, parameters in {
        "AssumeRole": PARAMETERS,
        "AssumeRoleWithWebIdentity": {
            "RoleArn": PARAMETERS["RoleArn"],
            "RoleSessionName": "me",
            "WebIdentityToken": "a.b.c",
        },
    }.items():
        model = client.meta.service_model.operation_model(action)
        sent = serialize.create_serializer("query").serialize_to_request(parameters, model)
        assert sent["method"] == "POST"
        assert sent["url_path"] == "/"
        body = {"Action": action, "Version": query.VERSION, **parameters}
        assert query.flat(body) == {name: str(value) for name, value in sent["body"].items()}


@pytest.mark.parametrize("token", ["", "to/ken+=="])
@pytest.mark.parametrize("url", ["https://sts.eu-west-1.amazonaws.com", "http://127.0.0.1:4566"])
def test_signature_is_that_of_botocore(url: str, token: str) -> None:
    where = Endpoint(url, "eu-west-1")
    body = urllib.parse.urlencode(query.flat({"Action": "AssumeRole", **PARAMETERS})).encode()
    signed = awsrequest.AWSRequest(
        "POST",
        f"{url}/",
        headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
        data=body,
    )
    keys = keys_of_botocore.Credentials("AKIAEXAMPLE", "geheim/+", token or None)
    auth.SigV4Auth(keys, "sts", "eu-west-1").add_auth(signed)

    stamp = signed.headers["X-Amz-Date"]
    now = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
    caller = Credentials("AKIAEXAMPLE", "geheim/+", token, 0)
    assert (
        query.signed(where, body, caller, now)["authorization"] == signed.headers["Authorization"]
    )
    assert "authorization" not in query.signed(where, body, None, now)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<", b"<a><b>x</b>", b"{}", b"\xff",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a><d>&b;</d></a>",
        b"<!DOCTYPE html><html><body>x</body></html>", b"<a>&b;</a>",
    ],
)  # fmt: skip
def test_what_is_not_xml_or_has_a_document_type_has_no_fields(body: bytes) -> None:
    assert query.fields(body) == {}


def test_fields_are_found_in_any_namespace_and_encoding() -> None:
    text = (
        '<?xml version="1.0" encoding="{}"?><r xmlns="urn:x"><E:a xmlns:E="y">'
        "<b>\u00e9&amp;<![CDATA[<]]></b></E:a></r>"
    )
    for encoding in ("utf-8", "iso-8859-1", "utf-16"):
        found = query.fields(text.format(encoding).encode(encoding))
        assert found["a/b"] == "\u00e9&<"


def test_call_over_tls_trusts_the_authorities_of_botocore_and_no_other(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = tls.make(tmp_path)
    with StsServer(tls=files.server) as sts:
        machine.knows(sts)
        refused = machine.assume(hop())
        assert "no trusted connection to STS in eu-central-1: SSL validation failed" in refused.said
        assert "CERTIFICATE_VERIFY_FAILED" in refused.said
        assert sts.count() == 0

        # No file of certificates that botocore trusts can be exchanged for a test.
        monkeypatch.setattr(query, "authorities", lambda: files.ca)
        outcome = machine.assume(hop(A), hop(B))
        assert outcome.found is not None
        assert outcome.found.access_key == sts.issued[-1].access_key
        assert [request.connection for request in sts.requests] == [sts.requests[0].connection] * 2


def custom_at(url: str) -> str:
    """Return the service that is used instead of AWS's STS if this is the configured endpoint."""
    with environment({"HOME": "/proc/nowhere", "AWS_ENDPOINT_URL": url}):
        return custom(SharedConfig())


def test_only_endpoints_outside_of_aws_are_custom() -> None:
    outputs = [each["outputs"] for each in LOADER.load_data("partitions")["partitions"]]
    suffixes = {each[name] for each in outputs for name in ("dnsSuffix", "dualStackDnsSuffix")}
    assert {custom_at(f"https://STS.some-region-1.{each}:443/") for each in suffixes} == {""}
    for url in (
        "http://127.0.0.1:1",
        "https://notamazonaws.com",
        "https://amazonaws.com.example",
        "http://sts.amazonaws.com@127.0.0.1:1",
    ):
        assert custom_at(url) == url
