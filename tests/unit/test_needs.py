"""A test whose needs are not served is skipped, and fails under --all."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests import needs, programs

if TYPE_CHECKING:
    from pathlib import Path

TESTS = """
import pytest
from tests import needs

@pytest.mark.needs("no-such-program")
def test_of_a_program():
    raise AssertionError

@pytest.fixture
def package():
    needs.demand("python:no-such-package")

def test_of_a_package(package):
    raise AssertionError

@pytest.mark.slow
@pytest.mark.needs("sh")
def test_that_is_slow():
    pass
"""


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run those tests, with the rules of this run."""
    (folder / "test_of_needs.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n needs\n slow\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    command += ["--rootdir", str(folder), "-c", str(folder / "pytest.ini"), *options, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_is_not_served_is_skipped_and_listed_with_the_command_that_brings_it(
    tmp_path: Path,
) -> None:
    done = run(tmp_path)

    assert done.returncode == 0, done
    assert "3 skipped" in done.stdout
    listed = dict(re.findall(r"^ +1 need ([^:]+(?::no-such-package)?): (.+)$", done.stdout, re.M))
    assert listed == {
        "no-such-program": "no-such-program is not installed",
        "python:no-such-package": "the package no-such-package is not installed",
        "slow": "it is slow, and runs under --all",
    }
    assert re.search(
        r"^To run them: (sudo )?apt-get install no-such-program && python3 tests/run\.py --all$",
        done.stdout,
        re.MULTILINE,
    )


def test_what_is_not_served_fails_under_all(tmp_path: Path) -> None:
    done = run(tmp_path, "--all")

    assert done.returncode == 1, done
    assert "1 passed" in done.stdout
    assert "2 errors" in done.stdout  # before the tests themselves
    assert "skipped, which --all does not allow: no-such-program is not installed" in done.stdout
    assert "the package no-such-package is not installed" in done.stdout


def test_made_up_machine_has_the_listed_programs_and_no_others() -> None:
    names = {path.name for path in programs.folder().iterdir()}

    assert {"sh", "cat", "sed"} <= names <= {*programs.BASIC, *programs.DEBIAN}


@pytest.mark.parametrize(
    ("names", "command"),
    [
        (["slow"], "python3 tests/run.py --all"),
        (["python:twine", "network"], "python3 tests/run.py --all"),
        (["no-such-b", "no-such-a"], "apt-get install no-such-a no-such-b && python3 tests/run.py"),
    ],
)
def test_one_command_brings_all_that_is_missing(names: list[str], command: str) -> None:
    assert needs.command(names).removeprefix("sudo ").startswith(command)
