"""The demo checks every step, and leaves nothing behind, however it ends."""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import sysconfig
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.venvs import ROOT

if TYPE_CHECKING:
    from tests.harness import Process, Processes

#: .ci/run runs the demo by itself, too.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DEMO = ROOT / "tests" / "demo.py"


def start(processes: Processes, folder: Path, venv: Path = Path(sys.prefix)) -> Process:
    """Start the demo with the programs of an environment; ``folder`` is its TMPDIR."""
    env = {"PATH": "/usr/bin:/bin", "TMPDIR": str(folder), "LANG": "C.UTF-8"}
    return processes.start([sys.executable, DEMO, "--venv", venv], env)


def left(folder: Path) -> list[str]:
    """Return the command lines of the processes whose environment contains the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.fsencode(folder) in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
        except OSError:  # it has ended, or is another user's
            continue
    return found


def read_until(process: Process, words: bytes) -> None:
    """Read what the demo says, up to these words."""
    said = b""
    assert process.popen.stdout
    descriptor = process.popen.stdout.fileno()
    deadline = time.monotonic() + 30
    while words not in said:
        ready, _, _ = select.select([descriptor], [], [], max(0, deadline - time.monotonic()))
        assert ready, said
        more = os.read(descriptor, 65536)
        assert more, said
        said += more


@pytest.mark.slow
def test_demo_goes_through_every_step_and_leaves_nothing(
    processes: Processes, tmp_path: Path
) -> None:
    result = start(processes, tmp_path).wait(timeout=240)

    said = result.stdout.decode()
    assert (result.status, result.stderr) == (0, ""), result
    assert "assumed-role/app/i-0a1b2c3d4e5f60718\n" in said
    assert "444455556666:assumed-role/deploy/credproc-" in said
    assert "assumed-role/reports/credproc-" in said
    assert "$ credprocctl role name\n  app\n" in said
    crowd = said.partition("20 programs at once")[2]
    assert re.search(r"\n  with credproc .* AssumeRole calls:  1\n", crowd)
    assert re.search(r"\n  without credproc .* AssumeRole calls: 20\n", crowd)
    assert "Every step had the right result" in said
    assert "\033" not in said
    assert [line for line in said.splitlines() if len(line) > 80] == []
    assert list(tmp_path.iterdir()) == []
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_demo_that_is_ended_leaves_nothing(
    number: int, status: int, processes: Processes, tmp_path: Path
) -> None:
    demo = start(processes, tmp_path)
    read_until(demo, b"$ aws ")

    demo.signal(number)
    result = demo.wait()

    assert result.status == status
    assert result.stderr == "\ndemo: interrupted; everything has been removed\n"
    assert list(tmp_path.iterdir()) == []
    assert left(tmp_path) == []


def test_demo_reports_the_step_with_a_wrong_result(processes: Processes, tmp_path: Path) -> None:
    programs, folder = tmp_path / "venv" / "bin", tmp_path / "tmp"
    programs.mkdir(parents=True)
    folder.mkdir()
    real = Path(sysconfig.get_path("scripts"))
    wanted = {"python": f'exec {sys.executable} "$@"', "aws": f'exec {real / "aws"} "$@"'}
    wanted["credproc"] = "echo credproc: out of order >&2; exit 1"
    for name, script in wanted.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)

    result = start(processes, folder, tmp_path / "venv").wait()

    assert result.status == 1
    assert result.stderr.startswith("\ndemo: FAILED: status 255:")
    assert "credproc: out of order" in result.stderr
    assert list(folder.iterdir()) == []
    assert left(folder) == []


def test_shell_of_the_demo_is_on_the_instance_and_leaves_nothing(
    processes: Processes, tmp_path: Path
) -> None:
    env = {"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path), "LANG": "C.UTF-8"}
    command = [sys.executable, str(DEMO), "--venv", sys.prefix, "--shell"]

    typed = b"aws sts get-caller-identity --profile app --query Arn --output text\nexit 3\n"
    result = processes.start(command, env, stdin=typed).wait(timeout=55)

    assert (result.status, result.stderr) == (3, ""), result
    said = result.stdout.decode()
    assert "assumed-role/app/i-0a1b2c3d4e5f60718\n" in said
    assert said.endswith("Everything has been removed.\n")
    assert list(tmp_path.iterdir()) == []
    assert left(tmp_path) == []
