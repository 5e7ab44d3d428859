"""What the system says of itself, and what is done where it says nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from credproc import processes, system

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def test_boot_id_is_the_kernels() -> None:
    assert re.fullmatch(UUID, system.boot_id())


def test_machine_id_is_the_first_that_is_one(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    paths = [str(first), str(second)]
    assert system.machine_id(paths) == system.host_name() == os.uname().nodename

    second.write_text("b" * 32 + "\n")
    assert system.machine_id(paths) == "b" * 32
    for unfit in ("", "uninitialized\n", "a" * 31, "A" * 32, "a" * 33):
        first.write_text(unfit)
        assert system.machine_id(paths) == "b" * 32
    first.write_text("a" * 32 + "\n")
    assert system.machine_id(paths) == "a" * 32


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {"HOME": "/home/u"}, "/home/u/.cache"),
        ("linux", {"HOME": "/home/u", "ANDROID_DATA": "/data"}, ""),
        ("darwin", {"HOME": "/Users/u"}, "/Users/u/Library/Caches"),
        ("darwin", {"HOME": "/Users/u/", "XDG_CACHE_HOME": ""}, "/Users/u/Library/Caches"),
        ("darwin", {"HOME": "/Users/u", "XDG_CACHE_HOME": "/c"}, "/c"),
        ("darwin", {}, ""),
        ("freebsd14", {"HOME": "/home/u"}, ""),
    ],
)
def test_caches_are_where_the_system_has_them(
    platform: str, environ: dict[str, str], expected: str
) -> None:
    assert system.cache_home(environ, platform) == expected


@pytest.mark.needs("ps")
@pytest.mark.parametrize("table", [processes.table, lambda: processes.listed(processes.PS)])
def test_table_has_this_process_and_its_children(
    table: Callable[[], dict[int, processes.Process]],
) -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        found = table()
        child.kill()
    me = os.getpid()

    assert found[me].parent == os.getppid()
    assert found[child.pid].parent == me
    assert found[child.pid].state in "SDRZ"
    assert found[child.pid].start


def test_no_processes_are_listed_if_ps_is_missing_or_fails() -> None:
    assert processes.listed(["/proc/nowhere/ps"]) == {}
    assert processes.listed(["sh", "-c", "exit 1"]) == {}
    assert processes.listed(["sh", "-c", "echo usage: ps"]) == {}


def test_ended_process_is_not_found() -> None:
    with subprocess.Popen(["sh", "-c", ":"]) as child:
        child.wait()

    assert processes.one(child.pid) is None
    assert processes.one(os.getpid())


def test_every_descriptor_from_the_first_on_is_closed() -> None:
    code = """if True:
        import os
        from credproc import processes
        os.dup2(0, 2000)
        processes.close_all(3)
        print([fd for fd in (0, 1, 2, 3, 4, 2000) if os.path.exists(f"/proc/self/fd/{fd}")])"""
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, close_fds=False
    )

    assert said.stdout == b"[0, 1, 2]\n"
