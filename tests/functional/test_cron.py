"""Jobs of the real cron, as four users: their environment, and the files that they create."""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING

import pytest

from tests import cachedir, needs
from tests.cron import USERS, Machine
from tests.harness import Processes
from tests.loopback import Loopback, arn, identity
from tests.servers.moto import ACCOUNT
from tests.users import public_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

#: cron wakes at the full minute.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

#: Seconds, most of which the AWS CLI itself takes; a run that waits for a code takes 30.
AT_ONCE = 10


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    needs.demand("cron", "mount", "namespaces")
    processes = Processes()
    with Loopback(tmp_path_factory.mktemp("world")) as world, public_folder() as folder:
        try:
            made = Machine(folder, world)
            made.run(processes)
            yield made
        finally:
            processes.end()


def test_job_has_the_environment_of_cron_and_no_terminal(machine: Machine) -> None:
    *variables, tty, terminal = machine.said("ann", "probe")[0].splitlines()
    found = dict(line.split("=", 1) for line in variables)

    assert found["PATH"] == "/usr/bin:/bin"
    assert found["SHELL"] == "/bin/sh"
    assert found["HOME"] == str(machine.home("ann"))
    known = {*machine.variables("ann"), "HOME", "LANG", "LOGNAME", "PATH", "PWD", "SHELL"}
    assert set(found) - known == set()
    assert (tty, terminal) == ("tty: not a tty", "terminal: no")


def test_aws_command_gets_the_instances_role_through_the_profile(machine: Machine) -> None:
    assert machine.said("ann", "profile") == (f"{identity('app')}\n", "")


def test_crontab_of_the_manual_works(machine: Machine) -> None:
    output, error = machine.said("eve", "documented")

    assert (machine.status("eve", "documented"), error) == (0, "")
    assert output.endswith(" home-account-data\n")
    log = machine.home("eve") / "credproc.log"
    assert (stat.S_IMODE(log.stat().st_mode), log.stat().st_uid) == (0o600, USERS["eve"])
    assert "imds" in log.read_text()


def test_script_takes_variables_from_credproc(machine: Machine) -> None:
    assert machine.said("ann", "exported") == (f"{identity('app')}\n", "")


def test_job_without_home_finds_it_as_the_sdks_do(machine: Machine) -> None:
    assert machine.said("bob", "homeless") == (f"{identity('app')}\n", "")
    assert len(cachedir.entries(machine.home("bob") / ".cache" / "credproc")) == 2


def test_command_by_its_name_alone_is_not_found(machine: Machine) -> None:
    """The reason for which the manual asks for whole paths."""
    assert machine.status("bob", "missing") == 127
    assert "not found" in machine.said("bob", "missing")[1]


def test_roots_job_prints_a_field(machine: Machine) -> None:
    assert machine.said("root", "field") == (f"{machine.world.access_key}\n", "")


def test_role_that_needs_mfa_fails_at_once_and_says_what_to_do(machine: Machine) -> None:
    assert machine.status("ann", "mfa") != 0
    assert machine.seconds("ann", "mfa") < AT_ONCE
    line = (
        f"credproc: profile ann-role: role 1 of 1, {arn('reports')}: "
        f"an MFA code for arn:aws:iam::{ACCOUNT}:mfa/ann is needed, but there is "
        "no terminal for a prompt: use --mfa-command, or run the same command once in a terminal"
    )
    output, error = machine.said("ann", "mfa")
    assert output == ""
    assert line in error
    assert machine.world.assumed == []


def test_log_has_each_run_and_is_its_owners_alone(machine: Machine) -> None:
    log = machine.home("ann") / "credproc.log"
    text = log.read_text()

    status = log.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o600, USERS["ann"])
    # Two runs for the instance's role, of which one made a call; and the one that needed a code.
    assert len(set(re.findall(r"credproc\[(\d+)\]", text))) == 3
    assert "an MFA code" in text
    secrets = {machine.world.secret, *machine.world.imds.secrets}
    assert [secret for secret in secrets if secret in text] == []


def test_each_user_has_a_cache_and_makes_one_call(machine: Machine) -> None:
    folders = {user: machine.home(user) / ".cache" / "credproc" for user in USERS}

    for user, folder in folders.items():
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for path in (folder, *folder.iterdir()):
            assert path.stat().st_uid == USERS[user], path
            assert path == folder or stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert machine.world.imds.count("creds") == len(USERS)
