"""A call that fails is made once for all waiting runs, and once in some seconds in a loop."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests import cachedir
from tests.cloud import CHAIN, HERD, ONE, TWO, until
from tests.harness import CREDPROC, NOWHERE
from tests.servers import faults
from tests.servers.sts_errors import error

if TYPE_CHECKING:
    from tests.cloud import Cloud
    from tests.servers.base import Fault


@pytest.mark.timeout(60 + 3 * HERD)
def test_waiters_report_the_failure_that_they_waited_for(cloud: Cloud) -> None:
    cloud.sts.fail(error("AccessDenied"), ONE)
    cloud.host.environ["CREDPROC_LOG"] = str(cloud.log_path)
    with cloud.sts.hold(ONE) as hold:
        running = [cloud.host.start(*CHAIN) for _ in range(HERD)]
        hold.wait_for()
        until(lambda: cloud.log().count("waiting for another process") == HERD - 1, 30 + HERD)
        answered = time.monotonic()
    results = [process.wait() for process in running]
    seconds = time.monotonic() - answered

    assert cloud.roles == (1, 0)
    assert {(result.status, result.stdout) for result in results} == {(1, b"")}
    assert len({result.stderr for result in results}) == 1
    assert "AccessDenied" in results[0].stderr
    assert results[0].stderr.count("\n") == 1
    assert seconds < 10 + HERD / 2  # within a second, on an idle machine


def test_run_with_more_time_does_not_share_the_failure_of_one_with_too_little(cloud: Cloud) -> None:
    cloud.host.environ["CREDPROC_LOG"] = str(cloud.log_path)
    hold = cloud.sts.hold(ONE)
    hasty = cloud.host.start(*CHAIN, "--timeout", "2")
    hold.wait_for()
    patient = cloud.host.start(*CHAIN, "--timeout", "60")
    until(lambda: "waiting for another process" in cloud.log())
    first = hasty.wait()
    hold.release()

    assert first.status == 1
    assert patient.wait().document["AccessKeyId"] == cloud.sts.issued[-1].access_key


@pytest.mark.parametrize("fault", [faults.status(503), faults.html(), faults.status(401)])
def test_instance_that_takes_too_long_to_start_for_one_run_may_not_for_another(
    fault: Fault, cloud: Cloud
) -> None:
    cloud.imds.fail("list", fault)
    assert cloud.host.run("--timeout", "1").status == 1
    cloud.imds.heal()
    assert cloud.host.document()


def test_loop_of_failing_runs_calls_once_in_some_seconds(cloud: Cloud) -> None:
    cloud.sts.fail(error("AccessDenied"))
    began = time.monotonic()
    while time.monotonic() - began < 6:
        result = cloud.host.run(*CHAIN)
        assert (result.status, result.stdout) == (1, b"")
        assert "AccessDenied" in result.stderr
    seconds = time.monotonic() - began

    assert cloud.sts.count() <= 1 + seconds / 2


def test_loop_without_a_metadata_service_calls_it_once_in_some_seconds(cloud: Cloud) -> None:
    cloud.imds.enabled = False
    first = cloud.host.run()
    requests = cloud.imds.count()
    cachedir.change(cloud.host.cache, look=5)
    second = cloud.host.run()

    assert first.status == second.status == 1
    assert "cached failure; retried in" in second.stderr
    assert second.stderr.startswith(first.stderr.rstrip("\n"))
    assert cloud.imds.count() == requests


def test_cached_failure_expires_after_a_few_seconds(cloud: Cloud) -> None:
    cloud.sts.fail(error("AccessDenied"))
    assert cloud.host.run(*CHAIN).status == 1
    looks = [entry.look - time.time() for entry in cachedir.entries(cloud.host.cache)]
    assert all(look < 6 for look in looks)

    cloud.sts.heal()
    cachedir.change(cloud.host.cache, look=-1)
    assert cloud.host.document(*CHAIN)


def test_refresh_option_ignores_a_cached_failure(cloud: Cloud) -> None:
    cloud.sts.fail(error("AccessDenied"))
    assert cloud.host.run(*CHAIN).status == 1
    cloud.sts.heal()
    cachedir.change(cloud.host.cache, look=5)
    assert "cached failure" in cloud.host.run(*CHAIN).stderr
    assert cloud.host.document(*CHAIN, "--refresh")
    assert cloud.host.document(*CHAIN)


def test_chains_with_a_common_beginning_share_its_failure(cloud: Cloud) -> None:
    cloud.sts.fail(error("AccessDenied"), ONE)
    assert cloud.host.run(*CHAIN).status == 1
    cachedir.change(cloud.host.cache, look=5)
    result = cloud.host.run(*CHAIN, "--role-session-name", "another")

    assert "AccessDenied" in result.stderr
    assert result.stderr.count("cached failure") == 1
    assert cloud.roles == (1, 0)


@pytest.mark.parametrize(
    "words",
    [["--role-arn", "missing"], ["--nonsense"], ["--duration-seconds", "5"], ["--profile", "gone"]],
)
def test_usage_error_is_not_cached(cloud: Cloud, words: list[str]) -> None:
    for _ in range(2):
        result = cloud.host.run(*words)
        assert result.status == 2
        assert "cached failure" not in result.stderr
    assert cachedir.names(cloud.host.cache, ".entry") == []


def test_fixed_configuration_is_used_at_once(cloud: Cloud) -> None:
    cloud.host.config("[profile p]\nregion = eu-central-1\n")
    assert cloud.host.run("--profile", "p").status == 2
    cloud.host.config(f"[profile p]\nrole_arn = {ONE}\ncredential_source = Environment\n")
    assert cloud.host.document("--profile", "p")


def test_failing_herd_without_a_cache_fails_one_by_one(cloud: Cloud) -> None:
    cloud.sts.fail(error("AccessDenied"))
    running = [cloud.host.start(*CHAIN, "--no-cache") for _ in range(3)]
    assert {process.wait().status for process in running} == {1}
    assert cloud.sts.count() == 3
    assert not cloud.host.cache.exists()


def test_limit_that_a_run_reached_concerns_no_other_run(cloud: Cloud) -> None:
    document = cloud.host.home / "document"
    document.write_text(
        '{"Version": 1, "AccessKeyId": "ASIAEXAMPLEEXAMPLE01", "SecretAccessKey": "secret", '
        '"SessionToken": "token", "Expiration": "2199-01-01T00:00:00Z"}'
    )
    cloud.host.config(f"[profile p]\ncredential_process = cat {document}\n")
    limited = 'ulimit -n 8; exec "$0" --profile p'
    result = cloud.host.run("-c", limited, str(CREDPROC), command="sh")

    assert result.stderr == (
        "credproc: profile p: credential_process cat cannot be run: Too many open files "
        "(see ulimit -n)\n"
    )
    assert cloud.host.document("--profile", "p")


@pytest.mark.parametrize(
    "wrong",
    [
        {"http_proxy": NOWHERE},
        {"AWS_CA_BUNDLE": "/proc/nowhere"},
        {"AWS_SECRET_ACCESS_KEY": "wrong"},
        {"GPG_TTY": "/dev/pts/none"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_failure_with_another_setting_is_not_reported(cloud: Cloud, wrong: dict[str, str]) -> None:
    cloud.sts.fail(error("AccessDenied"))
    usual = dict(cloud.host.environ)
    cloud.host.environ.update(wrong)
    assert cloud.host.run(*CHAIN).status == 1
    cloud.sts.heal()
    cloud.host.environ = usual
    assert cloud.host.document(*CHAIN)


def test_missing_token_is_named_for_each_run(cloud: Cloud) -> None:
    argv = ["--role-arn", TWO, "--source", "web-identity", "--role-session-name", "name"]
    for name in ("one", "two"):
        missing = str(cloud.host.home / name)
        cloud.host.environ.update(AWS_ROLE_ARN=ONE, AWS_WEB_IDENTITY_TOKEN_FILE=missing)
        result = cloud.host.run(*argv)
        assert f"{missing}: No such file" in result.stderr
