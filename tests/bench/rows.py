"""The rows of credproc and of bare interpreters, and what is measured beside whole runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from credproc import answer, cache, windows
from credproc.store import Store
from tests.bench.timing import Row
from tests.bench.world import ONE, TWO, World, emptied
from tests.harness import CREDPROC, SCRIPTS, Host, Processes, herd
from tests.servers.sts import StsServer

if TYPE_CHECKING:
    from collections.abc import Callable

PYTHON = str(SCRIPTS / "python")

BOTO_SESSION = "import boto3; boto3.Session().get_credentials().get_frozen_credentials()"
BOTO_TWO_HOPS = f"""\
import boto3
client = boto3.Session(profile_name="base").client("sts", "eu-central-1")
for arn in ("{ONE}", "{TWO}"):
    got = client.assume_role(RoleArn=arn, RoleSessionName="bench")["Credentials"]
    client = boto3.client("sts", "eu-central-1", aws_access_key_id=got["AccessKeyId"],
        aws_secret_access_key=got["SecretAccessKey"], aws_session_token=got["SessionToken"])
"""


def floors(world: World) -> list[Row]:
    """Return what no Python program can be faster than, and cat."""
    home = world.home("floors")
    env = world.env(home)
    document = home / "document.json"
    document.write_text("x" * 1000)
    return [
        Row("cat", ["/bin/cat", str(document)], env),
        Row("python -I -S -c pass", [PYTHON, "-I", "-S", "-c", "pass"], env),
        Row("python -c pass", [PYTHON, "-c", "pass"], env),
    ]


def hits(world: World) -> list[Row]:
    """Return a hit, and a hit in the window in which a refresh has been started already."""
    env = world.env(world.home("hit"))
    ahead = world.env(world.home("ahead"))
    rows = [
        Row("credproc: hit", [str(CREDPROC)], env),
        Row("credproc: hit, refresh under way", [str(CREDPROC)], ahead),
        Row("credproc: hit, as --format env", [str(CREDPROC), "--format", "env"], env),
        *(Row(f"credproc: hit, {name}", [path], env) for name, path in launchers(world, env)),
    ]
    for row in rows:
        row.once()
    rows[1].prepare = _in_the_window(ahead)
    return rows


def launchers(world: World, env: dict[str, str]) -> list[tuple[str, str]]:
    """Write both launchers; return their names and paths."""
    found = []
    for name, options in (
        ("by its launcher in C", []),
        ("by its launcher in Python", ["--python"]),
    ):
        path = str(world.folder / name.replace(" ", "-"))
        written = [str(SCRIPTS / "credprocctl"), "launcher", *options, path]
        tools = {**env, "PATH": f"{env['PATH']}:{os.environ['PATH']}"}
        done = subprocess.run(written, env=tools, check=True, capture_output=True, text=True)
        if done.stderr:
            print(f"left out: {name}: {done.stderr.strip()}")
        else:
            found.append((name, path))
    return found


def requests(world: World) -> list[Row]:
    """Return 20 runs in a row: what 20 requests cost those who run the process for each of them."""
    env = world.env(world.home("requests"))
    loop = 'i=0; while [ $i -lt 20 ]; do "$0" >/dev/null; i=$((i+1)); done'
    ways = [("the installed command", str(CREDPROC)), *launchers(world, env)]
    return [
        Row(f"20 requests of delta-rs or Lance, {name}", ["/bin/sh", "-c", loop, path], env)
        for name, path in ways
    ]


def _in_the_window(env: dict[str, str]) -> Callable[[], object]:
    """Return what puts the entry into the refresh-ahead window, its next look put off."""
    store = Store(f"{env['HOME']}/.cache/credproc")
    identity = identity_of_imds(env)

    def prepare() -> None:
        now = int(time.time())
        entry = store.read(identity)
        assert entry is not None
        entry.ahead, entry.now = now - 1, now + 600
        entry.look = windows.retry_at(now, entry.expiration, 0.5)
        store.write(entry)

    return prepare


def identity_of_imds(env: dict[str, str]) -> bytes:
    """Return what the instance role's entry is kept under in that home."""
    return answer.key([], env)


def misses(world: World) -> list[Row]:
    """Return misses, and the same answers from boto3 and the AWS CLI."""
    rows = []
    base = ["--source", "profile:base", "--sts-region", "eu-central-1"]
    for name, words in (
        ("credproc: IMDS miss", []),
        ("credproc: one-hop miss", ["--role-arn", ONE, *base]),
        ("credproc: two-hop miss", ["--role-arn", ONE, "--role-arn", TWO, *base]),
    ):
        home = world.home(name.partition(": ")[2].replace(" ", "-"))
        folder = home / ".cache"
        env = world.env(home)
        rows.append(Row(name, [str(CREDPROC), *words], env, _emptying(folder)))
    env = world.env(world.home("boto3"))
    assume = ["sts", "assume-role", "--role-session-name", "bench", "--role-arn", ONE]
    return [
        *rows,
        Row("boto3.Session().get_credentials(), IMDS", [PYTHON, "-c", BOTO_SESSION], env),
        Row("boto3 in process, two hops", [PYTHON, "-c", BOTO_TWO_HOPS], env),
        Row(
            "aws sts assume-role, one hop",
            [str(SCRIPTS / "aws"), *assume],
            {**env, "AWS_PROFILE": "base", "AWS_DEFAULT_REGION": "eu-central-1"},
        ),
    ]


def _emptying(folder: Path) -> Callable[[], object]:
    return lambda: emptied(folder)


def cold_herd(count: int) -> str:
    """Start that many processes at once, cold, against an STS that answers after 150 ms."""
    folder = Path(tempfile.mkdtemp(prefix="credproc-herd-"))
    processes = Processes()
    try:
        host = Host(folder, processes)
        with StsServer(delay=0.15) as sts:
            host.environ["AWS_ENDPOINT_URL_STS"] = sts.url
            host.credentials(
                "[base]\naws_access_key_id = AKIABENCHBENCHBENCH0\n"
                "aws_secret_access_key = benchbenchbenchbench\n"
            )
            words = ["--role-arn", ONE, "--role-arn", TWO, "--source", "profile:base"]
            results = herd(host, count, *words, "--sts-region", "eu-central-1", timeout=120)
            calls = len(sts.calls)
        host.end()
    finally:
        processes.end()
        shutil.rmtree(folder, ignore_errors=True)
    good = sum(result.status == 0 for result in results)
    same = len({result.stdout for result in results})
    slowest = max(result.seconds for result in results)
    return (
        f"{count} processes at once, cold, two hops, STS answering in 150 ms: {calls} calls, "
        f"{good} documents, {same} different, the slowest after {slowest:.2f} s"
    )


def filled(store: Store, count: int) -> None:
    """Fill a cache with entries of other requests."""
    store.make()
    now = int(time.time())
    for number in range(count):
        entry = cache.Entry(b"other\0%d" % number)
        entry.provider, entry.document = "chain", b"x" * 1000
        entry.issued, entry.expiration = now, now + 3600
        entry.ahead = entry.now = now + 2600
        store.write(entry, sync=False)
    os.sync()
