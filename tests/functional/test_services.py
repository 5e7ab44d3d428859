"""Other services instead of AWS's STS: their roles, their errors, the doctor."""

from __future__ import annotations

import os
import subprocess
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests import needs, venvs
from tests.cloud import KEYS, until
from tests.harness import LIMIT, SCRIPTS
from tests.loopback import Loopback, arn
from tests.servers.base import closed_port
from tests.servers.others import Ceph, MinIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness import Host, Result

KEY = KEYS["AWS_ACCESS_KEY_ID"]
S3_ACCESS = "arn:aws:iam:::role/S3Access"
#: What MinIO's documentation writes.
DUMMY = "arn:xxx:xxx:xxx:xxxx"
#: A role of an account of Ceph's.
OF_ACCOUNT = "arn:aws:iam::RGW00889737169837717:role/S3Access"
EXPECTED = "must be a role's ARN, like arn:aws:iam::123456789012:role/NAME, not "
DOCTOR = SCRIPTS / "credprocctl"

#: A call is made by the standard library, and with a setting that only botocore knows by botocore.
WAYS: dict[str, dict[str, str]] = {"lean": {}, "botocore": {"AWS_DEFAULTS_MODE": "legacy"}}


@pytest.fixture
def ceph() -> Iterator[Ceph]:
    with Ceph(KEY) as server:
        yield server


@pytest.fixture
def minio() -> Iterator[MinIO]:
    with MinIO(KEY) as server:
        yield server


@pytest.fixture
def person(host: Host) -> Host:
    """A host with long-term keys, and AWS out of reach."""
    host.environ.update(KEYS, AWS_REGION="us-east-1")
    return host


def assume(host: Host, role: str, *options: str) -> Result:
    return host.run("--role-arn", role, *options, "--source", "env")


def doctor(host: Host, *options: str) -> str:
    """Return what the doctor says, which must find nothing that fails."""
    found = host.run("doctor", "--", *options, command=DOCTOR, timeout=2 * LIMIT)
    assert (found.status, found.stderr) == (0, ""), found
    return " ".join(found.stdout.decode().split())


@pytest.mark.parametrize("way", WAYS)
def test_role_of_ceph_is_assumed_and_has_no_account(way: str, person: Host, ceph: Ceph) -> None:
    person.environ.update(WAYS[way], AWS_ENDPOINT_URL_STS=ceph.url)

    document = assume(person, S3_ACCESS).document

    assert document["AccessKeyId"] == ceph.issued[-1]["AccessKeyId"]
    assert "AccountId" not in document
    shell = assume(person, S3_ACCESS, "--format", "env").stdout.decode()
    assert "unset AWS_ACCOUNT_ID\n" in shell
    line = assume(person, S3_ACCESS, "--field", "Arn").stdout.decode()
    assert line.startswith("arn:aws:sts:::assumed-role/S3Access/")
    assert [call.parameters["RoleArn"] for call in ceph.calls] == [S3_ACCESS]


NO_ROLE = "NoSuchEntity: the service has no such role"
NO_REASON = "InvalidArgument: the service does not say which parameter it refuses"


@pytest.mark.parametrize(
    ("way", "role", "options", "words"),
    [
        ("lean", "arn:aws:iam:::role/none", (), NO_ROLE),
        ("lean", OF_ACCOUNT, (), NO_ROLE),
        ("lean", DUMMY, (), NO_REASON),
        ("lean", S3_ACCESS, ("--duration-seconds", "7200"), NO_REASON),
        ("botocore", OF_ACCOUNT, (), NO_ROLE),
        ("botocore", DUMMY, (), NO_REASON),
    ],
)
def test_code_of_an_error_in_the_form_of_s3_is_said(
    way: str, role: str, options: tuple[str, ...], words: str, person: Host, ceph: Ceph
) -> None:
    person.environ.update(WAYS[way], AWS_ENDPOINT_URL_STS=ceph.url)

    result = assume(person, role, *options)

    assert (result.status, result.stdout) == (1, b"")
    assert result.stderr.startswith(f"credproc: chain: role 1 of 1, {role}: {words}"), result
    assert ceph.count() == 1


@pytest.mark.parametrize("way", WAYS)
def test_refusal_without_a_reason_suggests_what_to_check(way: str, person: Host) -> None:
    with Ceph() as ceph:
        person.environ.update(WAYS[way], AWS_ENDPOINT_URL_STS=ceph.url)
        result = assume(person, S3_ACCESS)

    assert result.status == 1
    assert "AccessDenied: the service does not say why: check the calling keys" in result.stderr


@pytest.mark.parametrize("way", WAYS)
def test_unsupported_mfa_session_is_reported(way: str, person: Host, ceph: Ceph) -> None:
    person.environ.update(WAYS[way], AWS_ENDPOINT_URL_STS=ceph.url)
    options = ("--serial-number", "arn:aws:iam:::mfa/ann", "--mfa-command", "sh -c 'echo 123456'")

    result = person.run("--role-arn", S3_ACCESS, *options, "--mfa-session", "--source", "env")

    assert result.status == 1
    assert "AccessDenied: the service does not say why; not every service has" in result.stderr


def test_web_identity_may_name_a_role_of_ceph(person: Host, ceph: Ceph) -> None:
    token = person.folder / "token"
    token.write_text("a.b.c")
    person.environ.update(
        AWS_ENDPOINT_URL_STS=ceph.url,
        AWS_WEB_IDENTITY_TOKEN_FILE=str(token),
        AWS_ROLE_ARN=S3_ACCESS,
    )

    result = person.run("--role-arn", S3_ACCESS, "--source", "web-identity")

    assert result.status == 1
    assert f"source web-identity: {S3_ACCESS} (with the token in {token}): AccessDenied" in (
        result.stderr
    )
    assert ceph.calls[0].parameters["RoleArn"] == S3_ACCESS


@pytest.mark.parametrize("way", WAYS)
def test_minio_is_called_with_its_dummy_arn(way: str, person: Host, minio: MinIO) -> None:
    person.environ.update(WAYS[way], AWS_ENDPOINT_URL_STS=minio.url)

    document = assume(person, DUMMY).document

    assert document["AccessKeyId"] == minio.issued[-1]["AccessKeyId"]
    minio.trusted = ()
    refused = assume(person, DUMMY, "--refresh", "--external-id", "42")
    assert refused.status == 1
    assert "InvalidAccessKeyId: The Access Key Id you provided does not exist" in refused.stderr
    assert "the service does not know the calling credentials" in refused.stderr


ENDPOINTS = {
    "endpoint_url": "[default]\nendpoint_url = {url}\n",
    "services": "[default]\nservices = here\n[services here]\nsts =\n  endpoint_url = {url}\n",
}


@pytest.mark.parametrize("setting", ENDPOINTS)
def test_endpoint_of_the_config_allows_other_roles(setting: str, person: Host, ceph: Ceph) -> None:
    person.environ["AWS_ENDPOINT_URL"] = None
    config = ENDPOINTS[setting].format(url=ceph.url)
    person.config(
        f"{config}[profile role]\nrole_arn = {S3_ACCESS}\ncredential_source = Environment\n"
        + config.replace("[default]\n", "").partition("[")[0]
    )

    assert assume(person, S3_ACCESS).document
    assert person.run("--profile", "role").document
    assert ceph.count("AssumeRole") == 1  # the session is the same


@pytest.mark.parametrize(
    "env",
    [
        {"AWS_ENDPOINT_URL": None},
        {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
        {"AWS_ENDPOINT_URL_STS": "https://vpce-1a2b.sts.us-east-1.vpce.amazonaws.com"},
    ],
    ids=["none", "ignored", "of AWS"],
)
def test_without_another_service_the_rules_of_aws_hold(
    env: dict[str, str | None], person: Host, imds_url: str
) -> None:
    person.config(f"[profile role]\nrole_arn = {S3_ACCESS}\ncredential_source = Environment\n")
    person.environ.update(env, AWS_EC2_METADATA_SERVICE_ENDPOINT=imds_url)

    chain = ("--role-arn", S3_ACCESS, "--source", "env")
    for command in (chain, ("--imds", *chain)):  # whichever provider would answer
        result = person.run(*command)
        assert (result.status, result.stdout) == (2, b"")
        assert result.stderr == (
            f"credproc: --role-arn: {EXPECTED}'{S3_ACCESS}' (see credproc --help)\n"
        )
    result = person.run("--profile", "role")
    assert (result.status, result.stdout) == (2, b"")
    assert f"profile role: role_arn {EXPECTED}'{S3_ACCESS}'" in result.stderr
    added = person.run("profile", "add", "new", "--", *chain, command=DOCTOR)
    assert added.status == 2
    assert EXPECTED in added.stderr


@pytest.fixture
def imds_url(request: pytest.FixtureRequest) -> str:
    """An instance that has a role."""
    return str(request.getfixturevalue("imds").url)


def test_doctor_warns_of_a_role_that_aws_cannot_have(person: Host, ceph: Ceph) -> None:
    options = ("--role-arn", S3_ACCESS, "--source", "env")

    person.environ["AWS_ENDPOINT_URL_STS"] = ceph.url
    said = doctor(person, *options)

    assert f"warn role {S3_ACCESS} is not an ARN of an AWS role" in said
    assert f"{ceph.url} gets it unchanged" in said
    assert "ok answer comes from chain" in said
    assert f"ok STS {ceph.url} answers" in said


def test_doctor_shows_no_password_of_an_endpoint(person: Host, ceph: Ceph) -> None:
    person.environ["AWS_ENDPOINT_URL_STS"] = ceph.url.replace("//", "//me:canaryPassword@")
    options = ("--output", "json", "--", "--role-arn", S3_ACCESS, "--source", "env")
    said = person.run("doctor", *options, command=DOCTOR, timeout=2 * LIMIT).stdout.decode()

    hidden = ceph.url.replace("//", "//[secret]@")
    assert f"{hidden} gets it unchanged" in said
    assert f"{hidden} answers" in said
    assert "canaryPassword" not in said


def test_cache_and_explain_show_a_role_without_an_account(person: Host, ceph: Ceph) -> None:
    person.environ["AWS_ENDPOINT_URL_STS"] = ceph.url
    assert assume(person, S3_ACCESS).document

    listed = person.run("cache", "list", command=DOCTOR)
    explained = person.run(
        "explain", "--", "--role-arn", S3_ACCESS, "--source", "env", command=DOCTOR
    )

    assert (listed.status, explained.status) == (0, 0)
    assert f"{S3_ACCESS} (arn:aws:sts:::assumed-role/S3Access/" in listed.stdout.decode()
    assert "print the cached answer; nothing is fetched" in explained.stdout.decode()


# Substitutes for AWS that other projects use in their tests.


class MiniStack:
    """MiniStack's server, on a port of its own; it knows every key and every role."""

    RELEASE = "ministack==1.5.33"

    def __init__(self, folder: Path) -> None:
        venv = venvs.Venv(folder / "ministack")
        venv.make()
        venv.install(self.RELEASE)
        self.url = closed_port()
        self._log = (folder / "ministack.log").open("wb")
        self._process = subprocess.Popen(
            [venv.scripts / "ministack"],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={
                "HOME": str(folder),
                "TMPDIR": str(folder),
                "PATH": os.defpath,
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": self.url.rpartition(":")[2],
                "DOCKER_HOST": "unix:///proc/nowhere",
            },
            start_new_session=True,
        )
        until(self._answers, 2 * LIMIT)

    def _answers(self) -> bool:
        assert self._process.poll() is None, "MiniStack has ended"
        try:
            urllib.request.urlopen(self.url, timeout=LIMIT).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """End the server."""
        self._process.terminate()
        self._process.wait(LIMIT)
        self._log.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_roles_of_ministack_work_and_the_doctor_finds_no_error(
    person: Host, tmp_path: Path
) -> None:
    needs.demand("network")
    server = MiniStack(tmp_path)
    try:
        role = "arn:aws:iam::000000000000:role/app"
        person.environ["AWS_ENDPOINT_URL"] = server.url
        for way in WAYS.values():
            person.environ.update(way)
            document = assume(person, role, "--refresh").document
            assert document["AccountId"] == "000000000000"
        options = ("--role-arn", role, "--source", "env")
        said = doctor(person, *options)
        refused = assume(person, S3_ACCESS)
    finally:
        server.stop()

    assert "is not an ARN of an AWS role" not in said
    assert f"ok STS {server.url} answers" in said
    assert "account 000000000000" in said
    assert f"ValidationError: Invalid RoleArn: {S3_ACCESS}" in refused.stderr


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_roles_of_moto_work_and_the_doctor_finds_no_error(host: Host, tmp_path: Path) -> None:
    with Loopback(tmp_path) as world:
        world.furnish(host)
        options = ("--role-arn", arn("jump"), "--source", "profile:laptop")
        host.environ.update(world.laptop)
        for way in WAYS.values():
            host.environ.update(way)
            assert host.run(*options, "--refresh").document["AccountId"]
        said = doctor(host, *options)

    assert "ok STS role 1 was just assumed there" in said
    assert said.endswith("No problems found.")
    assert "is not an ARN of an AWS role" not in said
