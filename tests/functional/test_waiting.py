"""Runs that wait for one that is stopped, killed or slow, and locks that do not answer."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests import cachedir
from tests.cloud import KEYS, ONE, TWO, Cloud
from tests.consumers.waiting import Waiting
from tests.harness import CREDPROC

THREE = "arn:aws:iam::444455556666:role/three"
#: Chains of one to three roles.
CHAINS = [
    [word for arn in (ONE, TWO, THREE)[:count] for word in ("--role-arn", arn)]
    + ["--source", "env"]
    for count in (1, 2, 3)
]
#: A flock as on NFS without a lock manager.
FLOCK = "#include <unistd.h>\nint flock(int file, int how) { for (;;) pause(); }\n"


def stop_or_kill(
    cloud: Cloud, how: signal.Signals, count: int, argv: list[str], *more: str
) -> None:
    """Let one run be stuck in its first call, with all its locks, and so many runs wait for it.

    One of them goes on in its place.
    """
    waiting = Waiting(cloud.host)
    with cloud.sts.hold(ONE) as hold:
        holder = cloud.host.start(*argv)
        hold.wait_for()
        if how == signal.SIGKILL:
            waiters = [cloud.host.start(*argv, *more) for _ in range(count)]
            waiting.come(count)
        os.kill(holder.pid, how)
        if how == signal.SIGSTOP:
            os.waitpid(holder.pid, os.WUNTRACED)
            waiters = [cloud.host.start(*argv, *more) for _ in range(count)]
        hold.wait_for(2)
    results = [process.wait() for process in waiters]
    os.kill(holder.pid, signal.SIGKILL)

    assert len({result.document["AccessKeyId"] for result in results}) == 1
    roles = [call.parameters["RoleArn"] for call in cloud.sts.calls]
    assert roles == [ONE, *[word for word in argv if word.startswith("arn:")]]


def test_one_of_ten_takes_over_from_a_stopped_run(cloud: Cloud) -> None:
    stop_or_kill(cloud, signal.SIGSTOP, 10, CHAINS[0])


def test_third_run_goes_on_if_two_are_stopped(cloud: Cloud) -> None:
    stopped = []
    with cloud.sts.hold(ONE) as hold:
        for count in (1, 2):
            stopped.append(cloud.host.start(*CHAINS[0]))
            hold.wait_for(count)
            os.kill(stopped[-1].pid, signal.SIGSTOP)
            os.waitpid(stopped[-1].pid, os.WUNTRACED)
        third = cloud.host.start(*CHAINS[0])
        hold.wait_for(3)
    assert third.wait().status == 0
    for each in stopped:
        os.kill(each.pid, signal.SIGKILL)
    assert len(cloud.sts.calls) == 3


def test_three_locks_of_a_stopped_run_are_waited_for_once(cloud: Cloud) -> None:
    stop_or_kill(cloud, signal.SIGSTOP, 2, CHAINS[2])


@pytest.mark.needs("namespaces")
def test_run_that_is_stopped_in_another_container_is_waited_for_once(cloud: Cloud) -> None:
    """Its state is not visible, so this takes two thirds of the time, but not for each lock."""
    container = ("--pid", "--fork", "--mount-proc", str(CREDPROC))
    with cloud.sts.hold(ONE) as hold:
        holder = cloud.host.start(*container, *CHAINS[2], command="unshare")
        hold.wait_for()
        children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text()
        os.kill(int(children), signal.SIGSTOP)
        waiter = cloud.host.start(*CHAINS[2], "--timeout", "15")
        hold.wait_for(2, timeout=20)
    assert waiter.wait().document
    os.kill(int(children), signal.SIGKILL)


def test_little_time_is_enough_to_take_over_from_a_stopped_run(cloud: Cloud) -> None:
    stop_or_kill(cloud, signal.SIGSTOP, 2, CHAINS[1], "--timeout", "15")


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
@pytest.mark.parametrize("roles", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("seconds", ["15", "30", "120"])
def test_stuck_runs_cost_one_more_call(
    cloud: Cloud, how: signal.Signals, roles: int, count: int, seconds: str
) -> None:
    stop_or_kill(cloud, how, count, CHAINS[roles - 1], "--timeout", seconds)


@pytest.mark.slow
def test_one_of_a_hundred_takes_over_from_a_stopped_run(cloud: Cloud) -> None:
    stop_or_kill(cloud, signal.SIGSTOP, 100, CHAINS[1], "--timeout", "100")


def helper_runs(cloud: Cloud, seconds: float, timeout: str) -> int:
    """Start six tools with a helper that takes so long; return how often it was run."""
    runs, helper = cloud.host.folder / "runs", cloud.host.folder / "helper"
    helper.write_text(
        f"#!/bin/sh\necho run >>{runs}\nsleep {seconds}\n"
        'echo \'{"Version": 1, "AccessKeyId": "ASIAIOSFODNN7EXAMPLE", "SecretAccessKey": '
        f'"{KEYS["AWS_SECRET_ACCESS_KEY"]}", "SessionToken": "token", '
        '"Expiration": "2038-01-19T03:14:07Z"}\'\n'
    )
    helper.chmod(0o700)
    cloud.host.config(f"[profile slow]\ncredential_process = {helper}\n")
    argv = ["--profile", "slow", "--timeout", timeout]
    tools = [cloud.host.start(*argv) for _ in range(6)]
    assert len({tool.wait(60).document["SessionToken"] for tool in tools}) == 1
    return runs.read_text().count("run")


def test_slow_helper_is_run_once_for_six_tools(cloud: Cloud) -> None:
    assert helper_runs(cloud, 2, "45") == 1


@pytest.mark.slow
def test_helper_that_takes_nearly_all_the_time_is_run_once(cloud: Cloud) -> None:
    assert helper_runs(cloud, 20, "25") == 1


@pytest.fixture
def unanswered(tmp_path: Path) -> str:
    """Return a library in which no flock returns."""
    source, library = tmp_path / "flock.c", tmp_path / "flock.so"
    source.write_text(FLOCK)
    subprocess.run([shutil.which("cc") or "cc", "-shared", "-fPIC", "-o", library, source],
                   check=True)  # fmt: skip
    return str(library)


@pytest.mark.needs("cc")
def test_lock_that_hangs_does_not_cost_the_credentials(cloud: Cloud, unanswered: str) -> None:
    log = cloud.host.folder / "log"
    result = cloud.host.run(*CHAINS[2], LD_PRELOAD=unanswered, CREDPROC_LOG=str(log))

    assert result.document["Version"] == 1
    assert len(cloud.sts.calls) == 3
    assert log.read_text().count("flock does not return") == 1
    again = cloud.host.run(*CHAINS[2], LD_PRELOAD=unanswered)
    assert again.document == result.document
    assert len(cloud.sts.calls) == 3


@pytest.mark.needs("cc")
def test_run_ends_after_its_document_although_a_lock_hangs(cloud: Cloud, unanswered: str) -> None:
    first = cloud.host.document(*CHAINS[0])
    cachedir.leave(cloud.host.cache, 1500)

    assert cloud.host.document(*CHAINS[0], LD_PRELOAD=unanswered) == first
    cloud.host.settle()
