#!/usr/bin/env python3
"""The distributions of a release: the same bytes whenever and wherever they are built.

    python3 tests/release.py FOLDER

Builds the sdist, and from it the wheel, and checks both with twine. Beside them go SHA256SUMS, and
an SBOM (CycloneDX) of the wheel with what it requires, in the releases of .constraints.txt. Needs
Python and pip; everything else goes to a temporary environment.
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
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="credproc-release-") as name:
        venv = venvs.Venv(Path(name) / "venv")
        venv.make()
        venv.install(*venvs.PINNED, "build", "twine", "cyclonedx-bom")
        artefacts.build(venvs.ROOT, Path(name) / "dist", str(venv.python))
        wheel = artefacts.wheel(Path(name) / "dist")
        built = [artefacts.sdist(Path(name) / "dist"), wheel]
        done = subprocess.run(
            [venv.python, "-m", "twine", "check", "--strict", *built], check=False
        )
        files = [folder / path.name for path in built]
        for path, kept in zip(built, files, strict=True):
            kept.write_bytes(path.read_bytes())
        files.append(folder / f"{wheel.name.partition('-py')[0]}.cdx.json")
        sbom(venv, wheel, Path(name) / "installed", files[-1])
    sums = "".join(f"{_sha256(path)}  {path.name}\n" for path in files)
    (folder / "SHA256SUMS").write_text(sums)
    print(sums, end="")
    return done.returncode


def sbom(tools: venvs.Venv, wheel: Path, folder: Path, target: Path) -> None:
    """Write the bill of materials of an environment with the wheel and what it requires."""
    venv = venvs.Venv(folder)
    venv.make()
    venv.install(*venvs.PINNED, str(wheel))
    venvs.call([str(venv.python), "-m", "pip", "uninstall", "--quiet", "--yes", "pip"], quiet=True)
    command = [str(tools.scripts / "cyclonedx-py"), "environment", "--output-reproducible"]
    command += ["--output-file", str(target), str(venv.python)]
    venvs.call(command, quiet=True)
    # Where the wheel was installed from is a temporary folder.
    text = target.read_text(encoding="utf-8").replace(wheel.as_uri(), wheel.name)
    target.write_text(text, encoding="utf-8")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
