"""The processes around a run: those it leaves behind, what it inherits, and those it may end."""

from __future__ import annotations

import os
import resource
import sys
from typing import TYPE_CHECKING

import pytest

from credproc import processes
from tests import cachedir
from tests.cloud import CHAIN
from tests.harness import CREDPROC
from tests.terminal import Terminal, result

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cloud import Cloud
    from tests.harness import Host

A = "arn:aws:iam::111122223333:role/a"
DEVICE = "arn:aws:iam::111122223333:mfa/me"

#: Process 1 of a container: it runs credproc, whose entry is due, and tells what has stayed.
INIT = """\
import os, subprocess, sys, threading, time
if sys.argv.pop(1) == "threads":
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
assert subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode == 0
def others():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if pid != "1":
            try:
                yield open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0]
            except OSError:
                pass
while set(others()) - {"Z"}:
    time.sleep(0.02)
print(len(list(others())))
"""


def inside(cloud: Cloud, kind: str) -> int:
    """Run credproc below a process 1 that waits for its own children only; return the zombies."""
    argv = ["-pf", "--mount-proc", sys.executable, "-c", INIT, kind, str(CREDPROC), *CHAIN]
    ended = cloud.host.run(*argv, command="unshare")
    assert (ended.status, ended.stderr) == (0, "")
    return int(ended.stdout)


@pytest.mark.needs("root", "unshare")
def test_no_zombie_is_left_if_process_1_does_not_reap(cloud: Cloud) -> None:
    document = cloud.host.run(*CHAIN).stdout
    cloud.leave("ahead")

    assert inside(cloud, "single") == 0
    assert cloud.roles == (1, 1)
    cloud.leave("now")  # the second window refreshes instead, before printing
    assert inside(cloud, "single") == 0
    assert cloud.roles == (2, 2)
    assert cloud.host.run(*CHAIN).stdout != document


@pytest.mark.needs("root", "unshare")
def test_process_1_with_threads_counts_as_one_that_reaps(cloud: Cloud) -> None:
    cloud.host.run(*CHAIN)
    cloud.leave("ahead")

    assert inside(cloud, "threads") == 1  # after that, none is started: see the next test
    assert cloud.roles == (2, 2)


def test_zombie_of_an_earlier_refresh_shows_that_process_1_does_not_reap() -> None:
    tick = os.sysconf("SC_CLK_TCK")
    me = processes.one(os.getpid())
    assert me

    def found(parent: int, state: str, name: str) -> bool:
        old = processes.Process(parent, state, str(100 * tick), name)
        return processes.has_old_zombie({os.getpid(): me, 4711: old}, 100 + 1.5 * processes.OLD)

    assert found(1, "Z", me.name)
    assert not found(2, "Z", me.name)
    assert not found(1, "S", me.name)
    assert not found(1, "Z", "another")
    young = processes.Process(1, "Z", str(100 * tick), me.name)
    assert not processes.has_old_zombie({os.getpid(): me, 4711: young}, 101)


@pytest.mark.parametrize("name", ["SigCgt", "SigIgn", "SigBlk"])
def test_process_1_that_reaps_orphans_is_an_init(name: str) -> None:
    masks = dict.fromkeys(("SigBlk", "SigIgn", "SigCgt"), "0000000000000000")
    for mask, expected in (("0000000000010000", False), ("fffffffffffeffff", True)):
        lines = {**masks, name: mask, "Threads": "1"}.items()
        status = "".join(f"{key}:\t{value}\n" for key, value in lines)
        assert processes.never_waits(status.encode()) is expected


def helper(host: Host, script: str) -> None:
    """Make a profile ``p`` of a shell script."""
    path = host.folder / "helper"
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o700)
    host.config(f"[profile p]\ncredential_process = {path}\n")


def test_ignored_sigchld_hides_no_status_of_a_helper(host: Host) -> None:
    ignore = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    helper(host, "echo 'no session' >&2; exit 3")
    failed = host.run("-c", ignore, str(CREDPROC), "--profile", "p", command=sys.executable)

    assert failed.status == 1
    assert "exited with status 3: no session" in failed.stderr


def crowded(count: int = 1100) -> str:
    """Return a script that runs a command with so many descriptors open."""
    return (
        f"import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({count + 100}, "
        f"{_hard()})); [os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True) "
        f"for _ in range({count})]; os.execv(sys.argv[1], sys.argv[1:])"
    )


def _hard() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def test_eleven_hundred_inherited_descriptors_do_no_harm(cloud: Cloud) -> None:
    document = '{"Version": 1, "AccessKeyId": "ASIAHELPERHELPERHELP", "SecretAccessKey": "s"}'
    helper(cloud.host, f"echo '{document}'")
    code = ("--role-arn", A, "--serial-number", DEVICE, "--mfa-command", "sh -c 'echo 123456'")
    for argv in ((), CHAIN, ("--profile", "p"), (*code, "--source", "env")):
        ran = cloud.host.run("-c", crowded(), str(CREDPROC), *argv, command=sys.executable)
        assert ran.document["Version"] == 1


@pytest.mark.needs("setsid")
def test_eleven_hundred_inherited_descriptors_do_not_prevent_the_prompt(cloud: Cloud) -> None:
    with Terminal(cloud.host) as terminal:
        argv = ["--role-arn", A, "--serial-number", DEVICE, "--source", "env"]
        script = f"exec {sys.executable} -c '{crowded()}' \"$@\""
        process = terminal.start(*argv, script=script)
        terminal.wait_for("MFA code for")
        terminal.type("123456\n")

        assert result(process).document["Version"] == 1


def test_signal_spares_children_that_a_shell_had_before_exec_credproc(
    cloud: Cloud, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    script = f'sleep 60 & echo $! >{pid}; exec "$@"'
    with cloud.sts.hold() as hold:
        run = cloud.host.start("-c", script, "sh", str(CREDPROC), *CHAIN, command="sh")
        hold.wait_for()
        run.signal(15)
        # The other process has its pipes.
        assert run.popen.wait(20) == 143
        other = int(pid.read_text())
        assert processes.one(other)
        os.kill(other, 15)


def test_command_that_writes_to_a_person_is_remembered(cloud: Cloud) -> None:
    with Terminal(cloud.host) as terminal:
        document = (
            '{"Version": 1, "AccessKeyId": "ASIAHELPERHELPERHELP", "SecretAccessKey": "s", '
            '"SessionToken": "t", "Expiration": "2099-01-01T00:00:00Z"}'
        )
        helper(cloud.host, f"echo 'Touch your key' >&2; echo '{document}'")
        assert result(terminal.start("--profile", "p")).document["Version"] == 1
        assert terminal.read() == "Touch your key\r\n"
        assert {entry.ahead == entry.now for entry in cachedir.entries(cloud.host.cache)} == {True}
