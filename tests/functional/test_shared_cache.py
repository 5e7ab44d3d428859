"""A cache that several containers mount: what they share, and what their host names separate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from credproc import system
from tests import needs
from tests.cloud import ONE
from tests.harness import CREDPROC
from tests.servers.container import ContainerServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cloud import Cloud

#: Gives a process a host name of its own, as a container has it.
NAMED = 'echo "$0" >/proc/sys/kernel/hostname && exec "$@"'

JOB = ("--role-session-name", "job")
FROM_IMDS, FROM_TASK = (("--role-arn", ONE, "--source", each) for each in ("imds", "container"))


@pytest.fixture
def task(cloud: Cloud) -> Iterator[ContainerServer]:
    """The credentials endpoint of a task, the same for all its containers."""
    with ContainerServer() as server:
        cloud.host.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server.full_uri
        yield server


def ask(cloud: Cloud, name: str, *options: str) -> str:
    """Run credproc in a container of that name, the cache being mounted; return the access key."""
    needs.demand("namespaces")
    words = ("--uts", "sh", "-c", NAMED, name, str(CREDPROC), *options)
    mounted = str(cloud.host.folder / "mounted")
    result = cloud.host.run(*words, command="unshare", CREDPROC_CACHE_DIR=mounted)
    return str(result.document["AccessKeyId"])


@pytest.mark.parametrize("other", ["jobs", "d4e5f6"])
def test_instances_role_is_shared_under_one_host_name(other: str, cloud: Cloud) -> None:
    ask(cloud, "jobs", "--imds")
    ask(cloud, other, "--imds")

    assert cloud.imds.count("creds") == (1 if other == "jobs" else 2)


@pytest.mark.parametrize("options", [FROM_IMDS, (*FROM_IMDS[:2], *JOB, *FROM_IMDS[2:])])
@pytest.mark.parametrize("other", ["jobs", "d4e5f6"])
def test_role_from_the_instances_is_shared_under_one_host_name(
    other: str, options: tuple[str, ...], cloud: Cloud
) -> None:
    keys = {ask(cloud, name, *options) for name in ("jobs", other)}

    assert len(keys) == cloud.sts.count(ONE) == (1 if other == "jobs" else 2)


@pytest.mark.parametrize("other", ["jobs", "d4e5f6"])
def test_role_from_the_tasks_is_shared_on_one_machine_despite_a_new_name(
    other: str, cloud: Cloud, task: ContainerServer
) -> None:
    keys = {ask(cloud, name, *FROM_TASK) for name in ("jobs", other)}

    is_known = system.machine_id() != system.host_name()
    assert len(keys) == cloud.sts.count(ONE) == (1 if other == "jobs" or is_known else 2)


def test_role_from_the_tasks_is_shared_under_one_role_session_name(
    cloud: Cloud, task: ContainerServer
) -> None:
    options = (*FROM_TASK[:2], *JOB, *FROM_TASK[2:])

    keys = {ask(cloud, name, *options) for name in ("jobs", "d4e5f6")}

    assert len(keys) == cloud.sts.count(ONE) == task.count("creds") == 1
