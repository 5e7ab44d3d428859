"""Inside the first window the document is printed at once, and one detached process refreshes."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import cachedir, standin
from tests.cloud import CHAIN, HERD, KEYS, ONE, one_document, until
from tests.harness import CREDPROC, herd
from tests.servers.sts_errors import error

if TYPE_CHECKING:
    from tests.cloud import Cloud

#: Runs inside one window, in batches of a herd.
RUNS = 200


class Stat:
    """What the kernel says of a process."""

    def __init__(self, pid: int) -> None:
        folder = Path("/proc") / str(pid)
        fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
        self.parent, self.group, self.session, self.terminal = map(int, fields[1:5])
        self.niceness = int(fields[16])
        self.descriptors = {}
        for link in (folder / "fd").iterdir():
            self.descriptors[int(link.name)] = os.readlink(link)


@pytest.fixture(params=["fork", "spawn"])
def due(cloud: Cloud, request: pytest.FixtureRequest) -> bytes:
    """A document that is to be refreshed ahead; so are the hops that led to it.

    By the child of a fork, and by a new interpreter, as on macOS.
    """
    if request.param == "spawn":
        standin.darwin(cloud.host)
        cloud.host.environ["XDG_CACHE_HOME"] = str(cloud.host.home / ".cache")
    document = cloud.host.run(*CHAIN).stdout
    assert document
    cloud.leave("ahead")
    return document


def test_caller_gets_the_whole_output_during_the_refresh(cloud: Cloud, due: bytes) -> None:
    with cloud.sts.hold() as hold:
        result = cloud.host.run(*CHAIN)  # returns when both of its pipes are closed
        hold.wait_for()
        assert len(cloud.host.strays()) == 1
    assert (result.status, result.stdout, result.stderr) == (0, due, "")
    cloud.host.settle()
    assert cloud.roles == (2, 2)

    after = cloud.host.run(*CHAIN)
    assert after.stdout != due
    assert after.document["AccessKeyId"] == cloud.sts.issued[-1].access_key
    assert cloud.roles == (2, 2)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "due", ["fork", pytest.param("spawn", marks=pytest.mark.slow)], indirect=True
)
def test_two_hundred_runs_start_one_refresh(cloud: Cloud, due: bytes) -> None:
    results = []
    with cloud.sts.hold(ONE) as hold:
        for _ in range(0, RUNS, HERD):
            results += herd(cloud.host, HERD, *CHAIN, timeout=60)
            assert len(cloud.host.strays()) == 1
        hold.wait_for()
    cloud.host.settle()

    assert len(results) >= RUNS
    assert one_document(results) == due
    assert cloud.roles == (2, 2)


def test_process_in_the_background_is_detached(cloud: Cloud, due: bytes) -> None:
    mark = cloud.host.folder / "mark"
    script = 'exec 9>"$0"; exec nice -n 3 "$@"'
    with cloud.sts.hold() as hold:
        caller = cloud.host.start("-c", script, str(mark), str(CREDPROC), *CHAIN, command="sh")
        assert caller.wait().stdout == due
        hold.wait_for()
        (pid,) = cloud.host.strays()
        stat = Stat(pid)

    assert stat.session == stat.group == pid
    assert stat.terminal == 0
    assert stat.parent != caller.pid
    assert [stat.descriptors[number] for number in range(3)] == ["/dev/null"] * 3
    assert str(mark) not in stat.descriptors.values()
    assert not any("pipe:" in target for target in stat.descriptors.values())
    assert stat.niceness == os.getpriority(os.PRIO_PROCESS, 0) + 3


def test_background_process_has_its_own_deadline(cloud: Cloud, due: bytes) -> None:
    cloud.host.run(*CHAIN, "--timeout", "2")
    cloud.leave("ahead")
    with cloud.sts.hold() as hold:
        assert cloud.host.run(*CHAIN, "--timeout", "2").stdout == due
        hold.wait_for()
        cloud.host.settle(20)  # although its request has no response
        assert hold.arrived >= 1
    assert cloud.host.run(*CHAIN).stdout == due


@pytest.mark.parametrize("how", ["ulimit -n 1048576", "ulimit -n 64"])
def test_number_of_descriptors_does_not_matter(cloud: Cloud, due: bytes, how: str) -> None:
    script = f'{how} 2>/dev/null; exec "$@"'
    result = cloud.host.run("-c", script, "sh", str(CREDPROC), *CHAIN, command="sh")
    assert result.stdout == due
    cloud.host.settle()
    assert cloud.roles == (2, 2)


@pytest.mark.parametrize(
    "words", [["--format", "env"], ["--field", "AccessKeyId"], ["--timeout", "9.5"]]
)
def test_every_form_of_the_command_refreshes_ahead(
    cloud: Cloud, due: bytes, words: list[str]
) -> None:
    cloud.host.run(*CHAIN, *words)
    cloud.leave("ahead")
    with cloud.sts.hold() as hold:
        result = cloud.host.run(*CHAIN, *words)
        hold.wait_for()
    assert (result.status, result.stderr) == (0, "")
    cloud.host.settle()
    assert cloud.roles == (2, 2)


def test_refresh_in_the_background_is_logged(cloud: Cloud, due: bytes) -> None:
    cloud.host.environ["CREDPROC_LOG"] = str(cloud.log_path)
    assert cloud.host.run(*CHAIN).stdout == due
    cloud.host.settle()
    assert "role 2 of 2" in cloud.log()
    assert not any(secret in cloud.log() for secret in cloud.sts.secrets)


@pytest.mark.parametrize("state", ["fresh", "now", "expired"])
def test_nothing_is_started_outside_the_window(cloud: Cloud, state: str) -> None:
    assert cloud.host.document(*CHAIN)
    cloud.leave(state)
    assert cloud.host.document(*CHAIN)
    assert cloud.host.strays() == []


def test_refresh_that_is_killed_is_repeated_at_the_next_look(cloud: Cloud, due: bytes) -> None:
    with cloud.sts.hold() as hold:
        assert cloud.host.run(*CHAIN).stdout == due
        hold.wait_for()
        (pid,) = cloud.host.strays()
        os.kill(pid, signal.SIGKILL)
        until(lambda: not cloud.host.strays())
        assert cloud.host.run(*CHAIN).stdout == due  # no run tries before the next look
        assert cloud.host.strays() == []
        assert hold.arrived == 1

        cloud.next_look()
        assert cloud.host.run(*CHAIN).stdout == due
        hold.wait_for(2)
    cloud.host.settle()
    assert cloud.roles == (3, 2)
    assert cloud.host.run(*CHAIN).stdout != due


def test_refresh_that_fails_is_tried_again_at_the_next_look(cloud: Cloud, due: bytes) -> None:
    cloud.sts.fail(error("AccessDenied"))
    for calls in (2, 2, 3):
        if calls == 3:
            cloud.leave("ahead")
            cloud.next_look()
        assert cloud.host.run(*CHAIN).stdout == due
        cloud.host.settle()
        assert cloud.roles[0] == calls
    failures = [entry.failure for entry in cachedir.entries(cloud.host.cache) if entry.failure]
    assert failures
    assert all("AccessDenied" in failure for failure in failures)


def test_instance_role_is_refreshed_ahead(cloud: Cloud) -> None:
    before = cloud.host.run()
    cloud.leave_seconds(1500)
    cloud.imds.turn()
    with cloud.imds.hold("token") as hold:
        assert cloud.host.run().stdout == before.stdout
        hold.wait_for()
    cloud.host.settle()

    assert cloud.host.document()["AccessKeyId"] == cloud.imds.current["AccessKeyId"]
    assert cloud.imds.count("creds") == 2


def test_other_profile_is_refreshed_ahead(cloud: Cloud) -> None:
    cloud.host.config(
        f"[profile base]\naws_access_key_id = {KEYS['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key = {KEYS['AWS_SECRET_ACCESS_KEY']}\n"
        f"[profile one]\nrole_arn = {ONE}\nsource_profile = base\n"
    )
    before = cloud.host.run("--profile", "one")
    cloud.leave("ahead")
    assert cloud.host.run("--profile", "one").stdout == before.stdout
    cloud.host.settle()
    assert cloud.host.run("--profile", "one").stdout != before.stdout
    assert cloud.roles[0] == 2
