"""What a run loads: nothing on a hit, no AWS library for the instance's role, no boto3 ever."""

from __future__ import annotations

import shutil
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import credproc
from tests import cachedir
from tests.cloud import CHAIN, PROFILES
from tests.harness import CREDPROC

if TYPE_CHECKING:
    from tests.cloud import Cloud
    from tests.harness import Host

#: All that a hit loads beyond a bare interpreter. Whatever is added here is paid for by every run.
HIT = {
    *("credproc", "credproc.__main__", "credproc.answer", "credproc.cache", "credproc.system"),
}
#: And the one run that starts the refresh in the background; it has printed before.
AHEAD = HIT | {
    *("credproc.background", "credproc.files", "credproc.generation", "credproc.locks"),
    *("credproc.processes", "credproc.store", "credproc.windows"),
    *("__future__", "errno", "fcntl"),
}

#: Modules that cost milliseconds.
HEAVY = {
    *("argparse", "ast", "asyncio", "boto3", "botocore", "concurrent.futures", "configparser"),
    *("csv", "dataclasses", "dateutil", "decimal", "email.message", "filelock", "hashlib", "html"),
    *("http.client", "http.cookiejar", "importlib.metadata", "inspect", "jmespath", "json"),
    *(
        "logging",
        "multiprocessing",
        "pathlib",
        "pickle",
        "platform",
        "platformdirs",
        "pprint",
        "re",
    ),
    *("s3transfer", "shlex", "shutil", "socket", "ssl", "subprocess", "tempfile", "threading"),
    *(
        "traceback",
        "typing",
        "urllib.request",
        "urllib3",
        "uuid",
        "xml.etree.ElementTree",
        "zipfile",
    ),
}
#: Those that the instance's role may cost.
IMDS_MISS = {"argparse", "json", "re", "socket", "threading", "typing"}
#: And those that a role may cost over plain HTTP; TLS takes ssl.
ROLE_MISS = IMDS_MISS | {"hashlib", "shlex", "subprocess"}

#: Requests with an entry of their own, each from another kind of provider.
WAYS = {"imds": (), "chain": CHAIN, "profile": ("--profile", "two")}


class Command:
    """An installed credproc, and the interpreter that runs it."""

    def __init__(self, script: Path, python: Path) -> None:
        self.script = script
        self.python = python

    def loaded(self, host: Host, *argv: str) -> tuple[bytes, set[str]]:
        """Run it; return stdout and the modules that were loaded beyond those of ``bare``."""
        result = host.run(*argv, command=self.script, PYTHONPROFILEIMPORTTIME="1")
        assert result.status == 0, result
        return result.stdout, _modules(result.stderr) - self.bare(host)

    def bare(self, host: Host) -> set[str]:
        """Return the modules that the interpreter itself loads."""
        result = host.run("-c", "pass", command=self.python, PYTHONPROFILEIMPORTTIME="1")
        return _modules(result.stderr)


def _modules(stderr: str) -> set[str]:
    """Read what -X importtime writes: a head, and a line for each module."""
    lines = [line.split("|") for line in stderr.splitlines() if line.startswith("import time:")]
    return {name.strip() for _, _, name in lines[1:]}


@pytest.fixture(scope="module")
def pure(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The installed credproc, copied to a place with no package but the standard library."""
    folder = tmp_path_factory.mktemp("pure") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    shutil.copytree(Path(credproc.__file__).parent, packages / "credproc")
    script, python = folder / "bin" / "credproc", folder / "bin" / "python"
    _, text = CREDPROC.read_text("utf-8").split("\n", 1)
    script.write_text(f"#!{python}\n{text}", "utf-8")
    script.chmod(0o755)
    return Command(script, python)


@pytest.fixture(autouse=True)
def unmeasured(host: Host) -> None:
    """Leave out what measures coverage: it is no part of the command."""
    host.environ |= {name: None for name in host.environ if name.startswith("COVERAGE_")}


@pytest.fixture(params=["installed", "pure"])
def command(request: pytest.FixtureRequest, pure: Command) -> Command:
    """The command that the tests run, or its copy."""
    return pure if request.param == "pure" else Command(CREDPROC, Path(sys.executable))


def test_bare_interpreter_loads_none_of_the_heavy_modules(host: Host, pure: Command) -> None:
    bare = pure.bare(host)

    assert {"os", "site", "encodings.utf_8"} <= bare
    assert bare & HEAVY == set()


@pytest.mark.parametrize("way", WAYS)
def test_hit_loads_only_its_own_modules(cloud: Cloud, command: Command, way: str) -> None:
    cloud.host.config(PROFILES)
    document = cloud.host.run(*WAYS[way]).stdout
    before = cloud.imds.count(), cloud.sts.count()

    assert command.loaded(cloud.host, *WAYS[way]) == (document, HIT)
    assert (cloud.imds.count(), cloud.sts.count()) == before


@pytest.mark.parametrize("way", WAYS)
def test_hit_that_starts_a_refresh_loads_only_what_it_needs(
    cloud: Cloud, command: Command, way: str
) -> None:
    cloud.host.config(PROFILES)
    document = cloud.host.run(*WAYS[way]).stdout
    cloud.leave("ahead")
    with cloud.imds.hold(), cloud.sts.hold():
        before = cachedir.entries(cloud.host.cache)
        printed, modules = command.loaded(cloud.host, *WAYS[way])
        # A hit during the refresh loads nothing.
        again = command.loaded(cloud.host, *WAYS[way])

    assert modules == AHEAD - command.bare(cloud.host)
    assert printed in {entry.document for entry in before}
    assert printed == document
    assert again == (document, HIT)


def test_instance_role_loads_no_package_but_credproc(cloud: Cloud, pure: Command) -> None:
    _, modules = pure.loaded(cloud.host)

    # There is no other package: every import is of the standard library, or fails.
    assert cloud.imds.count("creds") == 1
    assert modules & HEAVY <= IMDS_MISS


def test_instance_role_loads_no_library_of_aws(cloud: Cloud) -> None:
    _, modules = Command(CREDPROC, Path(sys.executable)).loaded(cloud.host)

    assert cloud.imds.count("creds") == 1
    assert "credproc.providers.imds" in modules
    assert modules & HEAVY <= IMDS_MISS


@pytest.mark.parametrize("way", ["chain", "profile"])
def test_role_loads_no_library_of_aws(cloud: Cloud, way: str) -> None:
    cloud.host.config(PROFILES)
    _, modules = Command(CREDPROC, Path(sys.executable)).loaded(cloud.host, *WAYS[way])

    assert cloud.roles == (1, 1)
    assert "credproc.providers.query" in modules
    assert modules & HEAVY <= ROLE_MISS


@pytest.mark.parametrize("way", ["chain", "profile"])
def test_unusual_role_loads_botocore_but_neither_boto3_nor_another_cache(
    cloud: Cloud, way: str
) -> None:
    cloud.host.config(PROFILES)
    cloud.host.environ["AWS_STS_REGIONAL_ENDPOINTS"] = "legacy"
    _, modules = Command(CREDPROC, Path(sys.executable)).loaded(cloud.host, *WAYS[way])

    assert cloud.roles == (1, 1)
    assert "botocore.session" in modules
    assert modules.isdisjoint({"boto3", "s3transfer", "filelock", "platformdirs", "asyncio"})


def test_failure_without_an_instance_loads_no_library_of_aws(host: Host, pure: Command) -> None:
    result = host.run(command=pure.script, PYTHONPROFILEIMPORTTIME="1")

    assert result.status == 1
    assert "this is not an EC2 instance" in result.stderr
    assert "credproc.providers.imds" in _modules(result.stderr)
    assert _modules(result.stderr) & HEAVY <= IMDS_MISS
