"""In the second window, the valid credentials are printed however a refresh fails."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from credproc import credentials
from tests import cachedir, needs
from tests.cloud import CHAIN, ONE, TWO, one_document
from tests.harness import CREDPROC
from tests.servers import faults
from tests.servers.sts_errors import error, skewed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cloud import Cloud
    from tests.harness import Result

    Break = Callable[[Cloud], Any]

#: How STS fails, and what the log says of it.
STS: dict[str, tuple[Break, str]] = {
    "refused": (lambda cloud: cloud.sts.stop(), "no answer from STS"),
    "reset": (lambda cloud: cloud.sts.fail(faults.reset()), "no answer from STS"),
    "captive portal": (lambda cloud: cloud.sts.fail(faults.html()), "not from STS"),
    "503": (lambda cloud: cloud.sts.fail(error("ServiceUnavailable")), "ServiceUnavailable"),
    "throttled": (lambda cloud: cloud.sts.fail(error("Throttling")), "Throttling"),
    "denied": (lambda cloud: cloud.sts.fail(error("AccessDenied")), "AccessDenied"),
    "denied at the end": (lambda cloud: cloud.sts.fail(error("AccessDenied"), TWO), "AccessDenied"),
    "invalid": (lambda cloud: cloud.sts.fail(error("ValidationError")), "ValidationError"),
    "region": (lambda cloud: cloud.sts.fail(error("RegionDisabledException")), "RegionDisabled"),
    "keys": (lambda cloud: cloud.sts.fail(error("InvalidClientTokenId")), "InvalidClientTokenId"),
    "clock": (lambda cloud: cloud.sts.fail(skewed(1800)), "s behind STS"),
    "silent": (lambda cloud: cloud.sts.fail(faults.hang()), "no "),
}

#: How IMDS fails, and what the log says of it.
IMDS: dict[str, tuple[Break, str]] = {
    "refused": (lambda cloud: cloud.imds.stop(), "nothing answers"),
    "off": (lambda cloud: setattr(cloud.imds, "enabled", False), "403"),
    "no role": (lambda cloud: setattr(cloud.imds, "role", None), "no role"),
    "untrusted": (lambda cloud: setattr(cloud.imds, "trusted", False), "AssumeRoleUnauthorized"),
    "500": (lambda cloud: cloud.imds.fail("creds", faults.status(500)), "500"),
    "429": (lambda cloud: cloud.imds.fail("token", faults.status(429)), "429"),
    "html": (lambda cloud: cloud.imds.fail("list", faults.html()), "web page"),
    "hop limit": (lambda cloud: setattr(cloud.imds, "hops", 3), "hop limit"),
    "silent": (lambda cloud: cloud.imds.fail("creds", faults.hang()), "timed out"),
}

WAYS = [(CHAIN, *way) for way in STS.values()] + [((), *way) for way in IMDS.values()]
NAMES = [f"sts {name}" for name in STS] + [f"imds {name}" for name in IMDS]


def filled(cloud: Cloud, argv: tuple[str, ...], state: str) -> Result:
    """Fill the cache and let time pass; return the run that printed the cached credentials."""
    result = cloud.host.run(*argv)
    assert result.document
    cloud.leave(state)
    return result


@pytest.mark.parametrize(("argv", "breaks", "why"), needs.thinned(WAYS, 2), ids=NAMES)
def test_valid_credentials_are_printed_however_a_refresh_fails(
    cloud: Cloud, argv: tuple[str, ...], breaks: Break, why: str
) -> None:
    before = filled(cloud, argv, "now")
    breaks(cloud)
    result = cloud.host.run(*argv, CREDPROC_LOG=str(cloud.log_path))

    assert (result.status, result.stderr) == (0, "")
    assert result.stdout == before.stdout  # with the true Expiration
    assert why in cloud.log()
    assert "using the cached credentials" in cloud.log() or "nothing newer" in cloud.log()

    requests = cloud.sts.count() + cloud.imds.count()
    assert requests > 0
    later = [cloud.host.run(*argv) for _ in range(2)]
    assert one_document([result, *later]) == before.stdout
    assert cloud.sts.count() + cloud.imds.count() == requests


@pytest.mark.parametrize(
    ("argv", "breaks", "why"),
    [(CHAIN, *STS["denied"]), (CHAIN, *STS["refused"]), ((), *IMDS["500"]), ((), *IMDS["off"])],
)
def test_expired_credentials_are_not(
    cloud: Cloud, argv: tuple[str, ...], breaks: Break, why: str
) -> None:
    argv = (*argv, "--timeout", "4")
    filled(cloud, argv, "expired")
    breaks(cloud)
    result = cloud.host.run(*argv)

    assert (result.status, result.stdout) == (1, b"")
    assert why in result.stderr
    assert result.stderr.count("\n") == 1


def test_credentials_that_expire_during_the_refresh_are_not_printed(cloud: Cloud) -> None:
    filled(cloud, CHAIN, "now")
    cloud.leave_seconds(3)
    with cloud.sts.hold() as hold:
        running = cloud.host.start(*CHAIN, "--timeout", "10")
        hold.wait_for()
        result = running.wait()  # it fails after some seconds, and then it is too late

    assert (result.status, result.stdout) == (1, b"")
    assert "STS" in result.stderr


def test_refresh_option_fails_if_no_new_credentials_arrive(cloud: Cloud) -> None:
    before = filled(cloud, CHAIN, "fresh")
    cloud.sts.fail(error("AccessDenied"))
    result = cloud.host.run(*CHAIN, "--refresh")

    assert (result.status, result.stdout) == (1, b"")
    assert "AccessDenied" in result.stderr
    assert cloud.host.run(*CHAIN).stdout == before.stdout


@pytest.mark.parametrize("breaks", [None, STS["denied"][0]])
def test_credentials_are_printed_even_if_the_disk_is_full(
    cloud: Cloud, breaks: Break | None
) -> None:
    before = filled(cloud, CHAIN, "now")
    if breaks:
        breaks(cloud)
    script = 'ulimit -f 0; exec "$@"'  # every write to a file fails with EFBIG
    result = cloud.host.run("-c", script, "sh", str(CREDPROC), *CHAIN, command="sh")

    assert result.document
    assert (result.stdout == before.stdout) == bool(breaks)


def test_recovered_service_is_used_at_the_next_retry(cloud: Cloud) -> None:
    before = filled(cloud, CHAIN, "now")
    cloud.sts.fail(error("ServiceUnavailable"))
    assert cloud.host.run(*CHAIN).stdout == before.stdout
    cloud.sts.heal()
    assert cloud.host.run(*CHAIN).stdout == before.stdout
    cloud.leave("now")
    cloud.next_look()
    assert cloud.host.run(*CHAIN).stdout != before.stdout


def test_refresh_before_printing_prints_new_credentials(cloud: Cloud) -> None:
    before = filled(cloud, CHAIN, "now")
    after = cloud.host.run(*CHAIN)
    assert after.document["Expiration"] >= before.document["Expiration"]
    assert after.stdout != before.stdout
    assert cloud.roles == (2, 2)


def test_concurrent_runs_that_must_refresh_make_one_failing_call(cloud: Cloud) -> None:
    before = filled(cloud, CHAIN[2:], "now")
    cloud.sts.fail(error("AccessDenied"))
    cloud.sts.forget()
    with cloud.sts.hold() as hold:
        running = [cloud.host.start(*CHAIN[2:]) for _ in range(8)]
        hold.wait_for()
    assert one_document([process.wait() for process in running]) == before.stdout
    assert cloud.sts.count(TWO) == 1


def test_other_chain_is_served_by_a_hop_that_cannot_be_renewed(cloud: Cloud) -> None:
    filled(cloud, CHAIN, "now")
    cloud.sts.fail(error("AccessDenied"), ONE)
    argv = [*CHAIN, "--role-session-name", "another"]
    assert cloud.host.run(*argv).document
    assert cloud.sts.count(TWO) == 2


def test_ambiguous_failure_never_changes_the_identity(cloud: Cloud) -> None:
    argv = ("--imds", "--role-arn", ONE, "--source", "env")
    before = filled(cloud, argv, "now")
    cloud.imds.hops = 3  # the token is lost without an error
    assert cloud.host.run(*argv).stdout == before.stdout
    assert cloud.sts.count() == 0

    cloud.leave_seconds(-1)
    assert cloud.host.run(*argv).document["AccessKeyId"] == cloud.sts.issued[-1].access_key


def test_identity_is_not_changed_while_the_instance_role_is_valid(cloud: Cloud) -> None:
    argv = ("--imds", "--role-arn", ONE, "--source", "env")
    before = filled(cloud, argv, "now")
    cloud.imds.role = None
    assert cloud.host.run(*argv).stdout == before.stdout

    cloud.leave_seconds(-1)
    after = cloud.host.run(*argv)
    assert after.document["AccessKeyId"] == cloud.sts.issued[-1].access_key


def test_log_names_no_secret(cloud: Cloud) -> None:
    filled(cloud, CHAIN, "now")
    cloud.sts.fail(error("AccessDenied"))
    cloud.host.run(*CHAIN, CREDPROC_LOG=str(cloud.log_path))
    kept = [entry.failure for entry in cachedir.entries(cloud.host.cache)]
    assert any(kept)
    for secret in cloud.sts.secrets:
        assert secret not in cloud.log()
        assert not any(secret in failure for failure in kept)


def test_printed_expiration_is_the_true_one(cloud: Cloud) -> None:
    before = filled(cloud, CHAIN, "now")
    cloud.sts.fail(error("AccessDenied"))
    printed = json.loads(cloud.host.run(*CHAIN).stdout)["Expiration"]
    assert printed == before.document["Expiration"]
    expiration = credentials.read_time(printed, "the document")
    assert expiration == int(cloud.sts.issued[-1].expires)
