"""SIGTERM, SIGINT and SIGHUP end a run at once, wherever it is, and leave nothing harmful."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests import cachedir
from tests.functional.stuck import STUCK, A, Place, Stuck, until
from tests.harness import CREDPROC

if TYPE_CHECKING:
    from tests.harness import Process

#: Seconds from the signal to the end, on a machine that may be busy.
AT_ONCE = 3.0
STATUSES = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGHUP: 129}

#: Those of which a test can tell that they are stuck, and that do not get on by themselves.
PLACES = [name for name in STUCK if name not in ("sts connection", "sts throttled")]


def start(place: Place, stuck: Stuck, *argv: str, **env: Any) -> Process:
    """Start the run that gets stuck, and wait until it is."""
    process = place.host.start(*stuck.argv, *argv, **{**stuck.env, **env})
    stuck.wait()
    return process


def ended(process: Process, number: int) -> tuple[int, bytes, str]:
    """Send a signal; return status and output of the process, which must end at once."""
    sent = time.monotonic()
    process.signal(number)
    result = process.wait(AT_ONCE)
    assert time.monotonic() - sent < AT_ONCE
    return result.status, result.stdout, result.stderr


@pytest.mark.parametrize(
    ("name", "number"),
    [
        *((name, signal.SIGTERM) for name in PLACES),
        *((name, signal.SIGINT) for name in ("imds token", "sts", "lock", "helper", "mfa command")),
        *((name, signal.SIGHUP) for name in ("sts", "helper", "mfa command")),
    ],
)
def test_signal_ends_a_stuck_run_and_the_next_one_succeeds(
    place: Place, name: str, number: signal.Signals
) -> None:
    stuck = STUCK[name](place)
    process = start(place, stuck)

    assert ended(process, number) == (STATUSES[number], b"", "")
    stuck.heal()
    place.host.settle(AT_ONCE)
    result = place.host.run(*stuck.argv, "--timeout", "20", **stuck.env)
    assert result.document["Version"] == 1
    assert result.seconds < 20  # the lock was free


@pytest.mark.parametrize("name", ["helper", "stubborn helper", "mfa command"])
def test_helpers_of_helpers_end_with_the_run(place: Place, name: str) -> None:
    stuck = STUCK[name](place)
    process = place.host.start(*stuck.argv, **stuck.env)
    pids = [int(word) for word in str(stuck.wait(), "ascii").split()]
    assert len(pids) == 2
    until(lambda: set(place.host.strays()) == {process.pid, *pids})  # one may be in exec

    assert ended(process, signal.SIGTERM)[0] == 143
    until(lambda: not place.host.strays())


def test_signal_that_comes_again_changes_nothing(place: Place) -> None:
    process = start(place, STUCK["stubborn helper"](place))
    process.signal(signal.SIGINT)
    with contextlib.suppress(ProcessLookupError):
        for _ in range(20):
            process.signal(signal.SIGINT)
    result = process.wait(AT_ONCE)

    assert (result.status, result.stdout, result.stderr) == (130, b"", "")


@pytest.mark.parametrize("number", STATUSES, ids=lambda number: number.name)
def test_log_names_the_signal_that_ended_the_run(place: Place, number: signal.Signals) -> None:
    log = place.host.folder / "log"
    process = start(place, STUCK["sts"](place), CREDPROC_LOG=str(log))
    ended(process, number)

    assert log.read_text("utf-8").endswith(f"credproc[{process.pid}]: ended by {number.name}\n")


@pytest.mark.parametrize("number", STATUSES, ids=lambda number: number.name)
def test_ignored_signal_stays_ignored(place: Place, number: signal.Signals) -> None:
    hold = place.imds.hold("token")
    script = f'trap "" {number.name.removeprefix("SIG")}; exec "$@"'
    process = place.host.start("-c", script, "sh", str(CREDPROC), command="/bin/sh")
    hold.wait_for()
    process.signal(number)
    hold.release()

    assert process.wait().document["AccessKeyId"].startswith("ASIA")


def test_run_in_the_background_is_ended_like_any_other(place: Place) -> None:
    argv = ["--role-arn", A, "--source", "imds"]
    place.host.document(*argv)
    stuck = STUCK["sts"](place)
    place.sts.forget()
    cachedir.leave(place.host.cache, 1500)
    place.host.document(*argv)
    stuck.wait()
    (pid,) = place.host.strays()
    os.kill(pid, signal.SIGTERM)

    until(lambda: not place.host.strays())


#: Sends its own process a signal when a module is about to be imported, and runs credproc.
SPY = """\
import os, sys
class Spy:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Spy())
sys.argv[:] = ["credproc", "--imds", "--timeout", "20"]
from credproc.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("number", STATUSES, ids=lambda number: number.name)
@pytest.mark.parametrize(
    "module", ["request", "supervision", "errors", "cli", "options", "refresh", "providers.imds"]
)
def test_signal_while_modules_are_loaded_is_quiet(
    place: Place, module: str, number: signal.Signals
) -> None:
    code = SPY.format(module=f"credproc.{module}", number=int(number))
    result = place.host.run("-c", code, command=sys.executable)

    assert result.status in (STATUSES[number], -number)
    assert (result.stdout, result.stderr) == (b"", "")


def test_signal_to_a_hit_leaves_all_or_nothing(place: Place) -> None:
    document = place.host.run().stdout
    outcomes = set()
    for step in range(30):
        process = subprocess.Popen(
            [CREDPROC], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=place.host.env(), cwd=place.host.home,
        )  # fmt: skip
        time.sleep(step * 0.001)
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=20)
        outcomes.add(process.returncode)
        assert stdout in (b"", document)
        assert stderr == b""
        assert stdout == document or process.returncode in (143, -signal.SIGTERM)

    assert outcomes <= {0, 143, -signal.SIGTERM}
