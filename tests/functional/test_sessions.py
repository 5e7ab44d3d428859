"""Sessions from 15 minutes to 12 hours, roles that rotate, and instances whose role is replaced."""

from __future__ import annotations

import json
import shlex
import time
from typing import TYPE_CHECKING, Any

import pytest

from credproc import credentials
from tests import cachedir
from tests.cloud import ONE, one_document
from tests.harness import CREDPROC, SCRIPTS
from tests.servers import faults
from tests.servers.rotation import iso

if TYPE_CHECKING:
    from tests.cloud import Cloud

HOUR = 3600
ROLE = ("--role-arn", ONE, "--source", "env")

#: Seconds requested, and the seconds before the end at which the first window opens (at most, and
#: a tenth less at least) and the second.
SESSIONS = [(900, 450, 225), (HOUR, 1800, 900), (2 * HOUR, 1800, 960), (12 * HOUR, 1800, 960)]


def left(cloud: Cloud) -> tuple[int, int, int]:
    """Return the lifetime of the cached session, and how long before its end its windows open."""
    entry = cachedir.entries(cloud.host.cache)[0]
    end = entry.expiration
    return end - entry.issued, end - entry.ahead, end - entry.now


@pytest.mark.parametrize(("seconds", "ahead", "now"), SESSIONS)
def test_session_of_any_length_is_renewed_in_time(
    cloud: Cloud, seconds: int, ahead: int, now: int
) -> None:
    argv = (*ROLE, "--duration-seconds", str(seconds))
    first = cloud.host.run(*argv)
    lifetime, opens, second = left(cloud)
    assert seconds - 2 <= lifetime <= seconds + 2
    assert ahead * 0.9 - 2 <= opens <= ahead + 2
    assert now - 2 <= second <= now + 2

    cloud.leave_seconds(opens + 20)
    assert one_document([first, cloud.host.run(*argv)])
    assert cloud.host.strays() == []
    assert cloud.sts.count() == 1

    cloud.leave_seconds(opens - 1)
    assert one_document([first, cloud.host.run(*argv)])
    cloud.host.settle()
    assert cloud.sts.count() == 2

    cloud.leave_seconds(second - 1)
    last = cloud.host.run(*argv)
    assert last.document["AccessKeyId"] == cloud.sts.issued[2].access_key
    assert cloud.sts.count() == 3


def test_role_of_six_hours_that_rotates_hourly_is_refreshed_in_its_window(cloud: Cloud) -> None:
    first = cloud.host.run()
    cloud.imds.turn()  # an hour later
    cloud.leave_seconds(5 * HOUR)
    assert one_document([first, cloud.host.run()])
    assert cloud.imds.count("creds") == 1

    cloud.leave_seconds(1500)
    assert one_document([first, cloud.host.run()])
    cloud.host.settle()
    assert cloud.host.document()["AccessKeyId"] == cloud.imds.current["AccessKeyId"]
    assert cloud.imds.count("creds") == 2


def test_rotated_role_is_picked_up_at_once_with_refresh(cloud: Cloud) -> None:
    first = cloud.host.document()
    cloud.imds.turn()
    assert cloud.host.document() == first
    new = cloud.host.document("--refresh")
    assert new["AccessKeyId"] == cloud.imds.current["AccessKeyId"] != first["AccessKeyId"]
    assert cloud.host.document() == new


def test_role_that_has_not_rotated_yet_is_fetched_again_at_the_next_look(cloud: Cloud) -> None:
    first = cloud.host.run()
    requests = cloud.imds.count("creds")
    cachedir.change(cloud.host.cache, ahead=-2, now=-1)  # as if its end were near
    for _ in range(3):
        assert one_document([first, cloud.host.run()])
    assert cloud.imds.count("creds") == requests + 1

    cloud.imds.turn()
    cachedir.change(cloud.host.cache, ahead=-2, now=-1, look=-1)
    assert cloud.host.document()["AccessKeyId"] == cloud.imds.current["AccessKeyId"]


@pytest.mark.parametrize("how", ["window", "now", "--refresh"])
def test_replaced_instance_profile_is_picked_up(cloud: Cloud, how: str) -> None:
    first = cloud.host.document()
    cloud.imds.role = "other"
    words = [how] if how == "--refresh" else []
    if not words:
        assert cloud.host.document() == first
        cloud.leave_seconds({"window": 1500, "now": 900}[how])
    cloud.host.document(*words)
    cloud.host.settle()
    assert cloud.host.document()["AccessKeyId"] == cloud.imds.current["AccessKeyId"]


@pytest.mark.parametrize("state", ["absent", "fresh", "ahead", "now", "expired"])
def test_pinned_role_is_never_another(cloud: Cloud, state: str) -> None:
    first = cloud.host.document("--imds", "app") if state != "absent" else None
    cloud.imds.role = "other"
    foreign = cloud.host.document()
    assert foreign["AccessKeyId"] == cloud.imds.current["AccessKeyId"]
    seconds = {"absent": 1, "fresh": 5 * HOUR, "ahead": 1500, "now": 600, "expired": -1}[state]
    cloud.leave_seconds(seconds)

    for words in ([], ["--refresh"]):
        result = cloud.host.run("--imds", "app", *words)
        cloud.host.settle()
        if state in ("fresh", "ahead", "now") and not words:
            assert result.document["AccessKeyId"] == (first or {})["AccessKeyId"]
        else:
            assert (result.status, result.stdout) == (1, b"")
            assert "role is other, not app" in result.stderr


def test_pinned_role_that_comes_back_is_found_again(cloud: Cloud) -> None:
    cloud.imds.role = "other"
    assert cloud.host.run("--imds", "app").status == 1
    cloud.imds.role = "app"
    assert cloud.host.document("--imds", "app", "--refresh")


# An instance role that is no longer renewed.


@pytest.fixture
def stuck(cloud: Cloud) -> int:
    """The expiration of the credentials that IMDS continues to return: some minutes ago."""
    cloud.imds.freeze()
    end = int(time.time()) - 400
    cloud.imds.fail("creds", faults.fields(Expiration=iso(end)))
    return end


def test_role_that_is_no_longer_renewed_is_printed_with_some_minutes(
    cloud: Cloud, stuck: int
) -> None:
    for _ in range(3):
        document = cloud.host.document()
        end = credentials.read_time(document["Expiration"], "the document")
        assert 890 < end - time.time() <= 1201
        assert document["AccessKeyId"] == cloud.imds.current["AccessKeyId"]
    assert cloud.imds.count("creds") == 1  # the next look is put off

    (entry,) = cachedir.entries(cloud.host.cache)
    assert entry.expiration == stuck
    kept = credentials.from_document(entry.document, entry.provider)
    assert kept.expiration == stuck


def test_static_stability_is_logged(cloud: Cloud, stuck: int) -> None:
    result = cloud.host.run("--verbose")
    assert "the credentials have expired; printed with" in result.stderr
    assert json.loads(result.stdout)["Version"] == 1


def test_aws_continues_to_work_when_imds_no_longer_renews(cloud: Cloud, stuck: int) -> None:
    command = f"credential_process = {shlex.quote(str(CREDPROC))}"
    cloud.host.config(f"[profile instance]\nregion = eu-central-1\n{command}\n")
    env: dict[str, Any] = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    words = ("sts", "get-caller-identity", "--profile", "instance")
    result = cloud.host.run(*words, command=SCRIPTS / "aws", **env)

    assert result.status == 0, result
    assert cloud.sts.calls[-1].access_key == cloud.imds.current["AccessKeyId"]


def test_chain_continues_to_work_when_imds_no_longer_renews(cloud: Cloud, stuck: int) -> None:
    argv = ("--role-arn", ONE, "--source", "imds")
    document = cloud.host.document(*argv)
    assert cloud.sts.calls[-1].access_key == cloud.imds.current["AccessKeyId"]
    assert document["AccessKeyId"] == cloud.sts.issued[-1].access_key

    cloud.leave("ahead")  # the role is refreshed ahead, as always
    assert cloud.host.document(*argv) == document
    cloud.host.settle()
    assert cloud.sts.count(ONE) == 2


def test_renewal_ends_static_stability(cloud: Cloud, stuck: int) -> None:
    assert cloud.host.document()
    cloud.imds.heal()
    cloud.imds.thaw()
    cloud.next_look()
    assert cloud.host.document()["Expiration"] == cloud.imds.current["Expiration"]


def test_credentials_of_sts_are_never_printed_past_their_end(cloud: Cloud) -> None:
    cloud.sts.max_lifetime = -400
    assert cloud.host.run(*ROLE).status == 1
    assert cloud.host.run(*ROLE).stdout == b""
