#!/usr/bin/env python3
"""The coverage of the package, branches too, with every credproc that the tests start counted.

    python3 tests/covered.py [--venv FOLDER] [--html FOLDER] [pytest's arguments]

Runs the tests of tests/unit and tests/functional for what they reach, and fails below 100 %. That
they pass is for tests/run.py to say, because measuring changes what a run loads, writes and takes.
Needs Python and pip; everything else goes to a throw-away environment.
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

#: Tests that take long, and reach nothing that the others do not.
LEFT_OUT = ("test_cron.py", "test_demo.py", "test_load.py")


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
        venv.install(*venvs.PINNED, f"{tree}[test,packaging,measure]")
        venv.install("--force-reinstall", "--no-deps", str(tree))
        settings = _instrument(venv, folder)
        _tests(venv, away, arguments)
        return _report(venv, settings, options.html)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure the coverage of credproc's tests.")
    parser.add_argument("--venv", type=Path, help="keep the environment in this folder")
    parser.add_argument("--html", type=Path, help="write a report to this folder, too")
    return parser


def _instrument(venv: venvs.Venv, folder: Path) -> Path:
    """Let every interpreter of the environment measure itself; return the settings it is given."""
    settings = folder / "coverage.cfg"
    text = (venvs.ROOT / "setup.cfg").read_text(encoding="utf-8")
    _, _, mine = text.partition("[coverage:run]\n")
    settings.write_text(f"[coverage:run]\ndata_file = {folder / 'data' / 'coverage'}\n{mine}")
    # Some of the processes are another user's.
    folder.chmod(0o711)
    (folder / "data").mkdir()
    (folder / "data").chmod(0o1777)
    (library,) = venv.folder.glob("lib/python*/site-packages")
    (library / "credproc_measured.py").write_text(STARTER.format(settings=str(settings)))
    (library / "credproc_measured.pth").write_text("import credproc_measured\n")
    return settings


def _tests(venv: venvs.Venv, away: Path, arguments: list[str]) -> None:
    environment = {**venvs.environment(), artefacts.SOURCE: str(venvs.ROOT)}
    arguments = arguments or ["--quiet", "--tb=no", "-n", "auto", "--dist", "loadfile"]
    if not any(argument.startswith("tests/") for argument in arguments):
        arguments = [*arguments, "tests/unit", "tests/functional"]
    left_out = [f"--ignore-glob=*/{name}" for name in LEFT_OUT]
    command = [str(venv.python), "-m", "pytest", "--all", *left_out, *arguments]
    subprocess.run(command, cwd=away, env=environment, check=False)


def _report(venv: venvs.Venv, settings: Path, html: Path | None) -> int:
    def coverage(*words: str) -> int:
        command = [str(venv.python), "-I", "-m", "coverage", *words, f"--rcfile={settings}"]
        return subprocess.run(command, cwd=settings.parent, check=False).returncode

    # Without the copies that some tests make.
    mine = f"--include={venv.folder}/lib/python*/site-packages/credproc/*"
    coverage("combine", "--quiet")
    if html:
        coverage("html", mine, f"--directory={html.resolve()}")
    return coverage("report", mine)


if __name__ == "__main__":
    sys.exit(main())
