"""The launcher of `credprocctl launcher` does what credproc does, with less at the start."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.harness import SCRIPTS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Host
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer

CTL = SCRIPTS / "credprocctl"
ROLE = "arn:aws:iam::123456789012:role/one"


@pytest.fixture
def launcher(host: Host, tmp_path: Path) -> Path:
    """A launcher that was just written."""
    path = tmp_path / "fast"
    result = host.run("launcher", str(path), command=CTL)
    assert (result.status, result.stderr) == (0, "")
    assert f"credential_process = {path}" in result.stdout.decode()
    return path


def test_launcher_gives_what_credproc_gives(host: Host, launcher: Path, imds: ImdsServer) -> None:
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    missed = host.run(command=launcher)
    again = host.run(command=launcher)

    assert missed.document == again.document == host.document()
    assert missed.document["AccessKeyId"] == imds.current["AccessKeyId"]
    assert imds.count("creds") == 1


def test_launcher_finds_botocore(
    host: Host, launcher: Path, imds: ImdsServer, sts: StsServer
) -> None:
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    host.environ["AWS_ENDPOINT_URL_STS"] = sts.url
    result = host.run("--role-arn", ROLE, "--source", "imds", command=launcher)

    assert result.document["AccessKeyId"] == sts.issued[-1].access_key


def test_launcher_loads_nothing_of_the_callers(
    host: Host, launcher: Path, tmp_path: Path, imds: ImdsServer
) -> None:
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    trap = tmp_path / "trap"
    trap.mkdir()
    for name in ("json", "credproc", "sitecustomize", "http"):
        (trap / f"{name}.py").write_text("raise SystemExit(77)\n")

    assert host.run(command=launcher, cwd=trap, PYTHONPATH=str(trap)).document


def test_launcher_loads_nothing_of_site(host: Host, launcher: Path, imds: ImdsServer) -> None:
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    host.document()
    # With a profile function the process ends as usual, so that something can run at its end.
    tell = "sys.setprofile(lambda *_: None)\natexit.register(lambda: print(*sys.modules))\n"
    text = launcher.read_text().replace("sys.exit", f"import atexit\n{tell}sys.exit")
    launcher.write_text(text)

    loaded = set(host.run(command=launcher).stdout.decode().splitlines()[-1].split())
    bare = host.run("-c", "import sys; print(*sys.modules)", command=sys.executable)
    names = ("__main__", "answer", "cache", "system")
    ours = {"credproc", *(f"credproc.{name}" for name in names), "atexit"}
    assert loaded - set(bare.stdout.decode().split()) == ours
    assert not {"site", "sitecustomize", "usercustomize", "_sitebuiltins"} & loaded


def test_launcher_is_written_over_a_launcher_and_over_nothing_else(
    host: Host, launcher: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\n")

    assert host.run("launcher", str(launcher), command=CTL).status == 0
    refused = host.run("launcher", str(other), command=CTL)
    assert (refused.status, refused.stdout) == (2, b"")
    assert refused.stderr.count("\n") == 1
    assert other.read_text() == "#!/bin/sh\n"
    assert not list(tmp_path.glob("*.tmp"))


def test_launcher_in_a_folder_that_is_not_there_is_one_line(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "bin" / "fast"

    result = host.run("launcher", str(path), command=CTL)

    assert (result.status, result.stdout) == (1, b"")
    assert result.stderr == (
        f"credprocctl: {path}: the directory {path.parent} does not exist: make it first\n"
    )
