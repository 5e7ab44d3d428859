"""Wrong clocks, corrected clocks, time zones, and the time formats of services."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from credproc import credentials
from credproc.store import Store
from tests import cachedir
from tests.cloud import CHAIN, ONE, one_document
from tests.servers import faults
from tests.servers.rotation import iso
from tests.servers.sts_errors import skewed

if TYPE_CHECKING:
    from tests.cloud import Cloud

HOUR, DAY = 3600, 86400

ZONES = [
    "UTC",
    "America/New_York",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Antarctica/Troll",
    ":/etc/localtime",
    "<-12>12",
    "<+14>-14",
    "EST5EDT,0/0,J365/25",  # summer all the year
    "CET-1CEST,M11.3.0,M11.5.0",  # summer begins in November
    "nonsense/nowhere",
    "",
]


def step(cloud: Cloud, seconds: int) -> None:
    """Set the host's clock forward by so much, as its cache sees it; backward if negative."""
    for entry in cachedir.entries(cloud.host.cache):
        got = credentials.from_document(entry.document, entry.provider)
        for name in ("issued", "ahead", "now", "look", "expiration"):
            setattr(entry, name, max(getattr(entry, name) - seconds, 0))
        entry.document = credentials.document(got, got.expiration - seconds)
        Store(str(cloud.host.cache)).write(entry)


@pytest.mark.parametrize("argv", [CHAIN, ()], ids=["chain", "imds"])
@pytest.mark.parametrize("seconds", [-DAY, -HOUR, -60])
def test_entry_of_the_future_is_a_miss(cloud: Cloud, argv: tuple[str, ...], seconds: int) -> None:
    before = cloud.host.run(*argv)
    step(cloud, seconds)
    after = cloud.host.run(*argv)

    assert before.document
    assert after.document["Expiration"] <= iso(time.time() + 6 * HOUR)
    assert cloud.sts.count(ONE) + cloud.imds.count("creds") == 2
    assert one_document([after, cloud.host.run(*argv)])


def test_clock_that_jumps_forward_and_back_costs_two_calls(cloud: Cloud) -> None:
    assert cloud.host.run(*CHAIN).document
    step(cloud, 2 * HOUR)  # too far: everything has expired
    assert cloud.host.run(*CHAIN).document
    step(cloud, -2 * HOUR)  # and back: what was got meanwhile is of the future
    last = cloud.host.run(*CHAIN)
    assert one_document([last, cloud.host.run(*CHAIN)])
    assert cloud.roles == (3, 3)


@pytest.mark.parametrize("seconds", [-5, 5, 300])
def test_small_correction_of_the_clock_costs_at_most_one_call(cloud: Cloud, seconds: int) -> None:
    cloud.host.run(*CHAIN)
    step(cloud, -10)
    step(cloud, 10 + seconds)
    results = [cloud.host.run(*CHAIN) for _ in range(3)]
    assert one_document(results)
    assert cloud.roles[0] <= 2


def test_time_zone_does_not_matter_for_cached_credentials(cloud: Cloud) -> None:
    results = [cloud.host.run(*CHAIN, TZ=zone) for zone in ZONES]
    assert one_document(results)
    assert cloud.roles == (1, 1)


def test_time_zone_does_not_matter_for_new_credentials(cloud: Cloud) -> None:
    results = [cloud.host.run("--no-cache", TZ=zone) for zone in ZONES]
    assert one_document(results)
    assert results[0].document["Expiration"] == cloud.imds.current["Expiration"]


def test_time_zone_does_not_matter_for_the_time_of_a_refresh(cloud: Cloud) -> None:
    cloud.host.run(*CHAIN, TZ="<-12>12")
    cloud.leave("ahead")
    with cloud.sts.hold() as hold:
        cloud.host.run(*CHAIN, TZ="<+14>-14")
        hold.wait_for()
        assert len(cloud.host.strays()) == 1
    cloud.host.settle()
    assert cloud.roles == (2, 2)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("%Y-%m-%dT%H:%M:%SZ", 0),
        ("%Y-%m-%dT%H:%M:%S.999999Z", 0),
        ("%Y-%m-%dT%H:%M:%S.5Z", 0),
        ("%Y-%m-%dT%H:%M:%S+00:00", 0),
        ("%Y-%m-%dT%H:%M:%S+02:00", 2 * HOUR),
        ("%Y-%m-%dT%H:%M:%S.123-0930", -9 * HOUR - 1800),
    ],
)
@pytest.mark.parametrize("argv", [CHAIN[2:], ()], ids=["chain", "imds"])
def test_expiration_is_printed_in_one_format(
    cloud: Cloud, argv: tuple[str, ...], written: str, moment: int
) -> None:
    end = int(time.time()) + HOUR
    text = time.strftime(written, time.gmtime(end + moment))
    cloud.imds.fail("creds", _expiring(text))
    cloud.sts.fail(_expiring(text))
    assert cloud.host.document(*argv)["Expiration"] == iso(end)


def _expiring(text: str) -> Any:
    def change(data: Any) -> Any:
        (data.get("Credentials") or data)["Expiration"] = text
        return data

    return faults.mutate(change)


@pytest.mark.parametrize(
    ("ahead", "side"),
    [(1800, "behind"), (86400, "behind"), (-1200, "ahead of"), (-3600, "ahead of")],
)
@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "RequestExpired"])
def test_clock_that_sts_finds_wrong_is_reported_with_the_difference(
    cloud: Cloud, ahead: int, side: str, code: str
) -> None:
    cloud.sts.fail(skewed(ahead, code))
    result = cloud.host.run(*CHAIN)

    assert result.status == 1
    expected = [f"{abs(ahead) + more} s {side} STS:" for more in range(-30, 31)]
    assert any(words in result.stderr for words in expected), result.stderr
    assert "role 1 of 2" in result.stderr


def test_credentials_that_arrive_expired_are_not_printed(cloud: Cloud) -> None:
    cloud.sts.max_lifetime = -HOUR
    result = cloud.host.run(*CHAIN[2:])

    assert (result.status, result.stdout) == (1, b"")
    assert "before they arrived: check this machine's clock" in result.stderr
    assert all(not entry.document for entry in cachedir.entries(cloud.host.cache))
