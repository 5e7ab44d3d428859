"""Usage errors and --help: printed at once, before anything is called, created or read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.harness import CREDPROC

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Host
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer

A = "arn:aws:iam::111122223333:role/a"
B = "arn:aws:iam::444455556666:role/b"
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "0123456789abcdef" * 2,
}


def tree(folder: Path) -> list[str]:
    """Return everything that is in a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def cloud(online: Host) -> Host:
    """A host whose services all work."""
    online.environ |= KEYS
    return online


@pytest.mark.parametrize(
    "argv",
    [
        ["--imds", "no/name"],
        ["--imds", "--role-arn", A, "--source", "env", "--duration-seconds", "899"],
        ["--imds", "--role-arn", A],
        [
            "--imds",
            "--role-arn",
            A,
            "--source",
            "env",
            "--policy",
            "file:///proc/nowhere/policy.json",
        ],
        ["--imds", "--no-cache", "--refresh"],
        ["--imds", "--mfa-command", "'"],
        ["--imds", "stray", "words"],
        ["--imds", "--cache-dir", "cache"],
    ],
)
def test_usage_error_makes_no_call_and_creates_nothing(
    cloud: Host, imds: ImdsServer, sts: StsServer, argv: list[str]
) -> None:
    before = tree(cloud.folder)
    result = cloud.run(*argv)

    assert (result.status, result.stdout) == (2, b"")
    assert result.stderr.startswith("credproc: ")
    assert result.stderr.count("\n") == 1
    assert result.stderr.endswith(" (see credproc --help)\n")
    assert imds.requests == sts.requests == []
    assert tree(cloud.folder) == before


@pytest.mark.parametrize("words", [["reports"], ["profile", "canary"], ["help"]])
def test_error_for_a_lone_argument_suggests_profile_and_does_not_repeat_it(
    cloud: Host, words: list[str]
) -> None:
    result = cloud.run(*words)

    assert (result.status, result.stdout) == (2, b"")
    assert "; to use a profile, write --profile NAME (see credproc --help)" in result.stderr
    assert not any(word in result.stderr for word in ("reports", "canary"))


@pytest.mark.parametrize("option", ["--help", "-h", "--version"])
def test_manual_and_version_need_nothing_and_make_nothing(cloud: Host, option: str) -> None:
    gone = cloud.folder / "gone"
    gone.mkdir()
    before = tree(cloud.home)
    script = f"cd {gone} && rmdir {gone} && exec env -u HOME {CREDPROC} {option}"
    result = cloud.run("-c", script, command="/bin/sh")

    assert (result.status, result.stderr) == (0, "")
    assert result.stdout.startswith(b"credproc 0" if option == "--version" else b"usage: credproc ")
    assert tree(cloud.home) == before


def test_manual_goes_to_stdout_in_any_locale_and_encoding(host: Host) -> None:
    normal = host.run("--help").stdout
    odd = host.run("--help", LC_ALL="C", PYTHONIOENCODING="utf-16", COLUMNS="20")

    assert odd.stdout == normal


def test_help_takes_precedence_over_earlier_options(cloud: Host, imds: ImdsServer) -> None:
    result = cloud.run("--imds", "--role-arn", A, "--help")

    assert result.status == 0
    assert imds.requests == []


def test_each_hop_gets_its_own_parameters_and_no_other_ones(cloud: Host, sts: StsServer) -> None:
    policy = cloud.folder / "policy.json"
    policy.write_text('{"Version": "2012-10-17",\n "Statement": []}\n', encoding="utf-8")
    cloud.document(
        "--role-arn", A, "--role-session-name", "first", "--external-id", "42:x", "--tag", "a=1",
        "--tag", "b=", "--transitive-tag-key", "b", "--source-identity", "alice",
        "--duration-seconds", "900", "--sts-region", "eu-west-1",
        "--role-arn", B, "--policy", f"file://{policy}",
        "--policy-arn", "arn:aws:iam::aws:policy/ReadOnlyAccess",
        "--source", "env",
        AWS_REGION="eu-central-1",
    )  # fmt: skip
    first, second = sts.calls

    assert first.region == "eu-west-1"
    assert first.parameters == {
        "RoleArn": A,
        "RoleSessionName": "first",
        "ExternalId": "42:x",
        "Tags.member.1.Key": "a",
        "Tags.member.1.Value": "1",
        "Tags.member.2.Key": "b",
        "Tags.member.2.Value": "",
        "TransitiveTagKeys.member.1": "b",
        "SourceIdentity": "alice",
        "DurationSeconds": "900",
    }
    assert second.region == "eu-central-1"
    assert second.parameters.pop("RoleSessionName").startswith("credproc-")
    assert second.parameters == {
        "RoleArn": B,
        "Policy": '{"Version":"2012-10-17","Statement":[]}',
        "PolicyArns.member.1.arn": "arn:aws:iam::aws:policy/ReadOnlyAccess",
    }


def test_policy_as_json_and_as_a_file_is_the_same_request(cloud: Host, sts: StsServer) -> None:
    policy = cloud.folder / "policy.json"
    policy.write_text('{"Statement": []}', encoding="utf-8")
    argv = ["--role-arn", A, "--source", "env", "--policy"]

    assert cloud.document(*argv, f"file://{policy}") == cloud.document(*argv, '{"Statement":[]}')
    policy.write_text('{"Statement": [1]}', encoding="utf-8")
    cloud.document(*argv, f"file://{policy}")
    assert [call.parameters["Policy"] for call in sts.calls] == [
        '{"Statement":[]}',
        '{"Statement":[1]}',
    ]


def test_empty_role_name_never_means_any_role(cloud: Host, imds: ImdsServer) -> None:
    cloud.document("--imds")  # so that an entry for any role is there
    before = len(imds.requests)
    result = cloud.run("-c", 'exec credproc --imds "$ROLE"', command="/bin/sh")

    assert (result.status, result.stdout) == (2, b"")
    assert "--imds: ROLE is empty" in result.stderr
    assert len(imds.requests) == before


def test_cache_directory_of_the_command_line_is_the_only_one_created(cloud: Host) -> None:
    folder = cloud.folder / "elsewhere" / "cache"
    cloud.document("--cache-dir", str(folder), CREDPROC_CACHE_DIR=str(cloud.folder / "unused"))

    assert list(folder.glob("*.entry"))
    assert os.stat(folder).st_mode & 0o777 == 0o700
    assert not (cloud.folder / "unused").exists()
    assert not cloud.cache.exists()
