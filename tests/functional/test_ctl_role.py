"""credprocctl role name: the name of the instance's role, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.harness import SCRIPTS
from tests.servers import faults

if TYPE_CHECKING:
    from tests.harness import Host, Result
    from tests.servers.imds import ImdsServer

CREDPROCCTL = SCRIPTS / "credprocctl"


@pytest.fixture
def instance(host: Host, imds: ImdsServer) -> Host:
    """An EC2 instance."""
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    return host


def run(host: Host, *argv: str) -> Result:
    """Run credprocctl."""
    return host.run(*argv, command=CREDPROCCTL)


@pytest.mark.parametrize("role", ["app", "Some+Role=,.@-name_64"])
def test_name_is_printed_alone(instance: Host, imds: ImdsServer, role: str) -> None:
    imds.role = role
    result = run(instance, "role", "name")

    assert (result.status, result.stdout, result.stderr) == (0, f"{role}\n".encode(), "")


def test_name_needs_no_credentials_and_caches_nothing(instance: Host, imds: ImdsServer) -> None:
    run(instance, "role", "name")

    assert [request.labels for request in imds.requests] == [("token",), ("list",)]
    assert not instance.cache.exists()


def test_instance_without_a_role_is_one_line(instance: Host, imds: ImdsServer) -> None:
    imds.role = None
    result = run(instance, "role", "name")

    assert (result.status, result.stdout) == (1, b"")
    assert result.stderr.startswith("credprocctl: ")
    assert "role" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("step", ["token", "list"])
@pytest.mark.parametrize("name", ["hang", "status", "html", "close"])
def test_metadata_service_that_fails_is_one_line(
    instance: Host, imds: ImdsServer, step: str, name: str
) -> None:
    fault = {
        "hang": faults.hang(),
        "status": faults.status(503),
        "html": faults.html(),
        "close": faults.close(),
    }[name]
    imds.fail(step, fault)
    result = run(instance, "role", "name")

    assert (result.status, result.stdout) == (1, b"")
    assert result.stderr.startswith("credprocctl: ")
    assert result.stderr.count("\n") == 1
    assert result.seconds < 10


def test_machine_that_is_not_an_instance_is_one_line(host: Host) -> None:
    result = run(host, "role", "name")

    assert (result.status, result.stdout) == (1, b"")
    assert result.stderr.startswith("credprocctl: nothing answers at http://127.0.0.1:1 ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "argv", [[], ["role"], ["rle"], ["role", "nme"], ["role", "name", "extra"], ["--bogus"]]
)
def test_usage_error_is_one_line(host: Host, argv: list[str]) -> None:
    result = run(host, *argv)

    assert (result.status, result.stdout) == (2, b"")
    assert result.stderr.startswith("credprocctl: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("argv", [["--help"], ["role", "--help"], ["role", "name", "--help"]])
def test_help_is_useful_and_creates_nothing(host: Host, argv: list[str]) -> None:
    result = run(host, *argv)

    assert (result.status, result.stderr) == (0, "")
    assert result.stdout.startswith(b"usage: credprocctl ")
    assert b"name" in result.stdout or b"role" in result.stdout
    assert list(host.home.iterdir()) == []


def test_stdout_that_cannot_be_written_causes_no_traceback(instance: Host) -> None:
    script = '("$@") >&-; echo $?; "$@" >/dev/full; echo $?'
    result = instance.run("-c", script, "sh", str(CREDPROCCTL), "role", "name", command="/bin/sh")

    assert result.stdout == b"1\n1\n"
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) <= 2
