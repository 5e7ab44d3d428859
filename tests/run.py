#!/usr/bin/env python3
"""The test command: build the distributions, install the wheel, run the tests against it.

    python3 tests/run.py [--all] [--newest] [--venv FOLDER] [pytest's arguments]

The tests are copied away from the source tree and run there, so that ``import credproc`` can only
find what was installed. Needs Python and pip; everything else goes to a throw-away environment.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[0] = str(Path(__file__).resolve().parents[1])

from tests import artefacts, venvs  # noqa: E402  # found by the line above

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Seconds that the steps take on two cores; the rest is told from how long the first ones took.
STEPS = {"environment": 3, "build": 5, "install": 20, "compile": 8, "tests": 240}
#: Seconds between two words on a step that lasts.
EVERY = 10.0


def main() -> int:
    """Run the tests and return pytest's exit status."""
    options, arguments = _parser().parse_known_args()
    progress = Progress({**STEPS, "tests": 900} if options.all else STEPS)
    with tempfile.TemporaryDirectory(prefix="credproc-tests-") as name:
        folder = Path(name)
        venv = venvs.Venv(options.venv or folder / "venv")
        pinned = [] if options.newest else venvs.PINNED
        with progress.step("environment", str(venv.folder)):
            venv.make()
        dist = folder / "dist"
        with progress.step("build", "the sdist, and from it the wheel"):
            venv.install(*pinned, "build", "setuptools")
            artefacts.build(venvs.ROOT, dist, str(venv.python), "--no-isolation")
        with progress.step("install", "the wheel, with what it and the tests require"):
            extras = "test,packaging" if options.all else "test"
            _install(venv, artefacts.wheel(dist), extras, pinned)
        away = folder / "away"
        artefacts.copy(venvs.ROOT, away, without=("credproc", "setup.py"))
        with progress.step("compile", "the tests"):
            if not arguments:
                _compile(venv, away)
                # What the first tests of a file made serves the next ones, so most stay together.
                arguments = ["-n", str(_processes()), "--dist", "worksteal"]
        progress.say("tests", f"in {_processes()} processes")
        more = {"CREDPROC_TEST_HERD": "40"} if options.all else {}
        return _pytest(venv, folder, ["--all"] * options.all + arguments, more)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        usage="python3 tests/run.py [--all] [--newest] [--venv FOLDER] [pytest's arguments]",
        description="Build credproc, install the wheel, run the tests against it.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--all", action="store_true", help="run every test, and fail if one cannot run here"
    )
    parser.add_argument(
        "--newest",
        action="store_true",
        help="take the newest releases of all tools, not those of .constraints.txt",
    )
    parser.add_argument(
        "--venv", type=Path, help="keep the environment in this folder, and use it again"
    )
    return parser


class Progress:
    """Says what is being done, and about how long the rest takes."""

    def __init__(self, seconds: dict[str, int]) -> None:
        """``seconds`` are those that each step usually takes, in order."""
        self._ahead = dict(seconds)
        self._done = 0.0
        self._started = time.monotonic()

    @contextlib.contextmanager
    def step(self, name: str, what: str) -> Iterator[None]:
        """Say what the step is, and again while it lasts."""
        self.say(name, what)
        usual = self._ahead.pop(name)
        started, ended = time.monotonic(), threading.Event()

        def tell() -> None:
            while not ended.wait(EVERY):
                spent = min(time.monotonic() - started, usual)
                self.say(name, "...", spent, usual - spent)

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        try:
            yield
        finally:
            ended.set()
            teller.join()
            self._done += usual

    def say(self, name: str, what: str, spent: float = 0.0, rest: float = 0.0) -> None:
        """Print what is being done, of which so much is done and so much is left."""
        done = self._done + spent
        # A machine that took twice as long so far will take twice as long for the rest.
        pace = max(1.0, (time.monotonic() - self._started) / done) if done else 1.0
        left = (rest + sum(self._ahead.values())) * pace
        about = f"about {left // 60:.0f} min {left % 60 // 10 * 10:.0f} s left"
        print(f"[{time.strftime('%H:%M:%S')}] {name}: {what} ({about})", flush=True)


def _processes() -> int:
    """Return how many processes run tests: more than cores, because tests wait half of the time."""
    return len(os.sched_getaffinity(0)) + 2 if hasattr(os, "sched_getaffinity") else 4


def _install(venv: venvs.Venv, wheel: Path, extras: str, pinned: Sequence[str]) -> None:
    """Install the wheel, whatever is there, and then what it requires, as pip would."""
    venv.install("--force-reinstall", "--no-deps", str(wheel))
    venv.install(*pinned, f"{wheel}[{extras}]")
    venvs.call([str(venv.python), "-m", "pip", "check"], quiet=True)


def _compile(venv: venvs.Venv, away: Path) -> None:
    """Let pytest compile the tests: else each of the processes would, all of them at once."""
    environment = venvs.environment()
    environment.pop("PYTEST_ADDOPTS", None)
    shares = [["tests", "--ignore=tests/functional"], ["tests/functional"]]
    command = [str(venv.python), "-m", "pytest", "--collect-only", "-qq", "-p", "no:cacheprovider"]
    with contextlib.ExitStack() as stack:
        for share in shares:
            stack.enter_context(
                subprocess.Popen(
                    [*command, *share],
                    cwd=away,
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )


def _pytest(venv: venvs.Venv, folder: Path, arguments: list[str], variables: dict[str, str]) -> int:
    environment = {
        **variables,
        **venvs.environment(),
        artefacts.SOURCE: str(venvs.ROOT),
        artefacts.DIST: str(folder / "dist"),
        "PYTHONUNBUFFERED": "1",  # for one who reads along in a log
    }
    command = [str(venv.python), "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=folder / "away", env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
