"""After `cache clear` has ended, no run prints what was cached before."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING

import pytest

from credproc.store import Store
from tests import cachedir
from tests.ctl import ctl, data, failed
from tests.harness import LIMIT
from tests.servers import faults

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness import Host
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer

ROLE = "arn:aws:iam::123456789012:role/app"
CHAIN = ("--role-arn", ROLE, "--source", "imds")


@pytest.fixture
def cloud(online: Host) -> Host:
    """A machine with an instance role, an STS and a region."""
    online.environ["AWS_REGION"] = "eu-central-1"
    return online


def clear(host: Host) -> None:
    """Clear the whole cache."""
    ctl(host, "cache", "clear", "--all")


@contextlib.contextmanager
def locked(host: Host, name: str) -> Iterator[None]:
    """Keep the lock of an entry, as another process would that refreshes it."""
    lock = os.open(host.cache / f"{name[:32]}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def wait_for_a_temporary_file(host: Host) -> None:
    """Wait until a run has begun to write an entry."""
    end = time.monotonic() + LIMIT
    while not cachedir.names(host.cache, ".tmp"):
        assert time.monotonic() < end, "no run began to write"
        time.sleep(0.01)


def wait_for_line(stream: object, text: bytes) -> None:
    """Read a process's stderr up to a line with the text."""
    for line in stream:  # type: ignore[attr-defined]
        if text in line:
            return
    raise AssertionError(f"it ended without {text!r}")


def answer_file(host: Host) -> str:
    """Return the file name of the one cached answer."""
    (found,) = [each for each in data(host, "cache", "list")["entries"] if each["kind"] == "answer"]
    return str(found["file"])


def test_a_first_run_that_started_before_the_clearing_caches_nothing(
    cloud: Host, imds: ImdsServer
) -> None:
    with imds.hold("creds") as hold:
        run = cloud.start("--imds")
        hold.wait_for()
        clear(cloud)
    old = run.wait().document["AccessKeyId"]
    left = cachedir.names(cloud.cache, ".entry")
    imds.turn()

    assert left == []
    assert cloud.document("--imds")["AccessKeyId"] != old


def test_a_role_made_from_a_cleared_session_is_not_cached(
    cloud: Host, imds: ImdsServer, sts: StsServer
) -> None:
    cloud.run("--imds")
    with sts.hold("AssumeRole") as hold:
        run = cloud.start(*CHAIN)
        hold.wait_for()
        clear(cloud)
    run.wait()

    assert cachedir.names(cloud.cache, ".entry") == []


def test_a_refresh_that_fails_does_not_bring_the_cleared_credentials_back(
    cloud: Host, imds: ImdsServer
) -> None:
    old = cloud.document("--imds")["AccessKeyId"]
    cachedir.change(cloud.cache, ahead=-9, now=-8)
    imds.fail("creds", faults.status(500), times=1000)
    with imds.hold("creds") as hold:
        runs = [cloud.start("--imds")]
        hold.wait_for()
        runs.append(cloud.start("--imds", "-v"))
        wait_for_line(runs[1].popen.stderr, b"waiting for another process")
        clear(cloud)
    results = [run.wait() for run in runs]

    assert [result.status for result in results] == [1, 1]
    assert all(old.encode() not in result.stdout for result in results)
    assert all(old.encode() not in entry.document for entry in cachedir.entries(cloud.cache))


def test_a_waiter_does_not_print_what_was_cleared_meanwhile(cloud: Host, imds: ImdsServer) -> None:
    old = cloud.document("--imds")["AccessKeyId"]
    cachedir.change(cloud.cache, ahead=-9, now=-8)
    imds.turn()
    with locked(cloud, answer_file(cloud)):
        run = cloud.start("--imds", "-v")
        # It logs this after it has read the cache, and found the lock taken.
        wait_for_line(run.popen.stderr, b"waiting for another process")
        clear(cloud)
    result = run.wait()

    assert result.status == 0
    assert old.encode() not in result.stdout
    assert cloud.document("--imds")["AccessKeyId"] != old


def test_an_answer_made_from_a_session_during_the_clearing_is_neither_cached_nor_printed(
    cloud: Host, imds: ImdsServer
) -> None:
    old = cloud.document("--imds")["AccessKeyId"]
    os.unlink(cloud.cache / answer_file(cloud))
    imds.turn()
    store = Store(str(cloud.cache))
    with store.clearing(1):
        run = cloud.start("--imds")
        wait_for_a_temporary_file(cloud)  # it has read the session, which is not cleared yet
        for name in cachedir.names(cloud.cache, ".entry"):
            store.remove(name)

    assert run.wait().document["AccessKeyId"] != old
    assert all(old.encode() not in entry.document for entry in cachedir.entries(cloud.cache))
    assert cloud.document("--imds")["AccessKeyId"] != old


def test_clearing_that_other_runs_could_not_learn_of_removes_nothing(cloud: Host) -> None:
    cloud.run("--imds")
    lock = cloud.cache / "cleared.lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()
    (lock / "file").touch()

    error = failed(cloud, "cache", "clear", "--all")

    assert error.endswith("/credproc could not be cleared: Is a directory")
    assert len(cachedir.names(cloud.cache, ".entry")) == 2
    assert cloud.run("--imds").document


def test_the_run_after_a_clearing_caches_again(cloud: Host, imds: ImdsServer) -> None:
    cloud.run("--imds")
    clear(cloud)
    first, second = cloud.document("--imds"), cloud.document("--imds")

    assert first == second
    assert len(cachedir.names(cloud.cache, ".entry")) == 2
