"""Credentials that expire soon, and fetching in advance: cache list --expiring, cache warm, Arn."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests import cachedir
from tests.cloud import ONE, TWO
from tests.ctl import CREDPROCCTL, Terminal, ctl, data, failed
from tests.harness import CREDPROC
from tests.terminal import CONTROLLED

if TYPE_CHECKING:
    from tests.cloud import Cloud
    from tests.harness import Host
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer

DEVICE = "arn:aws:iam::111122223333:mfa/ann"
BASE = "[base]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = x/y\n"
CODE = "123456"


def role(name: str, arn: str, *lines: str) -> str:
    """Return a profile that runs credproc for a role, and that role."""
    more = "".join(f"{line}\n" for line in lines)
    return (
        f"[profile {name}]\ncredential_process = {CREDPROC} --profile {name}-role\n"
        f"[profile {name}-role]\nrole_arn = {arn}\nsource_profile = base\n{more}"
    )


@pytest.fixture
def user(host: Host, sts: StsServer) -> Host:
    """A machine with two profiles that run credproc."""
    host.environ["AWS_ENDPOINT_URL_STS"] = sts.url
    host.config(role("one", ONE) + role("two", TWO))
    host.credentials(BASE)
    return host


def test_arn_is_that_of_sts_and_costs_no_call(user: Host, sts: StsServer) -> None:
    user.document("--profile", "one-role")
    printed = user.run("--profile", "one-role", "--field", "Arn")
    cached = user.run("--profile", "one-role", "--field", "Arn")

    assert printed.stdout.decode() == cached.stdout.decode() == f"{sts.issued[-1].arn}\n"
    assert len(sts.calls) == 1


def test_arn_that_is_unknown_is_an_error_that_names_the_role(online: Host) -> None:
    result = online.run("--field", "Arn")

    assert (result.status, result.stdout) == (2, b"")
    assert "--field: the ARN of these credentials is unknown" in result.stderr
    assert "(it is the instance's role app)" in result.stderr


def test_doctor_and_list_show_the_arn_without_a_call(cloud: Cloud) -> None:
    words = ("--role-arn", ONE, "--source", "imds")
    cloud.host.document(*words)
    calls = len(cloud.sts.calls)

    listed = ctl(cloud.host, "cache", "list")
    calls_of_list = len(cloud.sts.calls) - calls
    said = ctl(cloud.host, "doctor", "--", *words, status=0)

    arn = cloud.sts.issued[0].arn
    assert f"({arn})" in listed
    assert "instance role app" in listed
    assert calls_of_list == 0
    assert ":assumed-role/one/" in said


def test_warm_fetches_all_in_advance(user: Host, sts: StsServer) -> None:
    said = ctl(user, "cache", "warm", "--all")
    again = data(user, "cache", "warm", "one", "two")

    assert sorted(line.split(",")[0] for line in said.splitlines()) == [
        "Ready: 2 of 2 profiles.", "one: ready", "two: ready",
    ]  # fmt: skip
    assert [each["state"] for each in again["profiles"]] == ["ready", "ready"]
    assert len(sts.calls) == 2


def test_warm_reports_a_profile_with_a_wrong_option_and_fetches_the_others(user: Host) -> None:
    odd = f"[profile odd]\ncredential_process = {CREDPROC} --proflie x\n"
    user.config(odd + role("one", ONE))

    result = user.run("cache", "warm", "--all", command=CREDPROCCTL)

    lines = result.stdout.decode().splitlines()
    wrong = "the credential_process of profile odd: unknown option --proflie; did you mean"
    assert result.status == 1
    assert any(line.startswith(f"odd: failed: {wrong}") for line in lines), lines
    assert any(": ready, " in line for line in lines), lines


def test_warm_says_that_long_term_keys_are_not_cached(user: Host) -> None:
    assert "base: ready, with long-term keys, which are never cached" in ctl(
        user, "cache", "warm", "base"
    )


def test_warm_fetches_what_would_soon_be_refreshed(user: Host, sts: StsServer) -> None:
    ctl(user, "cache", "warm", "one")
    cachedir.leave(user.cache, 1000)

    (found,) = data(user, "cache", "warm", "one")["profiles"]
    user.settle()

    assert found["state"] == "ready"
    assert len(sts.calls) == 2


def test_dry_run_of_warm_fetches_nothing(user: Host, sts: StsServer) -> None:
    assert ctl(user, "cache", "warm", "--all", "--dry-run") == "one\ntwo\n"
    assert sts.calls == []


@pytest.fixture
def person(user: Host, sts: StsServer) -> Host:
    """A user with an MFA device; of three profiles, two are roles that need its code."""
    sts.mfa_codes[DEVICE] = [CODE]
    line = f"mfa_serial = {DEVICE}"
    user.config(
        role("one", ONE, line) + role("two", TWO, line) + role("three", f"{ONE}-3")
        + "[profile gone]\n"
        f"credential_process = {CREDPROC} --profile sso\n[profile sso]\n"
        "sso_account_id = 123456789012\nsso_role_name = x\nsso_region = eu-west-1\nsso_start_url = https://portal.example/start\n"
    )  # fmt: skip
    return user


def test_warm_prompts_for_one_code_at_most(person: Host, sts: StsServer) -> None:
    words = [str(CREDPROCCTL), "cache", "warm", "one", "two", "three"]
    with Terminal([*CONTROLLED, *words], person.env()) as terminal:
        before = terminal.wait_for("MFA code for")
        terminal.type(f"{CODE}\n")
        status, rest = terminal.end()

    assert "three: ready" in before
    assert "one: ready" in rest
    assert "two: needs an MFA code of its own: run credprocctl cache warm two" in rest
    assert "Ready: 2 of 3 profiles." in rest
    assert status == 1
    assert [call.parameters.get("SerialNumber") for call in sts.calls].count(DEVICE) == 1


def test_warm_reports_what_needs_a_person(person: Host) -> None:
    found = data(person, "cache", "warm", "--all", status=1)

    states = {each["profile"]: each["state"] for each in found["profiles"]}
    assert states == {"one": "MFA code", "two": "MFA code", "three": "ready", "gone": "sign-in"}
    (gone,) = [each for each in found["profiles"] if each["profile"] == "gone"]
    assert "aws sso login --profile sso" in gone["error"]


@pytest.mark.parametrize(
    ("seconds", "found"), [(3000, 0), (800, 2), (-100, 2), (-2000, 0)], ids=str
)
def test_expiring_lists_what_expires_soon(user: Host, seconds: int, found: int) -> None:
    ctl(user, "cache", "warm", "one")
    cachedir.leave(user.cache, seconds)

    words = ("cache", "list", "--expiring", "15m")
    said = ctl(user, *words, status=1 if found else 0)
    entries = data(user, *words, status=1 if found else 0)["entries"]

    assert len(entries) == found
    assert ("one-role" in said) is bool(found)


def test_empty_cache_has_nothing_that_expires(host: Host) -> None:
    assert "nothing expires within 1 h" in ctl(host, "cache", "list", "--expiring", "1h")


@pytest.mark.parametrize("text", ["90", "90s", "1m30s", "1h", "1h1m1s"])
def test_time_is_read(host: Host, text: str) -> None:
    ctl(host, "cache", "list", "--expiring", text)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["list", "--expiring", "soon"], "--expiring: must be a time, like 90s, 15m or 1h30m"),
        (["list", "--expiring", "-5"], "--expiring"),
        (["list", "--expiring", "m"], "--expiring: must be a time"),
        (["warm"], "give the names of profiles, or --all"),
        (["warm", "one", "--all"], "give the names of profiles, or --all, not both"),
        (["warm", "nowhere"], "there is no profile nowhere"),
    ],
)
def test_invalid_arguments_are_refused(user: Host, words: list[str], reason: str) -> None:
    assert reason in failed(user, "cache", *words, status=2)


def test_instance_role_is_warmed_by_its_own_profile(online: Host, imds: ImdsServer) -> None:
    online.config(f"[profile app]\ncredential_process = {CREDPROC}\n")

    (found,) = data(online, "cache", "warm", "app")["profiles"]

    assert found["expiration"] == imds.current["Expiration"]
    assert found["expiration"] > time.strftime("%Y", time.gmtime())
