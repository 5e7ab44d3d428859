#!/usr/bin/env python3
"""The distributions of a release: the same bytes whenever and wherever they are built.

    python3 tests/release.py FOLDER

Builds the sdist, and from it the wheel, has twine look at both, and prints what identifies them.
Needs Python and pip; everything else goes to a throw-away environment.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from tests import artefacts, venvs  # noqa: E402  # found by the line above


def main() -> int:
    """Build into the folder that is named; return twine's exit status."""
    folder = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="credproc-release-") as name:
        venv = venvs.Venv(Path(name) / "venv")
        venv.make()
        venv.install(*venvs.HELD, "build", "twine")
        artefacts.build(venvs.ROOT, Path(name) / "dist", str(venv.python))
        built = [artefacts.sdist(Path(name) / "dist"), artefacts.wheel(Path(name) / "dist")]
        done = subprocess.run(
            [venv.python, "-m", "twine", "check", "--strict", *built], check=False
        )
        folder.mkdir(parents=True, exist_ok=True)
        for path in built:
            (folder / path.name).write_bytes(path.read_bytes())
            print(hashlib.sha256(path.read_bytes()).hexdigest(), path.name)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
