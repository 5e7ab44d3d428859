"""Work that is stuck in something that cannot be interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, NoReturn

import pytest

from credproc import children, supervision
from credproc.deadline import Deadline
from credproc.errors import DeadlineExceeded, ProviderFailed
from credproc.log import Log
from credproc.supervision import supervised

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds in which a machine that may be busy does a trifle.
SOON = 5.0


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """Something to wait for that comes only when the test is over."""
    event = threading.Event()
    yield event
    event.set()


def log() -> Log:
    """Return a log that is not read."""
    return Log("", time.time)


def test_result_of_work_is_returned() -> None:
    assert supervised(lambda: "done", Deadline(10), log()) == "done"


def test_error_of_work_is_raised() -> None:
    def fail() -> NoReturn:
        raise ProviderFailed("it broke")

    with pytest.raises(ProviderFailed, match="it broke"):
        supervised(fail, Deadline(10), log())


def test_work_is_done_apart_from_the_main_thread() -> None:
    assert supervised(threading.current_thread, Deadline(10), log()) is not threading.main_thread()


def test_stuck_work_is_left_at_the_deadline(never: threading.Event) -> None:
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded, match=r"^timed out after 0\.3 s$"):
        supervised(never.wait, Deadline(0.3), log())

    assert 0.3 <= time.monotonic() - started < SOON


def test_work_that_hangs_is_described_by_its_last_step(never: threading.Event) -> None:
    run_log = log()

    def work() -> None:
        run_log("resolving sts.amazonaws.com")
        never.wait()

    with pytest.raises(DeadlineExceeded) as caught:
        supervised(work, Deadline(0.3), run_log)
    assert "(last step: resolving sts.amazonaws.com)" in str(caught.value)


def test_work_has_a_moment_to_say_so_in_its_own_words() -> None:
    deadline = Deadline(0.3)

    def work() -> NoReturn:
        time.sleep(0.3 + supervision.GRACE / 4)
        raise DeadlineExceeded("STS was silent")

    with pytest.raises(DeadlineExceeded, match="STS was silent"):
        supervised(work, deadline, log())


def test_deadline_that_is_over_ends_work_at_once(never: threading.Event) -> None:
    deadline = Deadline(-5)
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        supervised(never.wait, deadline, log())

    assert time.monotonic() - started < SOON


def test_work_is_done_without_a_thread_where_none_can_be_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)

    assert supervised(threading.current_thread, Deadline(10), log()) is threading.main_thread()


STUCK = """
import sys, threading, time
sys.path[:0] = {path!r}
from credproc import supervision
from credproc.log import Log
from credproc.deadline import Deadline
supervision.on_signals()
def work():
    print("stuck", flush=True)
    {stuck}
with supervision.calling(lambda name: print(name, flush=True), lambda: None):
    supervision.supervised(work, Deadline(60), Log("", time.time))
"""


@pytest.mark.parametrize(
    "stuck",
    [
        "threading.Event().wait()",
        "time.sleep(60)",
        "import socket; a, b = socket.socketpair(); a.recv(1)",
        "import os; os.read(os.pipe()[0], 1)",
        "while True: time.sleep(0)",
    ],
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_work_that_cannot_be_interrupted(stuck: str, number: signal.Signals) -> None:
    code = STUCK.format(path=sys.path, stuck=stuck)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"stuck\n"
        process.send_signal(number)

        assert process.stdout.read() == f"{number.name}\n".encode()
        assert process.wait(SOON) == 128 + number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_that_another_thread_gets_ends_work_as_well(number: signal.Signals) -> None:
    itself = f"signal.pthread_kill(threading.get_ident(), {int(number)})"
    code = STUCK.format(path=sys.path, stuck=f"import signal; {itself}; time.sleep(60)")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.wait(SOON) == 128 + number


def test_cleanup_that_does_not_end_is_cut_short() -> None:
    code = STUCK.format(path=sys.path, stuck="time.sleep(60)").replace(
        "lambda name: print(name, flush=True)", "lambda name: time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"stuck\n"
        started = time.monotonic()
        for _ in range(5):
            process.send_signal(signal.SIGTERM)

        assert process.wait(supervision.CLEANUP + SOON) == 143
        assert time.monotonic() - started < supervision.CLEANUP + SOON


def test_cleanup_that_fails_changes_nothing() -> None:
    code = STUCK.format(path=sys.path, stuck="time.sleep(60)").replace(
        "lambda name: print(name, flush=True)", "lambda name: 1 / 0"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == b"stuck\n"
        process.send_signal(signal.SIGTERM)

        assert process.wait(SOON) == 143
        assert process.stderr.read() == b""


# Helpers.


def alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] != b"Z"
    except FileNotFoundError:
        return False


def helper(script: str) -> tuple[subprocess.Popen[bytes], list[int]]:
    """Start a shell script that prints the ids of what it has started."""
    process = subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE)
    assert process.stdout
    return process, [int(word) for word in process.stdout.readline().split()]


@pytest.mark.parametrize("trap", ["", "trap '' TERM; "])
def test_helpers_end_with_all_that_they_started(trap: str) -> None:
    inner = "sleep 60 & echo $! ; wait"
    process, pids = helper(f"{trap}sleep 60 & echo $! $$; (sleep 60; {inner}) & wait")
    with process:
        children.end([process])

        assert process.wait(SOON) < 0
        limit = time.monotonic() + SOON
        while any(map(alive, pids)):
            assert time.monotonic() < limit
            time.sleep(0.01)


def test_helper_may_tidy_up(tmp_path: object) -> None:
    process, _ = helper(f"trap 'echo tidy >{tmp_path}/file; exit 0' TERM; echo $$; sleep 60 & wait")
    with process:
        children.end([process])

        assert process.wait(SOON) == 0
    with open(f"{tmp_path}/file", encoding="ascii") as file:
        assert file.read() == "tidy\n"


def test_helper_that_has_ended_is_left_alone() -> None:
    with subprocess.Popen(["sh", "-c", ":"]) as process:
        process.wait()
        children.end([process])

        assert process.returncode == 0


def test_helper_ends_without_a_process_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> NoReturn:
        raise FileNotFoundError

    process, _ = helper("trap '' TERM; echo $$; while :; do sleep 1; done")
    monkeypatch.setattr(os, "listdir", refuse)
    with process:
        children.end([process])

        assert process.wait(SOON) == -signal.SIGKILL


def test_run_ends_its_helpers_and_not_what_its_process_had_started_before() -> None:
    before, _ = helper("echo $$; exec sleep 60")
    ours = children.Children()
    child = ours.start(["sleep", "60"])
    with before, child:
        ours.end()

        assert child.wait(SOON) == -signal.SIGTERM
        assert before.poll() is None
        with pytest.raises(InterruptedError):
            ours.start(["sleep", "60"])
        before.kill()


def test_process_that_has_ended_needs_no_signal() -> None:
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()

    children._signal([ended.pid], 0)
