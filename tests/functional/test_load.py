"""Many runs at once, many entries, and little to run in: every document right, one call a hop.

Set CREDPROC_TEST_FULL for the full size: 1,000 warm runs, 300 cold ones, 50 requests and 10,000
entries.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from credproc.cache import Entry, encode, fingerprint
from tests import cachedir
from tests.harness import CREDPROC, herd
from tests.tracing import Tracer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Host
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer

FULL = bool(os.environ.get("CREDPROC_TEST_FULL"))
#: Runs that are let go at once, and how often.
WARM = (100, 10) if FULL else (40, 2)
COLD = (100, 3) if FULL else (20, 1)
REQUESTS = 50 if FULL else 12
ENTRIES = 10_000 if FULL else 500
#: Seconds that one batch may take on a machine that does other things too.
LIMIT = 120.0

FIRST = "arn:aws:iam::123456789012:role/first"
SECOND = "arn:aws:iam::123456789012:role/second"
CHAIN = ("--role-arn", FIRST, "--role-arn", SECOND, "--source", "imds")

#: Kilobytes of address space. The least that was seen to do is 13,400, 42,500 and 101,500, and
#: 12,400 for an interpreter that does nothing; but not every interpreter is as small.
LOW_HIT, LOW_MISS, LOW_CHAIN = 30_000, 90_000, 200_000


@pytest.fixture(autouse=True)
def services(host: Host, imds: ImdsServer, sts: StsServer) -> None:
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    host.environ["AWS_ENDPOINT_URL"] = sts.url


@pytest.mark.timeout(600)
def test_warm_entry_serves_all_processes(host: Host, imds: ImdsServer) -> None:
    host.document()
    count, batches = WARM
    begun = time.monotonic()

    for _ in range(batches):
        for result in herd(host, count, timeout=LIMIT):
            assert result.document["AccessKeyId"] == imds.current["AccessKeyId"]

    assert imds.count("creds") == 1
    print(f"{count * batches} runs in {time.monotonic() - begun:.1f} s, {imds.count('creds')} call")


@pytest.mark.timeout(600)
def test_cold_chain_is_assumed_once(host: Host, imds: ImdsServer, sts: StsServer) -> None:
    sts.delay = 0.15
    count, batches = COLD
    begun = time.monotonic()

    for batch in range(1, batches + 1):
        cachedir.clear(host.cache)
        results = herd(host, count, *CHAIN, timeout=LIMIT)

        assert {result.status for result in results} == {0}, results
        assert {result.document["SecretAccessKey"] for result in results} == {
            sts.issued[-1].secret_key
        }
        assert [call.parameters["RoleArn"] for call in sts.calls] == [FIRST, SECOND] * batch
        assert imds.count("creds") == batch
    print(f"{count * batches} runs in {time.monotonic() - begun:.1f} s, {len(sts.calls)} calls")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_different_requests_side_by_side_stay_apart(host: Host, sts: StsServer) -> None:
    host.credentials("[laptop]\naws_access_key_id = AKIALAPTOP\naws_secret_access_key = x\n")
    roles = [f"arn:aws:iam::123456789012:role/r{number}" for number in range(REQUESTS)]
    running = [
        (role, host.start("--role-arn", role, "--source", "profile:laptop"))
        for role in roles
        for _ in range(2)
    ]
    documents: dict[str, list[str]] = {}
    for role, process in running:
        document = process.wait(LIMIT).document
        documents.setdefault(role, []).append(document["SecretAccessKey"])

    assert sorted(call.parameters["RoleArn"] for call in sts.calls) == sorted(roles)
    issued = {each.secret_key: each.arn.split("/")[1] for each in sts.issued}
    for role, secrets in documents.items():
        assert len(set(secrets)) == 1
        assert issued[secrets[0]] == role.rpartition("/")[2]


@pytest.mark.parametrize("args", [(), CHAIN], ids=["imds", "chain"])
def test_few_descriptors_are_enough(
    host: Host, imds: ImdsServer, sts: StsServer, args: tuple[str, ...]
) -> None:
    script = 'ulimit -n 16 && exec "$0" "$@"'

    def document() -> str:
        result = host.run("-c", script, str(CREDPROC), *args, command="/bin/sh")
        return str(result.document["SecretAccessKey"])

    first = document()
    assert document() == first
    cachedir.change(host.cache, ahead=-10, now=3000, look=-10, expiration=6000)
    imds.turn()
    assert document() == first
    host.settle()

    assert document() != first
    assert imds.count("creds") == 2
    assert len(sts.calls) == (4 if args else 0)


def test_little_memory_is_enough(host: Host, imds: ImdsServer, sts: StsServer) -> None:
    script = 'ulimit -v "$1" && shift && exec "$0" "$@"'

    def document(kilobytes: int, *args: str) -> str:
        given = (str(kilobytes), *args)
        result = host.run("-c", script, str(CREDPROC), *given, command="/bin/sh")
        return str(result.document["SecretAccessKey"])

    assert document(LOW_MISS) == document(LOW_HIT) == imds.current["SecretAccessKey"]
    assert document(LOW_CHAIN, *CHAIN) == document(LOW_HIT, *CHAIN) == sts.issued[-1].secret_key
    assert imds.count("creds") == 1


def test_lack_of_memory_is_one_line(host: Host) -> None:
    script = (
        "import credproc.__main__ as command\n"
        "def run(argv, environ):\n    raise MemoryError\n"
        "command.run = run\ncommand.main()"
    )
    result = host.run("-c", script, command=sys.executable)

    assert (result.status, result.stdout) == (1, b"")
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("credproc: there is not enough memory")


def fill(folder: Path, count: int, age: int) -> None:
    """Put so many entries there that were written so many seconds ago, and lived for an hour."""
    moment = time.time() - age
    entry = Entry(b"")
    entry.document = b'{"Version": 1}\n' + b" " * 900
    entry.expiration = int(moment) + 3600
    for number in range(count):
        entry.key = b"request %d" % number
        path = folder / f"{fingerprint(entry.key)}.entry"
        path.touch(mode=0o600)
        path.write_bytes(encode(entry))
        os.utime(path, (moment, moment))


def test_many_entries_do_not_slow_a_hit_and_are_removed_in_time(
    host: Host, imds: ImdsServer
) -> None:
    first = host.document()
    tracer = Tracer(host, host.cache)

    def calls() -> list[str]:
        assert json.loads(tracer.run(str(CREDPROC)).stdout) == first
        return [step.name for step in tracer.steps()]

    alone = calls()
    fill(host.cache, ENTRIES, 30 * 86400)
    assert calls() == alone
    assert len(alone) < 12

    cachedir.age(host.cache, 90_000, ["sweep.lock"])
    begun = time.monotonic()
    host.document("--refresh")
    waited = time.monotonic() - begun
    host.settle(LIMIT)

    print(
        f"{ENTRIES} removed in {time.monotonic() - begun:.1f} s, {waited:.1f} s of them waited for"
    )
    assert len(cachedir.names(host.cache, "")) == 6  # session, answer, their locks; two of all
    assert host.document() == first


def test_recent_entries_are_kept_and_looked_at_once_a_day(host: Host, imds: ImdsServer) -> None:
    host.document()
    fill(host.cache, 300, 600)
    cachedir.age(host.cache, 90_000, ["sweep.lock"])
    host.environ["CREDPROC_LOG"] = str(host.folder / "log")

    for _ in range(3):
        host.document("--refresh")
        host.settle()

    assert (host.folder / "log").read_text().count("cache: 0 old files removed") == 1
    assert len(cachedir.names(host.cache, ".entry")) == 302
