"""Files are private to the user from their first byte on, whatever the umask."""

from __future__ import annotations

import itertools
import os
import re
import stat
from typing import TYPE_CHECKING

import pytest

from tests import cachedir
from tests.harness import CREDPROC
from tests.tracing import Tracer, kill

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Host
    from tests.servers.imds import ImdsServer
    from tests.tracing import Step

UMASKS = (0o000, 0o022, 0o077, 0o777)


def with_umask(umask: int) -> list[str]:
    return ["/bin/sh", "-c", f'umask {umask:o} && exec "$0" "$@"', str(CREDPROC)]


def modes(folder: Path) -> dict[str, int]:
    """Return the permissions of the folder and of all that is in it, by path."""
    paths = [folder, *folder.rglob("*")] if folder.exists() else []
    return {str(path.relative_to(folder)): stat.S_IMODE(path.lstat().st_mode) for path in paths}


def assert_private(folder: Path) -> None:
    for path, mode in modes(folder).items():
        assert mode == (0o600 if (folder / path).is_file() else 0o700), (path, oct(mode))


@pytest.mark.parametrize("umask", UMASKS, ids=oct)
def test_modes_do_not_depend_on_the_umask(host: Host, imds: ImdsServer, umask: int) -> None:
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    log = host.folder / "log"
    command, *args = with_umask(umask)

    for _ in range(2):
        host.run(*args, command=command, CREDPROC_LOG=str(log))

    assert_private(host.home / ".cache")
    assert len(modes(host.cache)) == 7  # the directory, two entries with their locks, two locks
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert imds.count("creds") == 1


@pytest.mark.parametrize("umask", [0o000, 0o777], ids=oct)
def test_no_file_ever_has_other_modes(host: Host, imds: ImdsServer, umask: int) -> None:
    """A run that is killed right after it created something leaves that as it was created."""
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url

    def after_making(steps: list[Step]) -> list[Step]:
        return [later for step, later in itertools.pairwise(steps) if makes(step)]

    found = set()
    for _, result in Tracer(host, host.home / ".cache").fail_at_each(
        lambda: cachedir.clear(host.home / ".cache"),
        kill,
        *with_umask(umask),
        choose=after_making,
    ):
        assert result.status < 0
        assert_private(host.home / ".cache")
        found |= {os.path.splitext(path)[1] for path in modes(host.home / ".cache")}
    assert found == {"", ".lock", ".tmp", ".entry"}


def makes(step: Step) -> bool:
    return step.name == "mkdir" or "O_CREAT" in step.line


def test_files_are_opened_and_replaced_safely(host: Host, imds: ImdsServer) -> None:
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    tracer = Tracer(host, host.cache)
    assert tracer.run(str(CREDPROC)).status == 0

    steps = tracer.steps()
    opened = [step for step in steps if step.name == "openat"]
    assert len(opened) > 5
    for step in opened:
        assert "O_NOFOLLOW" in step.line, step
        assert "O_CLOEXEC" in step.line, step
        if "O_CREAT" in step.line:
            assert re.search(r", 0600\) = \d+", step.line), step
    new = [step for step in opened if ".tmp" in step.line]
    assert len(new) == 2  # the session, the answer
    assert all("O_WRONLY|O_CREAT|O_EXCL" in step.line for step in new)
    written = [step.name for step in steps if ".tmp" in step.line]
    assert written == ["openat", "write", "fsync", "close", "renameat"] * 2


def test_hit_writes_nothing_and_opens_two_things(host: Host, imds: ImdsServer) -> None:
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    host.document()
    tracer = Tracer(host, host.cache)
    assert tracer.run(str(CREDPROC)).status == 0

    steps = tracer.steps()
    assert [step.name for step in steps].count("openat") == 2
    assert not any(step.changes for step in steps), steps
