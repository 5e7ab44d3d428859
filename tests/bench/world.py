"""The world that is measured in: loopback IMDS and STS, a home a tool, every cache filled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from tests.harness import NOWHERE, SCRIPTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

ROOT = Path(__file__).resolve().parents[2]
ONE = "arn:aws:iam::123456789012:role/one"
TWO = "arn:aws:iam::210987654321:role/two"


class World:
    """Servers as processes of their own, and homes whose profiles lead to them."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="credproc-bench-"))
        self._servers: list[subprocess.Popen[str]] = []
        self._endings: list[Callable[[], object]] = []
        self.imds = self.serve("imds")
        self.sts = self.serve("sts")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for ending in self._endings:
            ending()
        for server in self._servers:
            server.terminate()
            server.wait(10)
            for pipe in (server.stdin, server.stdout):
                if pipe:
                    pipe.close()
        shutil.rmtree(self.folder)

    def serve(self, name: str, *options: str) -> str:
        """Start one of the test servers; return its URL."""
        server = subprocess.Popen(
            [sys.executable, "-m", f"tests.servers.{name}", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self._servers.append(server)
        assert server.stdout is not None
        return server.stdout.readline().strip()

    def at_end(self, ending: Callable[[], object]) -> None:
        """Call this before the servers end."""
        self._endings.append(ending)

    def home(self, name: str) -> Path:
        """Return a home with a profile for every way that is measured."""
        home = self.folder / name
        (home / ".aws").mkdir(parents=True, mode=0o700)
        (home / ".aws" / "credentials").write_text(
            "[base]\naws_access_key_id = AKIABENCHBENCHBENCH0\n"
            "aws_secret_access_key = benchbenchbenchbench\n"
        )
        config = f"""\
            [profile one]
            region = eu-central-1
            role_arn = {ONE}
            source_profile = base
            [profile two]
            region = eu-central-1
            role_arn = {TWO}
            source_profile = one
            [profile credproc]
            region = eu-central-1
            credential_process = {SCRIPTS}/credproc --profile one
            """
        (home / ".aws" / "config").write_text(textwrap.dedent(config))
        return home

    def env(self, home: Path) -> dict[str, str]:
        """Return the environment of a process there, built from nothing."""
        return {
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join((str(SCRIPTS), "/usr/bin", "/bin")),
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.imds,
            "AWS_ENDPOINT_URL": NOWHERE,
            "AWS_ENDPOINT_URL_STS": self.sts,
        }


def emptied(folder: Path) -> None:
    """Remove what is cached in a folder, and the folder."""
    shutil.rmtree(folder, ignore_errors=True)
