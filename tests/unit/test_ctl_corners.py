"""credprocctl where the system, or another process, does what it seldom does."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from credproc import sweep
from credproc.ctl import __main__ as ctl
from credproc.ctl import (
    cached,
    changing,
    doctor,
    ec2,
    launcher,
    machine,
    rewriting,
)
from credproc.ctl.aws import Refused
from credproc.ctl.output import Console
from credproc.ctl.steps import Steps
from credproc.errors import ProviderFailed, RequestError
from credproc.log import Log
from credproc.store import Store
from tests.harness import LIMIT
from tests.users import NOBODY, as_user, public_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from credproc.cache import Entry
    from credproc.ctl.checks import Check

NAME = f"{'0' * 32}.entry"
#: Writes a file that is to belong to another group.
PUT = """
import os, sys
from credproc.ctl import rewriting
rewriting.put(sys.argv[1], b"text", int(sys.argv[2]), (os.geteuid(), 54321))
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A cache with one file that is named like an entry."""
    made = Store(str(tmp_path / "credproc"))
    made.make()
    (tmp_path / "credproc" / NAME).touch(mode=0o600)
    return made


def test_file_that_goes_while_it_is_looked_at_is_not_useless(store: Store) -> None:
    assert sweep.useless(store, f"{'2' * 32}.lock", time.time(), ended=0) == ""


def test_entry_that_goes_while_the_cache_is_listed_is_left_out(tmp_path: Path) -> None:
    class Going(Store):
        """A cache whose entry another process removes between the listing and the reading."""

        def load(self, name: str, key: bytes = b"") -> Entry | None:
            os.unlink(os.path.join(self.path, name))
            return super().load(name, key)

    going = Going(str(tmp_path / "credproc"))
    going.make()
    (tmp_path / "credproc" / NAME).touch(mode=0o600)

    assert cached.cached(going) == []


def test_instance_that_ec2_leaves_out_is_unknown() -> None:
    account: Any = SimpleNamespace(
        ec2=SimpleNamespace(describe_instances=lambda **_: {"Reservations": []})
    )

    with pytest.raises(Refused, match="EC2 returned no instance i-0123"):
        ec2._instance(account, "i-0123")


def test_profile_without_a_place_for_the_config_is_refused() -> None:
    steps = Steps(Console({}))

    with pytest.raises(RequestError, match="set HOME"):
        changing.change("", "profile app", "written to", lambda _: None, steps)


def test_file_of_another_user_stays_theirs(tmp_path: Path) -> None:
    path = tmp_path / "config"
    other = (54321, 54321)
    rewriting.put(str(path), b"text", 0o600, other)

    status = path.stat()
    mine = (os.geteuid(), os.getegid())
    assert (status.st_uid, status.st_gid) == (other if os.geteuid() == 0 else mine)
    assert path.read_bytes() == b"text"


@pytest.mark.parametrize(("mode", "left"), [(0o640, 0o600), (0o664, 0o644), (0o600, 0o600)])
def test_another_group_gets_no_access_if_a_file_cannot_keep_its_own(mode: int, left: int) -> None:
    words = [*as_user(NOBODY, reads_all=True), sys.executable, "-c", PUT]
    with public_folder() as folder:
        os.chown(folder, NOBODY, NOBODY)
        path = folder / "config"
        subprocess.run([*words, str(path), str(mode)], check=True, timeout=LIMIT)
        status = path.stat()

    assert (status.st_uid, status.st_gid) == (NOBODY, NOBODY)
    assert status.st_mode & 0o777 == left


def test_stream_that_is_a_programs_own_is_written_to(store: Store) -> None:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert ctl.run(["cache", "path", "--cache-dir", store.path], Log("", time.time), {}) == 0
    assert out.getvalue() == f"{store.path}\n"


def examined(*words: str, checks: Any = ()) -> list[Check]:
    """Return what the doctor says of a user without any config, after the first checks."""
    given = ctl.parser().parse_args(["doctor"])
    given.options, given.log = list(words) or None, Log("", time.time)
    environ = {"HOME": "/proc/nowhere", "PATH": "/usr/bin:/bin"}
    return list(doctor.results(given, environ, checks))


def test_command_line_that_cannot_be_read_is_a_fault() -> None:
    last = examined("--nonsense")[-1]

    assert (last.status, last.name) == ("fail", "command")
    assert last.text.startswith("unknown option --nonsense")


def said_of_a_first_check(error: Exception) -> Check:
    """Return what is said of a first check that fails so; the second one must be done."""
    done: list[str] = []

    def first_check(_: object) -> Iterator[Check]:
        raise error

    def second_check(_: object) -> Iterator[Check]:
        done.append("second")
        return iter(())

    last = examined(checks=(first_check, second_check))[-1]
    assert done == ["second"]
    return last


def test_check_that_fails_is_named_and_the_next_one_is_done() -> None:
    last = said_of_a_first_check(ProviderFailed("out of reach"))

    assert (last.name, last.text) == ("first check", "out of reach")


def test_check_that_fails_unexpectedly_is_reported_and_the_next_one_is_run() -> None:
    last = said_of_a_first_check(ZeroDivisionError("geheim"))

    assert (last.status, last.name) == ("fail", "first check")
    assert last.text.startswith(
        "internal error in credprocctl: ZeroDivisionError at test_ctl_corners"
    )
    assert last.text.endswith("; please report it with the output of -v")


def test_user_without_a_home_has_no_cache() -> None:
    assert machine.off({})[0] == "there is no home directory"
    assert machine.off({"HOME": "x"})[0] == "HOME=x is not an absolute path"


def launcher_refused(path: Path) -> str:
    given = ctl.parser().parse_args(["launcher", "--python", str(path)])
    with pytest.raises(RequestError) as caught:
        launcher.write(given, Console({}))
    return str(caught.value)


def test_interpreter_that_no_script_can_name_gets_no_launcher(tmp_path: Path) -> None:
    python = tmp_path / "my tools" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    command = [str(python), "-m", "credproc.ctl", "launcher", "--python", f"{tmp_path}/fast"]
    environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(filter(None, sys.path))}
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert "cannot be the interpreter of a script" in ended.stderr
    assert list(tmp_path.iterdir()) == [python.parent]


def test_program_of_another_origin_is_not_a_launcher(tmp_path: Path) -> None:
    path = tmp_path / "fast"
    path.write_bytes(b"\x7fELF\xff")

    assert "was not written by `credprocctl launcher`" in launcher_refused(path)
    assert path.read_bytes() == b"\x7fELF\xff"
