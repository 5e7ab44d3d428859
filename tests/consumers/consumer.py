"""The consumers: how each is had, how it is started, and what it is known to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.consumers.install import PROGRAMS, Installer

if TYPE_CHECKING:
    from collections.abc import Callable

#: Requests that one test makes.
REQUESTS = 20


@dataclass(frozen=True)
class Consumer:
    """A tool that reads credential_process; the facts are what the tests hold it to."""

    name: str
    #: Installs what is needed and returns the command.
    command: Callable[[Installer], list[str]]
    #: Whether it is a program that goes on and reads how many requests to make.
    goes_on: bool = True
    #: Whether it starts credproc through a shell.
    a_shell: bool = False
    #: Whether the path of credproc may stand in double quotes; in single ones it always may.
    double_quotes: bool = True
    #: How often it runs credproc for REQUESTS requests while an hour is left.
    runs: int = 1
    #: Whether its user sees the line that a failing credproc wrote.
    shows: bool = True
    #: How often it runs credproc for REQUESTS requests while 14 minutes are left.
    runs_at_14_minutes: int = 1
    #: Variables that it needs.
    env: dict[str, str | None] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def _python(name: str, program: str, *requirements: str) -> Callable[[Installer], list[str]]:
    return lambda installer: [installer.python(name, *requirements), str(PROGRAMS / program)]


def _node(program: str, *packages: str) -> Callable[[Installer], list[str]]:
    def command(installer: Installer) -> list[str]:
        return ["/usr/bin/env", "node", installer.program(installer.node(*packages), program)]

    return command


def _cli(find: Callable[[Installer], str]) -> Callable[[Installer], list[str]]:
    # Through a shell for the endpoint alone: the oldest one knows no variable for it.
    words = (
        's3 ls s3://bucket --profile app --page-size 1 --region eu-central-1 --endpoint-url "$S3"'
    )
    return lambda installer: ["/bin/sh", "-c", f'exec "$0" {words}', find(installer)]


def _rclone(installer: Installer) -> list[str]:
    remote = ":s3,provider=Other,env_auth=true,region=eu-central-1,list_version=2:bucket"
    return [installer.debian("rclone", "rclone"), "lsf", "--s3-list-chunk", "1", remote]


PROFILE: dict[str, str | None] = {"AWS_PROFILE": "app"}

CONSUMERS = [
    Consumer("boto3, newest", _python("boto3-new", "sdk.py", "boto3"), runs_at_14_minutes=21),
    Consumer(
        "boto3 1.41, the oldest allowed",
        _python("boto3-old", "sdk.py", "boto3==1.41.0"),
        runs_at_14_minutes=21,
    ),
    Consumer(
        "AWS CLI v1",
        _cli(lambda installer: installer.python("cli-v1", "awscli").replace("/python", "/aws")),
        goes_on=False,
        runs_at_14_minutes=21,
    ),
    Consumer(
        "AWS CLI v2 (PyPI's aws-cdk.asset-awscli-v2)",
        _cli(lambda installer: installer.cli_v2()),
        goes_on=False,
        runs_at_14_minutes=21,
    ),
    Consumer(
        "AWS CLI v2 (Debian)",
        _cli(lambda installer: installer.debian("aws", "awscli")),
        goes_on=False,
        runs_at_14_minutes=21,
    ),
    Consumer(
        "awscrt",
        _python("awscrt", "crt.py", "awscrt"),
        a_shell=True,
        runs=20,
        runs_at_14_minutes=20,
        shows=False,
    ),
    Consumer(
        "s3fs (aiobotocore)", _python("s3fs", "s3fs_program.py", "s3fs"), runs_at_14_minutes=21
    ),
    Consumer(
        "pyarrow (AWS SDK for C++)",
        _python("pyarrow", "arrow.py", "pyarrow"),
        a_shell=True,
        shows=False,
        env=PROFILE,
    ),
    Consumer(
        "icechunk (AWS SDK for Rust)",
        _python("icechunk", "ice.py", "icechunk"),
        a_shell=True,
        env=PROFILE,
    ),
    Consumer(
        "AWS SDK for JavaScript v3",
        _node("js3.mjs", "@aws-sdk/client-sts", "@aws-sdk/credential-providers"),
        a_shell=True,
    ),
    Consumer("AWS SDK for JavaScript v2", _node("js2.js", "aws-sdk"), a_shell=True, shows=False),
    Consumer(
        "AWS SDK for Ruby v3 (Debian)",
        lambda installer: [installer.debian("ruby", "ruby-aws-sdk-core"), str(PROGRAMS / "sdk.rb")],
        a_shell=True,
        runs=2,
        runs_at_14_minutes=2,
    ),
    Consumer(
        "AWS SDK for Go v1",
        lambda installer: [installer.go("go1.go", "golang-github-aws-aws-sdk-go-dev")],
        a_shell=True,
        double_quotes=False,
    ),
    Consumer(
        "AWS SDK for Go v2",
        lambda installer: [installer.go("go2.go", "golang-github-aws-aws-sdk-go-v2-dev")],
        a_shell=True,
        double_quotes=False,
    ),
    Consumer(
        "rclone (Go v1, Debian)",
        _rclone,
        goes_on=False,
        a_shell=True,
        double_quotes=False,
        env=PROFILE,
    ),
]
