"""Worlds that share a cache never get each other's identity, and make no call twice."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

#: Another seed each day, so that the runs of a year try what no single one has time for; the
#: failure names it.
SEED = int(time.time() // 86400)


@pytest.mark.parametrize("pairs", [20, pytest.param(120, marks=pytest.mark.slow)])
@pytest.mark.timeout(600)
def test_two_environments_with_one_cache_behave_as_without_a_cache(pairs: int) -> None:
    module = [sys.executable, "-m", "tests.worlds", "--kinds"]
    command = [*module, "--pairs", str(pairs), "--seed", str(SEED)]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert done.stdout.endswith(": 0 wrong\n")
