"""Jobs of five crons: their environment, and the effect of each cron on the background refresh."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import cron_daemons
from tests.harness import Processes
from tests.users import public_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cron_daemons import Cron

#: Two of them wake at the full minute.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NAMES = {each.__name__: each for each in cron_daemons.ALL}


@pytest.fixture(scope="module")
def ran() -> Iterator[dict[str, Cron]]:
    """Every cron, after it has run its job."""
    cron_daemons.demand()
    processes = Processes()
    made: dict[str, Cron] = {}
    with public_folder() as folder:
        try:
            for name, kind in NAMES.items():
                made[name] = kind(folder / name, processes)
                made[name].start()
            for cron in made.values():
                cron.wait()
            yield made
        finally:
            for cron in made.values():
                cron.stop()
            processes.end()


@pytest.mark.parametrize("name", NAMES)
def test_job_gets_the_cached_credentials_in_silence(name: str, ran: dict[str, Cron]) -> None:
    assert (ran[name].read("status"), ran[name].read("err")) == ("0", "")
    assert ran[name].imds.secrets
    assert '"AccessKeyId"' in ran[name].read("out")


@pytest.mark.parametrize("name", NAMES)
def test_refresh_outlives_the_job_that_started_it(name: str, ran: dict[str, Cron]) -> None:
    """Not below a process 1 that would keep a zombie of it."""
    assert ran[name].imds.count("creds") == (2 if ran[name].refreshes else 1)


def test_busybox_passes_no_variables_of_the_table(ran: dict[str, Cron]) -> None:
    assert "CREDPROC_LOG" not in ran["Busybox"].variables
    assert not (ran["Busybox"].home / "credproc.log").exists()


def test_anacron_keeps_the_quotes_of_a_value_and_the_failing_run_says_so(
    ran: dict[str, Cron],
) -> None:
    quoted = ran["Anacron"].quoted

    assert ran["Anacron"].variables["CREDPROC_LOG"] == quoted
    assert ran["Anacron"].read("status.failed") == "1"
    assert f"(quotes are part of the value: {quoted})" in ran["Anacron"].read("err.failed")


@pytest.mark.parametrize("name", ["Debian", "Bcron", "Systemd"])
def test_other_crons_remove_the_quotes(name: str, ran: dict[str, Cron]) -> None:
    assert ran[name].variables["CREDPROC_LOG"] == ran[name].quoted.strip('"')
    assert "imds" in (ran[name].home / "credproc.log").read_text()


def test_job_of_anacron_starts_in_the_root_directory(ran: dict[str, Cron]) -> None:
    assert ran["Anacron"].read("directory") == "/"
    for name in ("Debian", "Busybox", "Bcron"):
        assert ran[name].read("directory") == str(ran[name].home)


@pytest.mark.parametrize("name", NAMES)
def test_percent_sign_is_special_to_debians_cron_alone(name: str, ran: dict[str, Cron]) -> None:
    assert ran[name].read("arguments") == ("50" if name == "Debian" else "50%done")


def test_systemd_cron_ends_only_the_jobs_own_process(ran: dict[str, Cron]) -> None:
    cron = ran["Systemd"]
    assert isinstance(cron, cron_daemons.Systemd)
    assert "KillMode=process\n" in cron.unit
