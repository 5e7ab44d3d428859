"""How the cost grows: with entries, hops, processes at once, and the size of the token."""

from __future__ import annotations

import os
import statistics
import time
from typing import TYPE_CHECKING

from credproc.store import Store
from tests.bench.rows import filled, identity_of_imds
from tests.bench.timing import Row, measure
from tests.bench.world import ONE, World, emptied
from tests.harness import CREDPROC

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROUNDS = 15


def entries(world: World) -> list[tuple[str, str]]:
    """Return the milliseconds of a hit among 1 to 10,000 entries."""
    rows = []
    for count in (1, 10, 100, 1000, 10_000):
        env = world.env(world.home(f"entries-{count}"))
        row = Row(f"{count:,} entries", [str(CREDPROC)], env)
        row.once()
        filled(Store(f"{env['HOME']}/.cache/credproc"), count - 1)
        rows.append(row)
    return _measured(rows)


def hops(world: World) -> list[tuple[str, str]]:
    """Return the milliseconds of a miss of 1 to 5 hops."""
    rows = []
    for count in range(1, 6):
        home = world.home(f"hops-{count}")
        words = [word for k in range(count) for word in ("--role-arn", f"{ONE}{k}")]
        words += ["--source", "profile:base", "--sts-region", "eu-central-1"]
        row = Row(f"{count} hops", [str(CREDPROC), *words], world.env(home))
        row.prepare = _emptying(home / ".cache")
        rows.append(row)
    return _measured(rows)


def _emptying(folder: Path) -> Callable[[], object]:
    return lambda: emptied(folder)


def concurrency(world: World) -> list[tuple[str, str]]:
    """Return the milliseconds a hit when 1 to 500 run at once; two cores share the work."""
    env = world.env(world.home("concurrency"))
    Row("", [str(CREDPROC)], env).once()
    rows = []
    for count in (1, 10, 50, 100, 500):
        each = []
        for _ in range(3):
            begun = time.perf_counter()
            pids = [_started(env) for _ in range(count)]
            statuses = [os.waitpid(pid, 0)[1] for pid in pids]
            each.append((time.perf_counter() - begun) * 1000 / count)
            assert not any(statuses)
        rows.append((f"{count} at once", f"{statistics.median(each):.1f} ms a run"))
    return rows


def _started(env: dict[str, str]) -> int:
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, number) for number in (0, 1, 2)]
    pid = os.posix_spawn(str(CREDPROC), [str(CREDPROC)], env, file_actions=actions)
    os.close(null)
    return pid


def tokens(world: World) -> list[tuple[str, str]]:
    """Return the milliseconds of a hit whose token has 1 to 16 KiB."""
    rows = []
    for size in (1, 4, 8, 16):
        env = world.env(world.home(f"token-{size}"))
        row = Row(f"{size} KiB token", [str(CREDPROC)], env)
        row.once()
        store = Store(f"{env['HOME']}/.cache/credproc")
        entry = store.read(identity_of_imds(env))
        assert entry is not None
        entry.document = entry.document.replace(b'"Token": "', b'"Token": "' + b"x" * size * 1024)
        entry.document = entry.document[:-1].ljust(size * 1024 + 1000) + b"\n"
        store.write(entry)
        rows.append(row)
    return _measured(rows)


def _measured(rows: list[Row]) -> list[tuple[str, str]]:
    measure(rows, ROUNDS)
    return [(row.name, f"{row.median:.1f} ms") for row in rows]
