"""The exit status and the one line: 0 printed, 1 no credentials, 2 usage or configuration."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.servers import faults
from tests.servers.sts_errors import error

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import Host
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer

A = "arn:aws:iam::111122223333:role/a"
B = "arn:aws:iam::444455556666:role/b"
CHAIN = ["--role-arn", A, "--role-arn", B, "--source", "env"]
CONFIG = f"""\
[profile roleless]
region = eu-central-1
[profile loop]
role_arn = {A}
source_profile = loop2
[profile loop2]
role_arn = {B}
source_profile = loop
[profile half]
role_arn = {A}
[profile itself]
credential_process = credproc --profile itself
[profile broken]
credential_process = /bin/false
[profile noise]
credential_process = /bin/echo hello
"""


@pytest.fixture
def cloud(online: Host) -> Host:
    """A host with every service, and profiles of many kinds."""
    online.environ |= {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "0123456789abcdef" * 2,
    }
    online.config(CONFIG)
    return online


@pytest.mark.parametrize(
    "argv", [[], ["--imds", "app"], CHAIN, ["--format", "env"], ["--field", "Expiration"]]
)
def test_status_is_0_when_credentials_are_printed(cloud: Host, argv: list[str]) -> None:
    for _ in ("fetched", "from the cache"):
        result = cloud.run(*argv)

        assert (result.status, result.stderr) == (0, "")
        assert result.stdout.endswith(b"\n")


#: The arguments, the status, and text in the error line.
FAILED = [
    (["--imds", "other"], 1, ["imds: ", "app", "other"]),
    (["--role-arn", A, "--source", "container"], 1, ["chain: ", "CONTAINER_CREDENTIALS"]),
    (["--role-arn", A, "--source", "web-identity"], 1, ["chain: ", "AWS_WEB_IDENTITY_TOKEN_FILE"]),
    (["--profile", "broken"], 1, ["profile broken: ", "status 1"]),
    (["--profile", "noise"], 1, ["profile noise: ", "JSON"]),
    (["--imds", "other", "--role-arn", A, "--source", "imds:other"], 1, ["imds: ", "; chain: "]),
    (["--profile", "missing"], 2, ["profile", "missing"]),
    (
        ["--profile", "roleless"],
        2,
        ["profile roleless: it does not say where"],
    ),
    (["--profile", "loop"], 2, ["leads back to itself", "loop -> loop2 -> loop"]),
    (["--profile", "half"], 2, ["profile half: ", "source_profile", "credential_source"]),
    (["--profile", "itself"], 1, ["profile itself"]),
    (["--role-arn", A, "--source", "profile:missing"], 2, ["missing"]),
    (["--role-arn", A], 2, ["--source", "(see credproc --help)"]),
    (["--formt", "env"], 2, ["unknown option --formt", "(see credproc --help)"]),
]


@pytest.mark.parametrize(("argv", "status", "words"), FAILED)
def test_failure_is_a_status_and_one_line(
    cloud: Host, argv: list[str], status: int, words: list[str]
) -> None:
    result = cloud.run(*argv)

    assert (result.status, result.stdout) == (status, b""), result
    assert result.stderr.startswith("credproc: ")
    assert result.stderr.count("\n") == 1
    assert len(result.stderr) < 700
    for word in words:
        assert word in result.stderr, result


STS_FAULTS: dict[str, tuple[Callable[..., object], str]] = {
    "denied": (error("AccessDenied"), "role 2 of 2, " + B + ": AccessDenied: "),
    "expired": (error("ExpiredToken"), "role 2 of 2, " + B + ": ExpiredToken: "),
    "unwell": (faults.status(503), "role 2 of 2, " + B + ": "),
    "portal": (faults.html(), "role 2 of 2, " + B + ": "),
    "closed": (faults.close(), "role 2 of 2, " + B + ": "),
}


@pytest.mark.parametrize("name", STS_FAULTS)
def test_fault_of_a_service_is_status_1(cloud: Host, sts: StsServer, name: str) -> None:
    fault, words = STS_FAULTS[name]
    sts.break_(B, fault)  # type: ignore[arg-type]
    result = cloud.run(*CHAIN, "--timeout", "5")

    assert (result.status, result.stdout) == (1, b"")
    assert result.stderr.startswith(f"credproc: chain: {words}")
    assert result.stderr.count("\n") == 1


def test_without_imds_and_chain_it_fails_fast_with_all_reasons(host: Host) -> None:
    result = host.run()

    assert (result.status, result.stdout) == (1, b"")
    assert result.stderr.startswith("credproc: imds: nothing answers at http://127.0.0.1:1 ")
    assert result.stderr.count("\n") == 1
    assert result.seconds < 3


REMEDY = "; on other machines use --profile NAME, or --role-arn ARN with --source SOURCE\n"


def test_error_on_another_machine_suggests_options_unless_imds_was_named(host: Host) -> None:
    first, again = host.run(), host.run()
    named = [
        host.run("--imds"),
        host.run("--imds", "app"),
        host.run("--role-arn", A, "--source", "imds"),
    ]

    assert first.stderr.endswith(f"or its metadata service cannot be reached{REMEDY}")
    assert "(cached failure; " in again.stderr
    assert again.stderr.count(REMEDY) == 1
    assert not any(REMEDY in each.stderr for each in named)


def test_error_of_an_instance_without_a_role_suggests_no_other_options(
    cloud: Host, imds: ImdsServer
) -> None:
    imds.role = None

    result = cloud.run()

    assert result.stderr.startswith("credproc: imds: this instance has no role")
    assert "other machines" not in result.stderr


def test_every_provider_has_its_reason(host: Host) -> None:
    result = host.run("--imds", "--role-arn", A, "--source", "env", "--profile", "p")
    reasons = result.stderr.removeprefix("credproc: ").split("; ")

    assert result.status != 0
    assert [reason.partition(":")[0] for reason in reasons[:2]] == ["imds", "chain"]
    assert reasons[2].startswith("profile p is in neither ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "argv", [["--imds"], ["--imds", "other", "--refresh"], ["--oops"], ["--version"]]
)
def test_module_and_command_are_the_same(cloud: Host, argv: list[str]) -> None:
    command = cloud.run(*argv)
    for flags in (["-m"], ["-I", "-m"], ["-E", "-OO", "-m"]):
        module = cloud.run(*flags, "credproc", *argv, command=sys.executable)

        assert (module.status, module.stdout, module.stderr) == (
            command.status,
            command.stdout,
            command.stderr,
        )
