#!/usr/bin/env python3
"""The test command: build the distributions, install the wheel, run the tests against it.

    python3 tests/run.py [--all] [--newest] [--venv FOLDER] [pytest's arguments]

The tests are copied away from the source tree and run there, so that ``import credproc`` can only
find what was installed. Needs Python and pip; everything else goes to a throw-away environment.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[0] = str(Path(__file__).resolve().parents[1])

from tests import artefacts, venvs  # noqa: E402  # found by the line above

if TYPE_CHECKING:
    from collections.abc import Sequence


def main() -> int:
    """Run the tests and return pytest's exit status."""
    options, arguments = _parser().parse_known_args()
    with tempfile.TemporaryDirectory(prefix="credproc-tests-") as name:
        folder = Path(name)
        venv = venvs.Venv(options.venv or folder / "venv")
        _say(f"environment: {venv.folder}")
        venv.make()
        _say("build: the sdist, and from it the wheel")
        dist = folder / "dist"
        held = [] if options.newest else venvs.HELD
        venv.install(*held, "build")
        artefacts.build(venvs.ROOT, dist, str(venv.python))
        _say("install: the wheel, with what it and the tests require")
        _install(venv, artefacts.wheel(dist), held)
        _say("tests")
        # Whole files to one process each, because what a file installs is installed once.
        arguments = arguments or ["--numprocesses", "auto", "--dist", "loadfile"]
        return _pytest(venv, folder, ["--all"] * options.all + arguments)


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


def _install(venv: venvs.Venv, wheel: Path, held: Sequence[str]) -> None:
    """Install the wheel anew, whatever is there, and then what it asks for, as pip would."""
    venv.install("--force-reinstall", "--no-deps", str(wheel))
    venv.install(*held, f"{wheel}[test]")
    venvs.call([str(venv.python), "-m", "pip", "check"], quiet=True)


def _pytest(venv: venvs.Venv, folder: Path, arguments: list[str]) -> int:
    away = folder / "away"
    artefacts.copy(venvs.ROOT, away, without=("credproc", "setup.py"))
    environment = {
        **venvs.environment(),
        artefacts.SOURCE: str(venvs.ROOT),
        artefacts.DIST: str(folder / "dist"),
    }
    command = [str(venv.python), "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=away, env=environment, check=False).returncode


def _say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
