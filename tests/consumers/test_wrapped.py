"""Wrapped profiles: the AWS CLI and the SDKs for JavaScript and Go keep their identity."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import venvs
from tests.consumers.getting import go, node
from tests.ctl import ctl
from tests.shapes import SHAPES, Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.consumers.install import Installer
    from tests.harness import Host
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer

    Ask = Callable[[str], str]

pytestmark = [pytest.mark.consumer, pytest.mark.slow, pytest.mark.timeout(600)]

HELPERS = ("a helper", "a helper with settings of its own")
#: Not compared here: what prompts for a code, what takes the keys that are taken away below, and
#: a file without a profile to wrap.
APART = {
    "a role with MFA",
    "twelve roles with one device",
    "the environment as the source",
    "nothing to wrap",
}
COMPARED = sorted({*SHAPES} - APART)


@pytest.fixture
def machine(host: Host, imds: ImdsServer, sts: StsServer) -> Iterator[Machine]:
    with Machine(host, imds, sts) as made:
        host.environ |= {"AWS_SDK_LOAD_CONFIG": "1", "STS": sts.url, "AWS_ENDPOINT_URL": None}
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            host.environ[name] = None
        yield made


def stays(machine: Machine, shape: str, *command: str) -> None:
    """Ask STS as each profile of the shape, before and after all are wrapped."""
    machine.write(SHAPES[shape])
    names = SHAPES[shape].wrapped
    before = [who(machine, name, *command) for name in names]

    ctl(machine.host, "profile", "wrap", "--all")
    fetched = len(machine.sts.issued)
    after = [who(machine, name, *command) for name in names]
    again = [who(machine, name, *command) for name in names]

    assert after == again == before
    assert all(before)
    assert len(machine.sts.issued) <= fetched + len(names)  # and the second time nothing


def who(machine: Machine, profile: str, *command: str) -> str:
    """Return whose key signs a call of GetCallerIdentity by the command."""
    words = [word.replace("PROFILE", profile) for word in command]
    result = machine.host.run(
        *words[1:], command=words[0], stdin=b"1\n", timeout=120, PROFILE=profile
    )
    assert result.status == 0, result
    key = machine.sts.calls[-1].access_key
    assert machine.sts.calls[-1].action == "GetCallerIdentity"
    arns = {each.access_key: each.arn.rsplit("/", 1)[0] for each in machine.sts.issued}
    return arns.get(key, key)


#: Its [plugins] names a module that the AWS CLI cannot load, wrapped or not.
BROKEN = "services and other settings"


@pytest.mark.parametrize("shape", [shape for shape in COMPARED if shape != BROKEN])
def test_aws_cli_keeps_its_identity(machine: Machine, shape: str) -> None:
    aws = venvs.Venv(Path(sys.prefix)).scripts / "aws"

    stays(machine, shape, str(aws), "sts", "get-caller-identity", "--profile", "PROFILE")


#: It does not find these profiles, wrapped or not: it takes the quotes around a name for a part of
#: it, and reads keys, headers and names more narrowly than botocore.
UNREAD = (
    "a name with a blank",
    "a name that is no ASCII",
    "colons, capitals and no blanks",
    "wide and odd headers",
)


@pytest.mark.needs("network")
@pytest.mark.parametrize("shape", [shape for shape in COMPARED if shape not in UNREAD])
def test_sdk_for_javascript_keeps_its_identity(
    machine: Machine, installer: Installer, shape: str
) -> None:
    packages = ("@aws-sdk/client-sts", "@aws-sdk/credential-providers")
    installed = node("js3.mjs", *packages)(installer)

    stays(machine, shape, *installed.command, "fromIni")


@pytest.mark.needs("network")
@pytest.mark.parametrize("shape", HELPERS)
def test_sdk_for_go_keeps_its_identity(machine: Machine, installer: Installer, shape: str) -> None:
    """With helpers alone: Debian's release calls no other STS than AWS's own for a role."""
    installed = go("go2.go", "golang-github-aws-aws-sdk-go-v2-dev")(installer)

    stays(machine, shape, *installed.command)
