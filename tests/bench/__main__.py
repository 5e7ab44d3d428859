"""The measurements: python -m tests.bench, in the environment that tests/bench/run.py makes."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.bench import end_to_end, growth, installers, machine, report, rows
from tests.bench.peers import Peers
from tests.bench.timing import Row, measure
from tests.bench.world import World


def main() -> None:
    """Measure, print the tables, draw the picture."""
    parser = argparse.ArgumentParser(prog="python tests/bench/run.py")
    parser.add_argument("--rounds", type=int, default=25, help="runs of each row")
    parser.add_argument("--no-peers", action="store_true", help="credproc and interpreters only")
    parser.add_argument("--no-growth", action="store_true", help="leave out how the cost grows")
    parser.add_argument("--herd", type=int, default=100, help="processes at once (0: none)")
    parser.add_argument("--folder", type=Path, required=True, help="for peers and pictures")
    options = parser.parse_args()
    head = machine.header()
    print("\n".join(head), flush=True)
    with World() as world:
        peers = Peers(options.folder, world)
        _hits(world, [] if options.no_peers else peers.hits(), options, head)
        _requests(world, options)
        _misses(world, options)
        if not options.no_peers:
            _section("A whole `aws s3 ls` against moto")
            end = end_to_end.rows(world, peers)
            measure(end, max(options.rounds // 3, 5))
            print(report.table(end, end[0], end[-1]), flush=True)
        if options.herd:
            _section("Cold herd")
            print(rows.cold_herd(options.herd), flush=True)
        if not options.no_growth:
            _growth(world)


def _section(title: str) -> None:
    print(f"\n{title}\n{'-' * len(title)}\n", flush=True)


def _hits(world: World, others: list[Row], options: argparse.Namespace, head: list[str]) -> None:
    _section("Cached credentials")
    ours = rows.floors(world) + rows.hits(world)
    others = installers.rows(world) + others
    measure(ours + others, options.rounds)
    print(report.table(ours + others, ours[2], ours[3]), flush=True)
    report.picture(ours + others, options.folder, head)
    _section("Peak memory of the same")
    bare = ours[2].peak()
    lines = [("", "MiB", "x python -c pass")]
    for row in ours + others:
        peak = row.peak()
        lines.append((row.name, f"{peak:.1f}", f"{peak / bare:.2f}"))
    print(report.simple(lines), flush=True)


def _requests(world: World, options: argparse.Namespace) -> None:
    _section("What a consumer feels that runs the process for every request")
    found = rows.requests(world)
    measure(found, max(options.rounds // 3, 5))
    print(report.table(found, found[0], found[-1]), flush=True)


def _misses(world: World, options: argparse.Namespace) -> None:
    _section("Misses, and the same answers without credproc")
    found = rows.misses(world)
    measure(found, options.rounds)
    print(report.table(found, found[3], found[4]), flush=True)


def _growth(world: World) -> None:
    for title, part in (
        ("A hit among other entries", growth.entries),
        ("A miss of more hops", growth.hops),
        ("Hits at once", growth.concurrency),
        ("A hit with a longer token", growth.tokens),
    ):
        _section(title)
        print(report.simple([("", "median"), *part(world)]), flush=True)


if __name__ == "__main__":
    main()
