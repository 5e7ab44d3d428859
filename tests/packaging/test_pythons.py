"""The wheel under every Python that is here, with the oldest and the newest of what it requires.

Each Python gets both by ``uv pip``, and one of them by one of the other installers, in turn.
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

import credproc
from tests import artefacts, needs, pythons, venvs
from tests.cloud import KEYS, ONE
from tests.harness import SCRIPTS
from tests.servers import tls
from tests.servers.sts import StsServer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Host
    from tests.servers.imds import ImdsServer

pytestmark = [pytest.mark.slow, pytest.mark.needs("network"), pytest.mark.timeout(300)]

SETUP = (artefacts.source() / "setup.cfg").read_text(encoding="utf-8")
#: The least version of each requirement.
LOWEST = dict(re.findall(r"^    (boto3|filelock|platformdirs) >= ([\d.]+)$", SETUP, re.MULTILINE))
LEAST = [f"{name}=={version}" for name, version in LOWEST.items()]
RELEASES = pythons.releases(SETUP)
PYTHONS = pythons.present(RELEASES)
TOOLS = ("pip", "pipx", "uv tool")
#: Which installer each release gets, and with which requirements: each has both within six.
IN_TURN = [
    (release, TOOLS[number % len(TOOLS)], number % 6 < 3) for number, release in enumerate(RELEASES)
]


@pytest.fixture
def interpreter(release: str) -> Path:
    """The Python of that release."""
    if release not in PYTHONS:
        raise needs.Missing([f"python{release}"], f"there is no Python {release}")
    return PYTHONS[release]


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
    # One session of the instance's role serves both requests.
    assert (imds.count("creds"), sts.count(ONE)) == (1, 1)
    result = host.run("cache", "path", command=program.with_name("credprocctl"))
    assert result.stdout.decode() == f"{host.cache}\n"


def verifies_certificates(program: Path, host: Host, folder: Path) -> None:
    """Check that an empty variable does not turn verification off, as some releases take it."""
    with StsServer(tls=tls.make(folder).server) as server:
        host.environ |= {**KEYS, "AWS_ENDPOINT_URL_STS": server.url, "AWS_CA_BUNDLE": ""}
        host.environ |= {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": "", "SSL_CERT_FILE": ""}
        host.environ["AWS_STS_REGIONAL_ENDPOINTS"] = "legacy"  # by botocore
        result = host.run("--role-arn", ONE, "--source", "env", "--no-cache", command=program)

        assert result.status == 1
        assert "CERTIFICATE_VERIFY_FAILED" in result.stderr
        assert server.count() == 0


def versions(python: Path) -> dict[str, str]:
    """Return the versions of what credproc requires."""
    script = "import sys, importlib.metadata as m; print(*map(m.version, sys.argv[1:]))"
    return dict(zip(LOWEST, called(python, "-c", script, *LOWEST).split(), strict=True))


def are_of_that_age(python: Path, oldest: bool) -> None:
    """Check that what credproc requires is there in its oldest releases, or in newer ones."""
    for name, version in versions(python).items():
        least = LOWEST[name].split(".")
        assert (version.split(".")[: len(least)] == least) == oldest, (name, version)


@pytest.mark.parametrize("oldest", [True, False], ids=["oldest", "newest"])
@pytest.mark.parametrize("release", RELEASES)
def test_works_with_the_oldest_and_the_newest_requirements(
    interpreter: Path,
    oldest: bool,
    tmp_path: Path,
    wheel: Path,
    host: Host,
    imds: ImdsServer,
    sts: StsServer,
) -> None:
    venv = tmp_path / "venv"
    uv = ("uv", "--quiet")
    called(*uv, "venv", "--python", interpreter, venv)
    python = venv / "bin" / "python"
    wanted = LEAST if oldest else []
    options = ("--python", python, "--upgrade", "--compile-bytecode")
    called(*uv, "pip", "install", *options, str(wheel), *wanted)

    gets_credentials(venv / "bin" / "credproc", host, imds, sts)
    verifies_certificates(venv / "bin" / "credproc", host, tmp_path)
    are_of_that_age(python, oldest)


@pytest.mark.parametrize(("release", "tool", "oldest"), IN_TURN, ids=str)
def test_installer_installs_and_uninstalls_everything(
    interpreter: Path,
    tool: str,
    oldest: bool,
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
    if oldest:
        pinned = tmp_path / "pinned.txt"
        pinned.write_text("\n".join(LEAST))
        env |= {"PIP_CONSTRAINT": str(pinned), "UV_CONSTRAINT": str(pinned)}
    install, uninstall = [*tool.split(), "install"], [*tool.split(), "uninstall", "credproc"]
    if tool == "pip":
        called(interpreter, "-m", "venv", folder)
        install = [str(folder / "bin" / "python"), "-m", "pip", "--quiet", "install"]
        uninstall = [*install[:-1], "uninstall", "--yes", "credproc"]
        called(*install, *LOWEST, **env)
    else:
        install += ["--python", str(interpreter)]
    before = files(folder)

    called(*install, str(wheel), **env)
    program = folder / "bin" / "credproc"
    gets_credentials(program, host, imds, sts)
    are_of_that_age(program.resolve().with_name("python"), oldest)
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
