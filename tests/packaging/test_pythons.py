"""The wheel under every Python that is here, with the oldest and the newest of what it requires.

Each Python gets both by ``uv pip``, and one of the other installers, in turn.
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

import credproc
from tests import artefacts, pythons, venvs
from tests.cloud import ONE
from tests.harness import SCRIPTS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Host
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer

pytestmark = pytest.mark.timeout(300)

SETUP = (artefacts.source() / "setup.cfg").read_text(encoding="utf-8")
#: The least version of each requirement.
LOWEST = dict(re.findall(r"^    (boto3|filelock|platformdirs) >= ([\d.]+)$", SETUP, re.MULTILINE))
PYTHONS = pythons.present(pythons.releases(SETUP))
TOOLS = ("pip", "pipx", "uv tool")
#: Which installer each release gets; the newest ones are seen by the next in turn.
IN_TURN = [(release, TOOLS[number % len(TOOLS)]) for number, release in enumerate(PYTHONS)]


def called(*command: str | Path, **extra: str) -> str:
    """Run an installer; return what it printed."""
    env = {**venvs.environment(), "PATH": f"{SCRIPTS}:/usr/bin:/bin", **extra}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    return done.stdout


def gets_credentials(program: Path, host: Host, imds: ImdsServer, sts: StsServer) -> None:
    """Check that an installed credproc does its work: the instance's role, and one from there."""
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    host.environ["AWS_ENDPOINT_URL_STS"] = sts.url
    said = host.run("--version", command=program)
    assert said.stdout.decode() == f"credproc {credproc.__version__}\n"
    for _ in range(2):
        instance = host.run(command=program).document
        assert instance["AccessKeyId"] == imds.current["AccessKeyId"]
        role = host.run("--role-arn", ONE, "--source", "imds", command=program).document
        assert role["AccessKeyId"] == sts.issued[-1].access_key
    # As the answer to one request and as the source of the other.
    assert (imds.count("creds"), sts.count(ONE)) == (2, 1)
    told = host.run("cache", "path", command=program.with_name("credprocctl"))
    assert told.stdout.decode() == f"{host.cache}\n"


def versions(python: Path) -> dict[str, str]:
    """Return the versions of what credproc requires."""
    script = "import sys, importlib.metadata as m; print(*map(m.version, sys.argv[1:]))"
    return dict(zip(LOWEST, called(python, "-c", script, *LOWEST).split(), strict=True))


@pytest.mark.parametrize("oldest", [True, False], ids=["oldest", "newest"])
@pytest.mark.parametrize("release", PYTHONS)
def test_works_with_the_oldest_and_the_newest_requirements(
    release: str,
    oldest: bool,
    tmp_path: Path,
    wheel: Path,
    host: Host,
    imds: ImdsServer,
    sts: StsServer,
) -> None:
    venv = tmp_path / "venv"
    uv = ("uv", "--quiet")
    called(*uv, "venv", "--python", PYTHONS[release], venv)
    python = venv / "bin" / "python"
    wanted = [f"{name}=={version}" for name, version in LOWEST.items()] if oldest else []
    asked = ("--python", python, "--upgrade", "--compile-bytecode")
    called(*uv, "pip", "install", *asked, str(wheel), *wanted)

    gets_credentials(venv / "bin" / "credproc", host, imds, sts)

    for name, version in versions(python).items():
        least = LOWEST[name].split(".")
        assert (version.split(".")[: len(least)] == least) == oldest, (name, version)


@pytest.mark.parametrize(("release", "tool"), IN_TURN)
def test_installer_installs_it_and_takes_all_of_it_away(
    release: str,
    tool: str,
    tmp_path: Path,
    wheel: Path,
    host: Host,
    imds: ImdsServer,
    sts: StsServer,
) -> None:
    folder = tmp_path / "tool"
    env = {
        "PIPX_HOME": str(folder / "pipx"),
        "PIPX_BIN_DIR": str(folder / "bin"),
        "PIPX_MAN_DIR": str(folder / "man"),
        "UV_TOOL_DIR": str(folder / "uv"),
        "UV_TOOL_BIN_DIR": str(folder / "bin"),
    }
    install, uninstall = [*tool.split(), "install"], [*tool.split(), "uninstall", "credproc"]
    if tool == "pip":
        called(PYTHONS[release], "-m", "venv", folder)
        install = [str(folder / "bin" / "python"), "-m", "pip", "--quiet", "install"]
        uninstall = [*install[:-1], "uninstall", "--yes", "credproc"]
        called(*install, *LOWEST)
    else:
        install += ["--python", str(PYTHONS[release])]
    before = files(folder)

    called(*install, str(wheel), **env)
    gets_credentials(folder / "bin" / "credproc", host, imds, sts)
    assert files(folder) - before
    called(*uninstall, **env)

    assert files(folder) - before == set()


def files(folder: Path) -> set[Path]:
    """Return the files below, but for an installer's own notes and bytecode of other packages."""
    own = ("logs", "shared", ".cache", "trash")
    return {
        path
        for path in folder.rglob("*")
        if not path.is_dir()
        and not set(own) & set(path.parts)
        and not (path.suffix == ".pyc" and "credproc" not in path.parts)
        and path.suffix != ".lock"
        and path.name not in (".lock", ".gitignore", "CACHEDIR.TAG")
    }
