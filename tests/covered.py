#!/usr/bin/env python3
"""The coverage of the package, branches too, with every credproc that the tests start counted.

    python3 tests/covered.py [--venv FOLDER] [--html FOLDER] [pytest's arguments]

Runs the tests of tests/unit and tests/functional, but for those of NOT_MEASURED, and fails below
100 %. Needs Python and pip; everything else goes to a throw-away environment.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from tests import artefacts, venvs  # noqa: E402  # found by the line above

#: Read by every interpreter of the environment when it starts. The environments of the processes
#: are the tests' own, so nothing can be passed on to them, and nothing may be left in theirs.
STARTER = """\
import os
os.environ["COVERAGE_PROCESS_START"] = {settings!r}
import coverage
coverage.process_startup()
del os.environ["COVERAGE_PROCESS_START"]
"""

#: Tests of what a run costs, which measuring changes: modules, system calls, memory, time.
NOT_MEASURED = (
    "test_cron.py",
    "test_demo.py",
    "test_hit.py",
    "test_import_budget.py",
    "test_launcher.py",
    "test_load.py",
)


def main() -> int:
    """Run the tests, print what they did not reach, and return an exit status."""
    options, arguments = _parser().parse_known_args()
    with tempfile.TemporaryDirectory(prefix="credproc-covered-") as name:
        folder = Path(name)
        venv = venvs.Venv(options.venv or folder / "venv")
        venv.make()
        tree, away = folder / "tree", folder / "away"
        artefacts.copy(venvs.ROOT, tree)
        artefacts.copy(venvs.ROOT, away, without=("credproc", "setup.py"))
        venv.install(*venvs.HELD, "coverage", f"{tree}[test]")
        venv.install("--force-reinstall", "--no-deps", str(tree))
        settings = _instrument(venv, folder)
        status = _tests(venv, away, arguments)
        return _report(venv, settings, options.html) or status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure the coverage of credproc's tests.")
    parser.add_argument("--venv", type=Path, help="keep the environment in this folder")
    parser.add_argument("--html", type=Path, help="write a report to this folder, too")
    return parser


def _instrument(venv: venvs.Venv, folder: Path) -> Path:
    """Let every interpreter of the environment measure itself; return the settings it is given."""
    settings = folder / "coverage.cfg"
    told = (venvs.ROOT / "setup.cfg").read_text(encoding="utf-8")
    _, _, mine = told.partition("[coverage:run]\n")
    settings.write_text(f"[coverage:run]\ndata_file = {folder / 'data' / 'coverage'}\n{mine}")
    (folder / "data").mkdir()
    (library,) = venv.folder.glob("lib/python*/site-packages")
    (library / "credproc_measured.py").write_text(STARTER.format(settings=str(settings)))
    (library / "credproc_measured.pth").write_text("import credproc_measured\n")
    return settings


def _tests(venv: venvs.Venv, away: Path, arguments: list[str]) -> int:
    environment = {**venvs.environment(), artefacts.SOURCE: str(venvs.ROOT)}
    names = [f"--ignore-glob=*/{name}" for name in NOT_MEASURED]
    arguments = arguments or ["--quiet", "--numprocesses", "auto", "--dist", "loadfile"]
    command = [str(venv.python), "-m", "pytest", *names, *arguments]
    if not any(argument.startswith("tests/") for argument in arguments):
        command += ["tests/unit", "tests/functional"]
    return subprocess.run(command, cwd=away, env=environment, check=False).returncode


def _report(venv: venvs.Venv, settings: Path, html: Path | None) -> int:
    coverage = [str(venv.python), "-I", "-m", "coverage"]
    chosen = [f"--rcfile={settings}"]
    for words in (["combine", "--quiet"], ["html", f"--directory={html}"] if html else []):
        if words:
            subprocess.run([*coverage, *words, *chosen], cwd=settings.parent, check=False)
    done = subprocess.run([*coverage, "report", *chosen], cwd=settings.parent, check=False)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
