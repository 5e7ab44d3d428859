"""Any number of processes at once make one call for each thing, and print the same document.

CREDPROC_TEST_HERD is how many processes are started together, instead of 40.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests import cachedir
from tests.cloud import CHAIN, HERD, KEYS, ONE, OTHER, TWO, one_document, until
from tests.harness import herd
from tests.servers import faults

if TYPE_CHECKING:
    from tests.cloud import Cloud

#: Seconds in which a herd has come to its end on any machine.
LIMIT = 30 + HERD

CONFIG = f"""
[profile base]
aws_access_key_id = {KEYS["AWS_ACCESS_KEY_ID"]}
aws_secret_access_key = {KEYS["AWS_SECRET_ACCESS_KEY"]}
[profile one]
role_arn = {ONE}
source_profile = base
[profile two]
role_arn = {TWO}
source_profile = one
"""


@pytest.mark.timeout(3 * LIMIT)
@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(CHAIN, id="chain"),
        pytest.param(("--profile", "two"), id="profile", marks=pytest.mark.slow),
    ],
)
def test_concurrent_cold_runs_make_one_call_per_hop(cloud: Cloud, argv: tuple[str, ...]) -> None:
    cloud.host.config(CONFIG)
    cloud.sts.delay = 0.15
    document = one_document(herd(cloud.host, HERD, *argv, timeout=LIMIT))

    assert cloud.roles == (1, 1)
    assert cloud.sts.issued[-1].access_key in document.decode()
    assert len(cachedir.entries(cloud.host.cache)) == 3  # the answer and both hops
    assert cachedir.names(cloud.host.cache, ".tmp") == []


@pytest.mark.timeout(3 * LIMIT)
def test_concurrent_cold_runs_call_imds_once(cloud: Cloud) -> None:
    cloud.imds.fail("creds", faults.delay(0.15))
    document = one_document(herd(cloud.host, HERD, timeout=LIMIT))

    assert [cloud.imds.count(step) for step in ("token", "list", "creds")] == [1, 1, 1]
    assert cloud.imds.current["AccessKeyId"] in document.decode()


def test_chains_with_a_common_first_role_make_one_call_for_it(cloud: Cloud) -> None:
    hold = cloud.sts.hold(ONE)
    others = [*CHAIN[:3], OTHER, *CHAIN[4:]]
    running = [cloud.host.start(*argv) for argv in (CHAIN, others) for _ in range(4)]
    hold.wait_for()
    hold.release()
    results = [process.wait() for process in running]

    one_document(results[:4])
    one_document(results[4:])
    assert results[0].stdout != results[4].stdout
    assert (*cloud.roles, cloud.sts.count(OTHER)) == (1, 1, 1)


def test_different_requests_do_not_wait_for_each_other(cloud: Cloud) -> None:
    with cloud.sts.hold(ONE) as hold:
        held = cloud.host.start(*CHAIN)
        hold.wait_for()
        assert cloud.host.document("--role-arn", OTHER, "--source", "env")
        assert cloud.host.document("--imds")
        assert held.running
    assert held.wait().document


def test_hit_waits_for_no_other_process(cloud: Cloud) -> None:
    before = cloud.host.run(*CHAIN)
    with cloud.sts.hold(ONE) as hold:
        anew = cloud.host.start(*CHAIN, "--refresh")
        hold.wait_for()
        assert one_document([before, cloud.host.run(*CHAIN)])
        assert anew.running
    assert anew.wait().stdout == cloud.host.run(*CHAIN).stdout != before.stdout


def test_waiting_run_takes_over_from_one_that_was_killed(cloud: Cloud) -> None:
    cloud.host.environ["CREDPROC_LOG"] = str(cloud.log_path)
    with cloud.sts.hold(ONE) as hold:
        holder = cloud.host.start(*CHAIN)
        hold.wait_for()
        waiting = [cloud.host.start(*CHAIN) for _ in range(5)]
        until(lambda: cloud.log().count("waiting for another process") == 5)
        os.kill(holder.pid, signal.SIGKILL)
        hold.wait_for(2)
    results = [process.wait() for process in waiting]

    one_document(results)
    assert holder.wait().status == -signal.SIGKILL
    assert cloud.roles == (2, 1)


def test_concurrent_refreshes_get_the_same_new_credentials(cloud: Cloud) -> None:
    before = cloud.host.run(*CHAIN)
    cloud.host.environ["CREDPROC_LOG"] = str(cloud.log_path)
    with cloud.sts.hold(ONE) as hold:
        running = [cloud.host.start(*CHAIN, "--refresh") for _ in range(6)]
        until(lambda: cloud.log().count("waiting for another process") == 5)
        hold.wait_for()
    after = one_document([process.wait() for process in running])

    assert after != before.stdout
    assert cloud.roles == (2, 2)
