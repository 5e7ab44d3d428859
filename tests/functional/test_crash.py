"""A run may be killed at any moment: the next one has its document, for at most one more call a
hop, and no entry is ever half written.

Set CREDPROC_TEST_FULL for a kill at every system call of a chain, too, and CREDPROC_TEST_KILLS for
another number of random kills.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests import cachedir
from tests.harness import CREDPROC
from tests.tracing import Tracer, changing, kill

if TYPE_CHECKING:
    from tests.harness import Host, Process
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer
    from tests.tracing import Step

FULL = bool(os.environ.get("CREDPROC_TEST_FULL"))
KILLS = int(os.environ.get("CREDPROC_TEST_KILLS", "60"))
#: Runs that are under way at the same time.
TOGETHER = 6

FIRST = "arn:aws:iam::123456789012:role/first"
SECOND = "arn:aws:iam::123456789012:role/second"
CHAIN = ("--role-arn", FIRST, "--role-arn", SECOND, "--source", "imds")

IN_BACKGROUND = (
    "import os, sys; from credproc.__main__ import hand_over; "
    "sys.exit(hand_over(sys.argv[1:], os.environ, in_background=True))"
)
SWEEP = (
    "import sys, time; from credproc import store, sweep; "
    "sys.exit(sweep.sweep(store.Store(sys.argv[1]), time.time(), print))"
)


def seen(steps: list[Step]) -> set[str]:
    """Return the names of the calls, to see that the important ones are among them."""
    return {step.name for step in steps}


def tracer_of(host: Host, *, follow: bool = True) -> Tracer:
    return Tracer(host, host.home / ".cache", follow=follow)


def assert_swept(host: Host, *args: str) -> None:
    """Let a day pass: a miss then removes the temporary files of killed runs."""
    cachedir.age(host.cache, 90_000, [*cachedir.names(host.cache, ".tmp"), "sweep.lock"])
    assert host.document(*args, "--refresh")
    host.settle()
    assert cachedir.names(host.cache, ".tmp") == []
    locks = {name.partition(".")[0] for name in cachedir.names(host.cache, ".lock")}
    kept = {name.partition(".")[0] for name in cachedir.names(host.cache, ".entry")}
    assert locks == kept | {"sweep", "cleared"}


@pytest.mark.slow
def test_miss_that_is_killed_at_any_call_costs_one_more_call(host: Host, imds: ImdsServer) -> None:
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    steps = []

    def nothing() -> None:
        cachedir.clear(host.home / ".cache")

    for step, killed in tracer_of(host).fail_at_each(nothing, kill, str(CREDPROC)):
        steps.append(step)
        assert killed.status == -signal.SIGKILL, step
        assert killed.stdout == b"" or json.loads(killed.stdout), step
        held = len(cachedir.entries(host.cache))
        before = imds.count("creds")

        document = host.document()

        assert document["AccessKeyId"] == imds.current["AccessKeyId"], step
        assert imds.count("creds") - before == (0 if held else 1), step
        assert len(cachedir.entries(host.cache)) == 2, step  # a session, an answer
    assert seen(steps) >= {"mkdir", "flock", "write", "fsync", "renameat"}
    assert len(steps) > 30
    print(f"{len(steps)} kills")


def test_miss_that_is_killed_repeatedly_succeeds_in_the_end(host: Host, imds: ImdsServer) -> None:
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    host.document()
    kills = tracer_of(host).fail_at_each(
        lambda: None, kill, str(CREDPROC), "--refresh", choose=changing
    )

    steps = []
    for step, killed in kills:
        steps.append(step)
        assert killed.status == -signal.SIGKILL, step
        cachedir.entries(host.cache)
        if len(steps) % 4 == 0:
            assert host.document()["AccessKeyId"] == imds.current["AccessKeyId"], step
    assert seen(steps) >= {"flock", "write", "fsync", "renameat"}
    print(f"{len(steps)} kills")
    assert cachedir.names(host.cache, ".tmp")
    assert_swept(host)


@pytest.mark.slow
def test_chain_that_is_killed_costs_at_most_one_more_call_a_hop(
    host: Host, imds: ImdsServer, sts: StsServer
) -> None:
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    host.environ["AWS_ENDPOINT_URL"] = sts.url

    def nothing() -> None:
        cachedir.clear(host.home / ".cache")

    def choose(steps: list[Step]) -> list[Step]:
        return steps if FULL else [each for each in steps if each.name == "renameat"]

    tries = 0
    for step, _ in tracer_of(host).fail_at_each(
        nothing, kill, str(CREDPROC), *CHAIN, choose=choose
    ):
        tries += 1
        # The source, its hops and the answer are kept in this order.
        held = len(cachedir.entries(host.cache))
        before = imds.count("creds"), len(sts.calls)

        assert host.document(*CHAIN)["SecretAccessKey"] == sts.issued[-1].secret_key, step

        calls = [call.parameters["RoleArn"] for call in sts.calls[before[1] :]]
        assert calls == ([FIRST, SECOND] if held < 2 else [SECOND] if held < 3 else []), step
        assert imds.count("creds") - before[0] == (0 if held else 1), step
        assert len(cachedir.entries(host.cache)) == 4, step
    assert tries >= 4
    print(f"{tries} kills")


def test_hit_that_starts_a_refresh_may_be_killed_at_any_call(host: Host, imds: ImdsServer) -> None:
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    host.document()
    first = imds.current["AccessKeyId"]

    def prepare() -> None:
        host.settle()
        cachedir.change(host.cache, ahead=-10, now=3000, look=-10, expiration=6000)

    steps = []
    for step, killed in tracer_of(host, follow=False).fail_at_each(
        prepare, kill, str(CREDPROC), choose=list if FULL else changing
    ):
        steps.append(step)
        assert killed.stdout == b"" or json.loads(killed.stdout), step
        before = imds.count("creds")

        assert host.document()["AccessKeyId"] == first, step

        host.settle()
        assert imds.count("creds") - before <= 1, step
        cachedir.entries(host.cache)
    assert seen(steps) >= {"flock", "write", "renameat"}
    print(f"{len(steps)} kills")


def test_refresh_in_the_background_may_be_killed_at_any_call(host: Host, imds: ImdsServer) -> None:
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    host.document()

    def prepare() -> None:
        host.settle()
        cachedir.change(host.cache, ahead=-10, now=3000, look=-10, expiration=6000)

    steps = []
    for step, _ in tracer_of(host).fail_at_each(
        prepare,
        kill,
        sys.executable,
        "-c",
        IN_BACKGROUND,
        choose=list if FULL else changing,
    ):
        steps.append(step)
        before = imds.count("creds")

        assert host.document()["AccessKeyId"] == imds.current["AccessKeyId"], step

        host.settle()
        assert imds.count("creds") - before <= 1, step
        cachedir.entries(host.cache)
    assert seen(steps) >= {"flock", "write", "fsync", "renameat"}
    print(f"{len(steps)} kills")
    assert_swept(host)


@pytest.mark.slow
def test_sweep_may_be_killed_at_any_call(host: Host, imds: ImdsServer) -> None:
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    host.document()
    kept = cachedir.names(host.cache, "")
    stem = "0" * 32

    def prepare() -> None:
        for end in (".entry", ".lock", ".1.00000000.tmp"):
            (host.cache / f"{stem}{end}").touch(mode=0o600)
        cachedir.age(host.cache, 900_000)

    steps = []
    for step, _ in tracer_of(host).fail_at_each(
        prepare,
        kill,
        sys.executable,
        "-c",
        SWEEP,
        str(host.cache),
        choose=list if FULL else changing,
    ):
        steps.append(step)
        assert set(cachedir.names(host.cache, "")) >= set(kept), step
        assert host.document()["AccessKeyId"] == imds.current["AccessKeyId"], step
        for _ in range(2):  # a lock that the killed sweep created again is a day younger
            cachedir.age(host.cache, 900_000)
            host.document("--refresh")
            host.settle()
        assert cachedir.names(host.cache, "") == kept, step
    assert seen(steps) >= {"unlinkat", "flock", "utimensat"}
    print(f"{len(steps)} kills")


def test_random_kills_lose_nothing_and_tear_nothing(host: Host, imds: ImdsServer) -> None:
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    chance = random.Random(20261124)
    kills = printed = 0
    known = set()
    begun = time.monotonic()
    while kills < KILLS:
        if not chance.randrange(5):
            imds.turn()
        if not chance.randrange(10):
            cachedir.clear(host.cache)
        known.add(imds.current["AccessKeyId"])
        runs = [host.start(*["--refresh"] * chance.choice((0, 0, 1))) for _ in range(TOGETHER)]
        for run in chance.sample(runs, TOGETHER - 2):
            time.sleep(chance.uniform(0, 0.04))
            run.signal(signal.SIGKILL)
        for run in runs:
            killed, was_printed = outcome(run, known)
            kills += killed
            printed += was_printed
        cachedir.entries(host.cache)

    assert host.document()["AccessKeyId"] in known
    assert_swept(host)
    print(f"{kills} runs killed, {printed} printed, {time.monotonic() - begun:.0f} s")


def outcome(run: Process, known: set[str]) -> tuple[bool, bool]:
    """Return whether the run was killed, and whether it printed; it may not do less than one."""
    result = run.wait()
    if result.stdout:
        assert result.stdout.endswith(b"}\n"), result
        assert json.loads(result.stdout)["AccessKeyId"] in known, result
    else:
        assert result.status == -signal.SIGKILL, result
    assert result.status in (0, -signal.SIGKILL), result
    assert result.stderr == "", result
    return result.status != 0, bool(result.stdout)
