"""Checks of the doctor on what no test machine has: other disks, slow programs, no program."""

from __future__ import annotations

import email.utils
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from credproc import __version__
from credproc.ctl import commandline, mounts
from credproc.ctl.checks import Case, answer, config, consumers, installation, network
from credproc.ctl.shared import Target, load, of_profile
from credproc.errors import RequestError
from credproc.log import Log
from credproc.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from credproc.ctl.checks import Check


def case(tmp_path: Path, line: str = "", patience: float = 20, slow: float = 0.5) -> Case:
    """Return a case: a home in the folder, and a profile with that line."""
    environ = {"HOME": str(tmp_path), "PATH": str(tmp_path)}
    config = tmp_path / "config"
    config.write_text(f"[profile app]\ncredential_process = {line}\n" if line else "")
    environ["AWS_CONFIG_FILE"] = str(config)
    shared = load(environ)
    made = Case(environ, Log("", time.time), shared, patience, slow)
    made.target = of_profile(shared, "app") if line else Target([])
    made.store = Store(str(tmp_path / "cache"))
    return made


def said(checks: Iterable[Check]) -> list[tuple[str, str]]:
    """Return the statuses and the texts."""
    return [(each.status, each.text) for each in checks]


def program(path: Path, text: str) -> Path:
    """Write a program."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_program_that_hangs(tmp_path: Path) -> None:
    path = program(tmp_path / "credproc", "exec /bin/sleep 30")

    found = said(installation.executable(case(tmp_path, str(path), patience=0.2)))

    assert found == [("fail", f"{path} --version ran for more than 0.2 s")]


def test_program_that_is_slow(tmp_path: Path) -> None:
    path = program(tmp_path / "credproc", f"echo credproc {__version__}")

    (status, text), *_ = said(installation.executable(case(tmp_path, str(path), slow=0)))

    assert (status, text.startswith(f"{path}, ")) == ("warn", True)


def test_modules_without_bytecode(tmp_path: Path) -> None:
    found = said(installation.compiled(str(tmp_path / "module.py")))

    assert found == [("warn", "its modules are compiled again at each start")]


def test_no_program_anywhere(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="give its path with --executable PATH"):
        commandline.executable(None, {"PATH": str(tmp_path)}, [str(tmp_path), str(tmp_path)])


class Disk:
    """What os.statvfs tells of a disk, as far as it is of interest."""

    def __init__(self, free: int, inodes: int) -> None:
        self.f_bavail, self.f_frsize, self.f_files, self.f_favail = free, 1, 9, inodes


@pytest.mark.parametrize(
    ("kind", "free", "inodes", "status"),
    [
        ("ext4", 10**9, 9, "ok"),
        ("nfs4", 10**9, 9, "warn"),
        ("fuse.sshfs", 10**9, 9, "warn"),
        ("ext4", 4096, 9, "warn"),
        ("ext4", 10**9, 0, "warn"),
    ],
)
def test_disk_of_the_cache(kind: str, free: int, inodes: int, status: str) -> None:
    space: Any = Disk(free, inodes)
    found = installation.disk("/cache", kind, space)

    assert found.status == status
    assert found.text.startswith(f"/cache, on {kind} with ")


class Loose(Store):
    """A cache on a file system whose locks keep no other process out."""

    def take(self, name: str, until: float = 0) -> int | None:
        return os.open(os.path.join(self.path, name), os.O_RDWR | os.O_CREAT, 0o600)


def test_lock_that_does_not_exclude_others(tmp_path: Path) -> None:
    made = case(tmp_path)
    made.store = Loose(str(tmp_path / "cache"))
    found = said(installation.cache_directory(made))

    assert found[1][0] == "warn"
    assert "does not work here" in found[1][1]


def test_file_system_of_a_directory(tmp_path: Path) -> None:
    assert mounts.filesystem("/proc") == "proc"
    assert mounts.filesystem("/proc/self") == "proc"
    assert mounts.filesystem(str(tmp_path)) not in ("", "proc")
    # A system without the list, such as macOS.
    assert mounts.filesystem("/proc", f"{tmp_path}/mountinfo") == "an unknown file system"


def test_mount_point_with_a_blank_is_read(tmp_path: Path) -> None:
    listed = tmp_path / "mountinfo"
    listed.write_text(f"36 35 98:0 / {tmp_path}/my\\040disk rw,noatime - ext3 /dev/root rw\n")

    assert dict(mounts.mounted(str(listed))) == {f"{tmp_path}/my disk": "ext3"}
    assert mounts.filesystem(f"{tmp_path}/my disk/x", str(listed)) == "ext3"


def test_command_that_cannot_be_started_any_more(tmp_path: Path) -> None:
    path = tmp_path / "credproc"

    check = answer._hit(case(tmp_path, str(path)), str(path))

    assert (check.status, check.text) == (
        "fail", "the profile's command cannot be started: no such file or directory"
    )  # fmt: skip


def test_command_that_does_not_end(tmp_path: Path) -> None:
    path = program(tmp_path / "credproc", "exec /bin/sleep 30")

    check = answer._hit(case(tmp_path, str(path), patience=0.2), str(path))

    assert (check.status, check.text) == ("fail", "the profile's command ran for more than 0.2 s")


def test_aws_that_hangs(tmp_path: Path) -> None:
    path = program(tmp_path / "aws", "exec /bin/sleep 30")

    (status, text), *_ = said(consumers.installed(case(tmp_path, patience=0.2)))

    assert (status, text) == ("warn", f"{path} --version ran for more than 0.2 s")


def test_aws_that_cannot_be_started(tmp_path: Path) -> None:
    path = tmp_path / "aws"
    path.write_text("#!/proc/nowhere/at/all\n")
    path.chmod(0o755)

    (status, text), *_ = said(consumers.installed(case(tmp_path)))

    assert (status, text) == ("warn", f"{path} cannot be started: no such file or directory")


@pytest.mark.parametrize("date", ["", "yesterday", "Tue, 99 Nov 2026 00:00:00 GMT"])
def test_unreadable_time_is_ignored(date: str, tmp_path: Path) -> None:
    made = case(tmp_path)
    made.dated("IMDS", date)

    assert said(network.clocks(made)) == []


def test_clocks_that_agree(tmp_path: Path) -> None:
    made = case(tmp_path)
    made.dated("IMDS", email.utils.formatdate(time.time(), usegmt=True))

    assert said(network.clocks(made)) == [("ok", "agrees with IMDS")]


@pytest.mark.needs("root")
def test_config_of_another_user(tmp_path: Path) -> None:
    made = case(tmp_path, "credproc")
    os.chown(tmp_path / "config", 4242, 4242)

    found = said(config.files(made))

    assert found[0][0] == "warn"
    assert "belongs to another user (uid 4242)" in found[0][1]
