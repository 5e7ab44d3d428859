"""The fixtures of the consumers' tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.consumers.install import Installer
from tests.consumers.world import World
from tests.servers.s3 import S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness import Host
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer


@pytest.fixture(scope="session")
def installer(tmp_path_factory: pytest.TempPathFactory) -> Installer:
    """What gets consumers; CREDPROC_TEST_CONSUMERS names a folder to keep them in."""
    kept = os.environ.get("CREDPROC_TEST_CONSUMERS")
    return Installer(Path(kept) if kept else tmp_path_factory.mktemp("consumers"))


@pytest.fixture
def s3() -> Iterator[S3Server]:
    """An S3."""
    with S3Server() as server:
        yield server


@pytest.fixture
def world(host: Host, imds: ImdsServer, sts: StsServer, s3: S3Server) -> World:
    """A user's machine."""
    return World(host, imds, sts, s3)
