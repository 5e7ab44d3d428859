"""The fixtures of the consumers' tests."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.consumers.asking import Asker
from tests.consumers.consumer import CONSUMERS, Consumer
from tests.consumers.install import Installer
from tests.consumers.world import World
from tests.servers.s3 import S3Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from tests.consumers.install import Installed
    from tests.harness import Host
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer

#: Threads that install; most of their time they wait for a registry.
INSTALLING = 4


@pytest.fixture(scope="session")
def installer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Installer:
    """What installs; CREDPROC_TEST_CONSUMERS names a folder to keep all in.

    Processes of one run share it, and Debian's packages are installed all at once; only by a run
    that skips nothing, because they stay.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    folder = Path(os.environ.get("CREDPROC_TEST_CONSUMERS") or shared / "consumers")
    packages = {package for each in wanted(request) for package in each.packages}
    return Installer(folder, packages, request.config.getoption("--all"))


@pytest.fixture(scope="session")
def installed(
    request: pytest.FixtureRequest, installer: Installer
) -> Iterator[Callable[[Consumer], Installed]]:
    """Return an installed consumer; all that this run has tests for are installed at once."""
    with ThreadPoolExecutor(INSTALLING) as threads:
        coming: dict[str, Future[Installed]] = {
            each.name: threads.submit(each.get, installer) for each in wanted(request)
        }

        def get(consumer: Consumer) -> Installed:
            future = coming.get(consumer.name)
            return future.result() if future else consumer.get(installer)

        yield get


def wanted(request: pytest.FixtureRequest) -> list[Consumer]:
    """Return the consumers that this run has tests for."""
    calls = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    run_all = request.config.getoption("--all")
    found = [params["consumer"] for params in calls if "consumer" in params]
    names = {each.name for each in found if each.here or run_all}
    return [each for each in CONSUMERS if each.name in names]


@pytest.fixture
def s3() -> Iterator[S3Server]:
    """An S3."""
    with S3Server() as server:
        yield server


@pytest.fixture
def world(host: Host, imds: ImdsServer, sts: StsServer, s3: S3Server) -> World:
    """A user's machine."""
    return World(host, imds, sts, s3)


@pytest.fixture
def asker(world: World, installed: Callable[[Consumer], Installed], consumer: Consumer) -> Asker:
    """The consumer on that machine, to ask STS who it is."""
    return Asker(world, consumer, installed(consumer))
