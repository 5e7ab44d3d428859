"""Fuzz by hand: ``python -m tests.fuzz [--seconds N] [--seed S] [--only NAME]``.

Prints for each target how many inputs there were, and how many of them were taken for good. On a
failure it prints the number of the input, which ``--seed`` and ``--first`` bring back.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fuzz.targets import MAKERS, Chance

if TYPE_CHECKING:
    from collections.abc import Callable


class Outcome:
    """What a target came to."""

    def __init__(self) -> None:
        self.count = 0
        self.good = 0
        self.seconds = 0.0


def fuzz(
    run: Callable[[Chance], bool], seed: int, seconds: float, limit: int, first: int = 0
) -> Outcome:
    """Run until the time or the number is over; AssertionError names the input that failed."""
    outcome = Outcome()
    begun = time.monotonic()
    while outcome.count < limit and time.monotonic() - begun < seconds:
        number = first + outcome.count
        try:
            # Each input has a seed of its own, so that one alone can be made again.
            outcome.good += run(Chance(seed * 1_000_000_007 + number))
        except Exception as error:
            raise AssertionError(f"input {number} of seed {seed}: {error!r}") from error
        outcome.count += 1
    outcome.seconds = time.monotonic() - begun
    return outcome


def main() -> int:
    """Fuzz what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", choices=MAKERS, help="one target")
    parser.add_argument("--first", type=int, default=0, help="the number of the first input")
    options = parser.parse_args()
    for name in [name for name in os.environ if name.startswith(("AWS_", "CREDPROC_"))]:
        del os.environ[name]
    total = 0
    with tempfile.TemporaryDirectory(prefix="credproc-fuzz-") as folder:
        for name in [options.only] if options.only else MAKERS:
            os.environ["AWS_CONFIG_FILE"] = f"{folder}/{name}/config"
            run = MAKERS[name](Path(folder) / name)
            outcome = fuzz(run, options.seed, options.seconds, sys.maxsize, options.first)
            total += outcome.count
            print(
                f"{name}: {outcome.count} inputs, {outcome.good} taken for good, "
                f"{outcome.seconds:.0f} s, seed {options.seed}",
                flush=True,
            )
    print(f"{total} inputs, no failure")
    return 0


if __name__ == "__main__":
    sys.exit(main())
