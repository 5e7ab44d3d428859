"""Fixtures of the tests with real processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cloud import Cloud

if TYPE_CHECKING:
    from tests.harness import Host
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer


@pytest.fixture
def cloud(host: Host, imds: ImdsServer, sts: StsServer) -> Cloud:
    """A host with long-term keys that knows its metadata service and STS."""
    return Cloud(host, imds, sts)
