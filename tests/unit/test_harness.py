"""The harness inherits nothing, leaves nothing open and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests import programs
from tests.harness import NOWHERE, SCRIPTS, Result, herd

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Host


def test_environment_is_built_from_nothing(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "the-developers-own")
    host.environ["LANG"] = None
    result = host.run("-i", *[f"{k}={v}" for k, v in host.env(X="1").items()], "env", command="env")

    assert {line.split("=")[0] for line in result.stdout.decode().split()} == {
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        "AWS_ENDPOINT_URL",
        "HOME",
        "PATH",
        "X",
        *(name for name in os.environ if name.startswith("COVERAGE_")),
    }
    assert host.env()["AWS_ENDPOINT_URL"] == NOWHERE
    assert host.env()["PATH"] == f"{SCRIPTS}:{programs.folder()}"


def test_run_returns_what_a_process_left(host: Host) -> None:
    script = 'cat; printf "\\303\\251" >&2; pwd; exit 7'
    result = host.run("-c", script, command="/bin/sh", stdin=b"in\n")

    assert (result.status, result.stderr) == (7, "\N{LATIN SMALL LETTER E WITH ACUTE}")
    assert result.stdout == f"in\n{host.home}\n".encode()
    assert 0 < result.seconds < 30


def test_process_that_does_not_end_fails_the_test(host: Host) -> None:
    with pytest.raises(AssertionError, match=r"ran for 0\.2 s"):
        host.run("60", command="sleep", timeout=0.2)

    host.settle()


def test_process_has_no_terminal(host: Host) -> None:
    assert host.run("-c", ": </dev/tty", command="/bin/sh").status != 0


def test_configuration_is_private_to_the_host(host: Host) -> None:
    path = host.config("[profile app]\n")

    assert path == host.home / ".aws" / "config"
    assert path.read_text() == "[profile app]\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert host.credentials("[app]\n").name == "credentials"


#: Leaves something running that has left the session.
DETACHED = """\
from subprocess import DEVNULL, Popen
Popen(["sleep", "60"], stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True)
"""


def test_background_process_is_found_and_ended(host: Host) -> None:
    host.run("-c", DETACHED, command=sys.executable)

    assert len(host.strays()) == 1
    with pytest.raises(AssertionError, match="still running"):
        host.settle(timeout=0.1)
    host.end()
    host.settle()


def test_process_that_ignores_sigterm_is_killed(host: Host) -> None:
    process = host.start("-c", "trap '' TERM; echo; sleep 60", command="/bin/sh")
    assert process.popen.stdout is not None
    process.popen.stdout.readline()
    process.end(grace=0.2)

    assert process.popen.returncode == -signal.SIGKILL
    host.settle()


def test_processes_are_released_together(host: Host, tmp_path: Path) -> None:
    command = tmp_path / "moment"
    command.write_text(f"#!{sys.executable}\nimport time\nprint(time.time())\n")
    command.chmod(0o755)

    begun = time.time()
    results = herd(host, 20, command=command)

    assert [result.status for result in results] == [0] * 20
    assert min(float(result.stdout) for result in results) > begun
    assert not host.strays()


@pytest.mark.parametrize(
    "broken",
    [
        {"status": 1},
        {"stderr": "a warning\n"},
        {"stdout": b'{"Version": 1}'},
        {"stdout": b'{"Version": 1}\n\n'},
        {"stdout": b'{"Version": 2}\n'},
        {"stdout": '{"Version": 1, "é": 1}\n'.encode()},
    ],
    ids=str,
)
def test_document_is_strict(broken: dict[str, object]) -> None:
    good = {"status": 0, "stdout": b'{"Version": 1}\n', "stderr": "", "seconds": 0.1}

    assert json.dumps(Result(**good).document) == '{"Version": 1}'  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        _ = Result(**{**good, **broken}).document  # type: ignore[arg-type]
