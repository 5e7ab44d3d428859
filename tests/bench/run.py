#!/usr/bin/env python3
"""The benchmark command: make a clean environment, install the wheel, measure, draw.

    python3 tests/bench/run.py [--folder FOLDER] [--rounds N] [--no-peers] [--no-growth]

The folder keeps the peers for the next run, and gets the picture (hit.svg, hit.png).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT)

from tests import venvs  # noqa: E402  # found by the line above


def main() -> int:
    """Make the environment and measure in it."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--folder", type=Path)
    options, rest = parser.parse_known_args()
    folder = (options.folder or Path(tempfile.mkdtemp(prefix="credproc-bench-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    venv = venvs.Venv(folder / "venv")
    venv.make()
    wanted = ["matplotlib", "typing_extensions", *venvs.requirements("test", "packaging")]
    venv.install(*wanted)
    venv.install("--force-reinstall", "--no-deps", str(ROOT))
    # From the copy below, where `import credproc` can only find what was installed.
    away = folder / "away"
    away.mkdir(exist_ok=True)
    link = away / "tests"
    link.unlink(missing_ok=True)
    link.symlink_to(ROOT / "tests")
    command = [str(venv.python), "-m", "tests.bench", "--folder", str(folder), *rest]
    print(f"peers and pictures: {folder}", flush=True)
    return subprocess.run(command, cwd=away, env=venvs.environment(), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
