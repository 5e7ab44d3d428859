"""Fixtures of the tests with real processes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.cloud import Cloud
from tests.functional.stuck import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness import Host
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer


@pytest.fixture
def cloud(host: Host, imds: ImdsServer, sts: StsServer) -> Cloud:
    """A host with long-term keys that knows its metadata service and STS."""
    return Cloud(host, imds, sts)


@pytest.fixture
def online(host: Host, imds: ImdsServer, sts: StsServer) -> Host:
    """A host with the addresses of its metadata service and STS, and no other settings."""
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    host.environ["AWS_ENDPOINT_URL_STS"] = sts.url
    return host


@pytest.fixture
def place(online: Host, imds: ImdsServer, sts: StsServer) -> Iterator[Place]:
    """A place to get stuck in."""
    with contextlib.ExitStack() as stack:
        yield Place(online, imds, sts, stack)
