"""A profile that leads back to itself through processes is detected at once, and named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cloud import KEYS, ONE, TWO
from tests.harness import CREDPROC, SCRIPTS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cloud import Cloud
    from tests.harness import Result

#: Seconds. Waiting for one's own lock would take thirty; what is started here takes one or two.
AT_ONCE = 15.0

#: What `aws configure export-credentials --format process` does, in the AWS CLI v2.
EXPORT = """\
import json, sys
import botocore.session

session = botocore.session.Session(profile=sys.argv[1])
try:
    found = session.get_credentials().get_frozen_credentials()
except Exception as error:
    sys.exit(f"aws: [ERROR]: {error}")
print(json.dumps({"Version": 1, "AccessKeyId": found.access_key,
    "SecretAccessKey": found.secret_key, "SessionToken": found.token}))
"""


@pytest.fixture
def export(cloud: Cloud) -> Path:
    """A shell script that prints the credentials of the profile that it is given."""
    program = cloud.host.folder / "export.py"
    program.write_text(EXPORT)
    path = cloud.host.folder / "export-credentials"
    path.write_text(f'#!/bin/sh\nexec {SCRIPTS / "python"} {program} "$@"\n')
    path.chmod(0o700)
    return path


def is_named(result: Result, cloud: Cloud, way: str) -> None:
    """Check that the run detected the loop, reported it in one line, and made no call."""
    assert result.stdout == b""
    assert result.status != 0
    assert result.stderr.count("\n") == 1, result
    assert f"calls itself ({way}): " in result.stderr
    assert "name another profile after --profile" in result.stderr
    assert result.seconds < AT_ONCE
    assert cloud.sts.count() == 0
    assert cloud.host.strays() == []


def test_profile_that_calls_credproc_for_itself(cloud: Cloud) -> None:
    cloud.host.config(f"[profile a]\ncredential_process = {CREDPROC} --profile a\n")
    result = cloud.host.run("--profile", "a")
    is_named(result, cloud, "a -> a")
    assert result.status == 1
    assert result.stderr.startswith("credproc: profile a: credential_process credproc exited with ")


def test_tool_with_such_a_profile_shows_the_line(cloud: Cloud) -> None:
    cloud.host.config(f"[profile a]\ncredential_process = {CREDPROC} --profile a\n")
    result = cloud.host.run(
        "sts", "get-caller-identity", "--profile", "a", command=SCRIPTS / "aws",
        AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None,
    )  # fmt: skip
    assert result.status != 0
    assert "profile a calls itself (a -> a)" in result.stderr
    assert result.seconds < AT_ONCE


def test_command_for_the_code_that_calls_credproc_for_the_same_profile(cloud: Cloud) -> None:
    cloud.host.config(
        f"[profile a]\nrole_arn = {ONE}\ncredential_source = Environment\n"
        "mfa_serial = arn:aws:iam::111122223333:mfa/me\n"
    )
    command = f"{CREDPROC} --profile a --mfa-command 'echo 123456'"
    result = cloud.host.run("--profile", "a", "--mfa-command", command)
    assert "profile a calls itself (a -> a)" in result.stderr
    assert result.status == 1
    assert result.seconds < AT_ONCE


@pytest.mark.parametrize(("name", "way"), [("a", "a -> b -> a"), ("b", "b -> a -> b")])
def test_two_profiles_that_call_credproc_for_each_other(name: str, way: str, cloud: Cloud) -> None:
    cloud.host.config(
        f"[profile a]\ncredential_process = {CREDPROC} --profile b\n"
        f'[profile b]\ncredential_process = {CREDPROC} --imds no-such --profile "a"\n'
    )
    is_named(cloud.host.run("--profile", name), cloud, way)


@pytest.mark.parametrize(
    "argv",
    [
        "--profile top",
        "--profile middle",
        f"--role-arn {ONE} --source profile:leaf",
        f"--role-arn {ONE} --source profile:middle",
        "--profile beside",
    ],
)
def test_source_of_a_profile_that_leads_back_to_it(argv: str, cloud: Cloud) -> None:
    # The locks of hops and source are taken when the helper runs: it must not wait for them.
    cloud.host.config(
        f"[profile top]\nrole_arn = {TWO}\nsource_profile = middle\n"
        f"[profile middle]\nrole_arn = {ONE}\nsource_profile = leaf\n"
        f"[profile leaf]\ncredential_process = {CREDPROC} {argv}\n"
        f"[profile beside]\nrole_arn = {TWO}\nsource_profile = leaf\n"
    )
    way = {
        "top": "top -> middle -> leaf -> top",
        "middle": "middle -> leaf -> middle",
        "beside": "leaf -> beside -> leaf",
    }
    name = argv.rpartition("profile")[2].strip(": ")
    is_named(cloud.host.run("--profile", "top"), cloud, way.get(name, "leaf -> leaf"))


def test_helper_that_asks_a_tool_for_the_profile_it_is_for(cloud: Cloud, export: Path) -> None:
    cloud.host.config(
        f"[profile tool]\ncredential_process = {CREDPROC} --profile slow\n"
        f"[profile slow]\ncredential_process = {export} tool\n"
    )
    is_named(cloud.host.run("--profile", "slow"), cloud, "slow -> slow")


def test_helper_that_uses_another_profile_is_not_recursion(cloud: Cloud, export: Path) -> None:
    cloud.host.config(
        f"[profile outer]\ncredential_process = {export} inner\n"
        f"[profile inner]\ncredential_process = {CREDPROC} --profile keys\n"
    )
    key = KEYS["AWS_ACCESS_KEY_ID"]
    cloud.host.credentials(f"[keys]\naws_access_key_id = {key}\naws_secret_access_key = s\n")
    assert cloud.host.document("--profile", "outer")["AccessKeyId"] == key


def test_corrected_mistake_is_not_cached(cloud: Cloud) -> None:
    cloud.host.config(f"[profile a]\ncredential_process = {CREDPROC} --profile a\n")
    assert cloud.host.run("--profile", "a").status == 1
    cloud.host.config(f"[profile a]\ncredential_process = {CREDPROC} --imds\n")
    document = cloud.host.document("--profile", "a")
    assert document["AccessKeyId"] == cloud.imds.current["AccessKeyId"]
