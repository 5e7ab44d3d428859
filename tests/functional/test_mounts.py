"""A home directory on file systems with unusual inodes, times or links."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import needs, programs
from tests.cloud import ONE
from tests.harness import CREDPROC, herd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cloud import Cloud

pytestmark = [pytest.mark.slow, pytest.mark.needs("root", "mount", "umount", "fusermount")]

#: What mounts the folder BELOW on HOME; WORK is one more, for what the file system needs.
MOUNTS = {
    "bindfs": "bindfs BELOW HOME",
    "mergerfs": "mergerfs BELOW HOME",
    "unionfs-fuse": "unionfs-fuse -o cow BELOW=RW HOME",
    "sshfs": "sshfs -o ssh_command=WORK/ssh none:BELOW HOME",
    "gocryptfs": "gocryptfs -q -init -extpass 'echo pw' BELOW && "
    "gocryptfs -q -extpass 'echo pw' BELOW HOME",
    "encfs": "encfs --standard --extpass='echo pw' BELOW HOME",
    "mount": "mkdir WORK/upper WORK/work && mount -t overlay overlay "
    "-o lowerdir=BELOW,upperdir=WORK/upper,workdir=WORK/work HOME",
}
PROFILE = "[profile job]\nrole_arn = {}\ncredential_source = Environment\n"
ELSEWHERE = ONE.replace("111122223333", "444455556666")


@pytest.fixture(params=MOUNTS, ids=lambda name: "overlayfs" if name == "mount" else name)
def mounted(request: pytest.FixtureRequest, cloud: Cloud) -> Iterator[Cloud]:
    """A cloud whose host has its home directory on such a file system."""
    needs.demand(request.param, *["sftp-server"] * (request.param == "sshfs"))
    home, folder = cloud.host.home, cloud.host.folder
    below, work = folder / "below", folder / "work"
    for each in (below, work):
        each.mkdir(mode=0o700)
    if request.param == "sshfs":
        (work / "ssh").write_text(f"#!/bin/sh\nexec {programs.find('sftp-server')}\n")
        (work / "ssh").chmod(0o755)
    script = MOUNTS[request.param]
    for name, path in (("BELOW", below), ("HOME", home), ("WORK", work)):
        script = script.replace(name, shlex.quote(str(path)))
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"{script}: {done.stdout}{done.stderr}")
    try:
        assert os.path.ismount(home)
        yield cloud
    finally:
        cloud.host.settle()
        subprocess.run(["umount", "--lazy", str(home)], check=False)


def forget_caches() -> None:
    """Let the kernel forget inodes and directory entries, as it does when memory is short."""
    with contextlib.suppress(OSError):  # a container's kernel is not its own
        Path("/proc/sys/vm/drop_caches").write_text("2\n")


def test_home_on_another_file_system_is_like_any_other(mounted: Cloud) -> None:
    host = mounted.host
    config = host.config(PROFILE.format(ONE))
    os.utime(config, (1, 1))

    results = herd(host, 20, "--profile", "job")
    assert {result.status for result in results} == {0}
    assert len({result.stdout for result in results}) == 1
    assert mounted.roles == (1, 0)

    forget_caches()
    again = host.run("--profile", "job", command=CREDPROC)
    assert (again.status, again.stdout) == (0, results[0].stdout)
    assert mounted.sts.count() == 1

    # The same size and time, by a rename and in place.
    new = config.with_name("new")
    new.write_text(PROFILE.format(ELSEWHERE))
    os.utime(new, (1, 1))
    new.replace(config)
    assert host.document("--profile", "job")["AccountId"] == "444455556666"
    config.write_text(PROFILE.format(ONE))
    os.utime(config, (1, 1))
    assert host.run("--profile", "job").stdout == results[0].stdout
    assert mounted.sts.count() == 2
