"""A sign-in by `aws sso login`: its files, its only exchange, and retries at the portal."""

from __future__ import annotations

import json
import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from tests.cloud import until
from tests.harness import CREDPROC, NOWHERE
from tests.servers import faults, sso
from tests.users import UNKNOWN, as_user, public_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness import Host, Result
    from tests.servers.base import Exchange, Fault

DEV = ("--profile", "dev")
PROFILE = """
[profile dev]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Developer
[sso-session corp]
sso_region = eu-central-1
sso_start_url = https://portal.example/start
"""


@pytest.fixture
def portal(host: Host) -> Iterator[sso.SsoPortal]:
    """A portal and its token service, used by the profile `dev`, whose sign-in has an hour left."""
    with sso.SsoPortal() as server:
        for service in ("SSO", "SSO_OIDC"):
            host.environ[f"AWS_ENDPOINT_URL_{service}"] = server.url
        host.config(PROFILE)
        login(host, 3600)
        yield server


def login(host: Host, seconds: float) -> Path:
    """Write a sign-in whose access token has so many seconds left."""
    return sso.write_token(
        host.home, "corp", "eu-central-1", time.time() + seconds, refresh=sso.REFRESH_TOKEN
    )


def add_reader(host: Host, portal: sso.SsoPortal) -> None:
    """Add a profile `other` with the same sign-in and another role."""
    other = PROFILE.partition("[sso-session")[0].replace("dev]", "other]")
    host.config(PROFILE + other.replace("Developer", "Reader"))
    portal.assignments.add(("123456789012", "Reader"))


def refusal(result: Result) -> str:
    """Return the error line of a run without credentials, which contains no secret."""
    assert (result.status, result.stdout) == (1, b""), result
    assert result.stderr.startswith("credproc: profile dev: "), result
    assert result.stderr.count("\n") == 1, result
    assert "canary" not in result.stderr, result
    assert "<" not in result.stderr, result
    return result.stderr


# Patience.


@pytest.mark.parametrize("code", ["TooManyRequestsException", "InternalServerException"])
def test_portal_that_is_busy_is_waited_for(code: str, host: Host, portal: sso.SsoPortal) -> None:
    portal.fail(sso.error(code), times=5)
    assert host.document(*DEV, AWS_MAX_ATTEMPTS="6")["AccountId"] == "123456789012"
    assert portal.count("creds") == 6


def test_number_of_attempts_is_what_the_user_sets(host: Host, portal: sso.SsoPortal) -> None:
    portal.fail(sso.error("TooManyRequestsException"))
    said = refusal(host.run(*DEV, AWS_MAX_ATTEMPTS="2"))
    assert "throttled by the SSO portal in eu-central-1 (TooManyRequestsException" in said
    assert portal.count("creds") == 2


def test_portal_that_stays_busy_fails_at_the_deadline(host: Host, portal: sso.SsoPortal) -> None:
    portal.fail(sso.error("InternalServerException"))
    said = refusal(host.run(*DEV, "--timeout", "4"))
    assert "the SSO portal in eu-central-1 returned a server error (500 Internal" in said
    assert "no time is left to try again" in said
    assert portal.count("creds") > 4


REFUSED: dict[str, tuple[Fault, str]] = {
    "role": (sso.error("ForbiddenException"), "check sso_account_id and sso_role_name"),
    "no role": (sso.error("ResourceNotFoundException"), "check sso_account_id and sso_role_name"),
    "page": (faults.html(), "is not from the SSO portal (status 200; a proxy or a captive"),
    "page, forbidden": (
        faults.status(403, b"<html><p>no</p></html>"),
        "is not from the SSO portal (status 403;",
    ),
    "less": (
        faults.body(b'{"roleCredentials": {"accessKeyId": "ASIA"}}', "application/json"),
        "the SSO portal answered without secretAccessKey, sessionToken, expiration",
    ),
    "nothing": (faults.body(b"{}", "application/json"), "is not from the SSO portal (status 200;"),
}


@pytest.mark.parametrize(("fault", "words"), REFUSED.values(), ids=REFUSED)
def test_answer_of_the_portal_is_explained_and_never_quoted(
    fault: Fault, words: str, host: Host, portal: sso.SsoPortal
) -> None:
    portal.fail(fault)
    assert words in refusal(host.run(*DEV))


# The exchange of a token.


def test_new_token_is_saved_for_the_next_exchange(host: Host, portal: sso.SsoPortal) -> None:
    path = login(host, -60)
    host.document(*DEV)
    kept = json.loads(path.read_text())
    assert (kept["accessToken"], kept["refreshToken"]) == (portal.token, portal.refresh)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("fault", [faults.status(503), faults.close(), faults.html()])
def test_exchange_is_never_repeated(fault: Fault, host: Host, portal: sso.SsoPortal) -> None:
    login(host, -60)
    portal.break_("token", fault)
    said = refusal(host.run(*DEV))
    assert portal.count("token") == 1
    assert "token service" in said


def test_exchange_that_may_have_been_accepted_is_reported(
    host: Host, portal: sso.SsoPortal
) -> None:
    login(host, -60)
    portal.break_("token", faults.close())
    said = refusal(host.run(*DEV))
    assert "It may have used up the refresh token, which is not sent twice: " in said
    assert "run `aws sso login --profile dev`" in said


def test_profiles_of_one_session_exchange_its_token_once(host: Host, portal: sso.SsoPortal) -> None:
    add_reader(host, portal)
    login(host, -60)
    log = host.folder / "log"
    log.touch()
    host.environ["CREDPROC_LOG"] = str(log)
    hold = portal.hold("token")
    runs = [host.start("--profile", name) for name in ("dev", "other")]
    until(lambda: log.read_text().count("waiting for its lock") == len(runs))
    hold.release()
    assert [run.wait().status for run in runs] == [0, 0]
    assert portal.count("token") == 1


def test_token_that_another_program_replaced_meanwhile_is_used(
    host: Host, portal: sso.SsoPortal
) -> None:
    login(host, -60)

    def replaced(exchange: Exchange) -> None:
        login(host, 3600)
        faults.status(400)(exchange)

    portal.break_("token", replaced)
    assert host.document(*DEV)["AccountId"] == "123456789012"
    assert portal.count("token") == 1


@pytest.mark.parametrize("fault", [faults.status(503), faults.close(), faults.html(), None])
def test_failed_exchange_of_a_token_that_is_still_valid_costs_nothing(
    fault: Fault | None, host: Host, portal: sso.SsoPortal
) -> None:
    path = login(host, 600)
    if fault:
        portal.break_("token", fault)
    else:
        host.environ["AWS_ENDPOINT_URL_SSO_OIDC"] = NOWHERE
    before = path.read_text()
    assert host.document(*DEV)["AccountId"] == "123456789012"
    assert portal.count("token") == (1 if fault else 0)
    assert path.read_text() == before


@pytest.mark.slow
def test_exchange_that_hangs_is_not_waited_for_while_the_token_is_valid(
    host: Host, portal: sso.SsoPortal
) -> None:
    add_reader(host, portal)
    login(host, 600)
    with portal.hold("token") as hold:
        first = host.start(*DEV, "--timeout", "12")
        hold.wait_for()
        assert host.document("--profile", "other", "--timeout", "12")
        assert first.wait().document
    assert portal.count("token") == 1


def test_token_that_is_still_valid_is_not_exchanged_by_a_run_with_little_time(
    host: Host, portal: sso.SsoPortal
) -> None:
    login(host, 600)
    host.run(*DEV, "--timeout", "4")  # on a busy machine that may be too little for anything
    assert portal.count("token") == 0


@pytest.mark.needs("users")
def test_new_token_keeps_its_owner_and_a_link_to_it(host: Host, portal: sso.SsoPortal) -> None:
    link = login(host, -60)
    path = link.rename(host.folder / "token")
    link.symlink_to(path)
    os.chown(path, UNKNOWN, UNKNOWN)
    host.document(*DEV)  # as root, as with sudo
    assert link.is_symlink()
    assert portal.refresh in path.read_text()
    assert (path.stat().st_uid, path.stat().st_mode & 0o777) == (UNKNOWN, 0o600)


def test_unreachable_token_service_has_accepted_nothing(host: Host, portal: sso.SsoPortal) -> None:
    login(host, -60)
    said = refusal(host.run(*DEV, AWS_ENDPOINT_URL_SSO_OIDC=NOWHERE))
    assert "no answer from the token service: Could not connect" in said
    assert "refresh token" not in said
    assert portal.count("token") == 0


def test_expired_login_says_how_to_sign_in(host: Host, portal: sso.SsoPortal) -> None:
    login(host, -60)
    portal.refresh = "another"
    assert "run `aws sso login --profile dev`" in refusal(host.run(*DEV))
    assert portal.count("token") == 1


@pytest.mark.slow
@pytest.mark.parametrize("state", ["nothing cached", "something cached"])
def test_exchange_has_more_time_than_other_calls(
    state: str, host: Host, portal: sso.SsoPortal
) -> None:
    if state == "something cached":
        portal._lifetime = 600  # to be refreshed before it is printed
        host.document(*DEV)
    login(host, -60)
    with portal.hold("token") as hold:
        process = host.start(*DEV, "--refresh")
        hold.wait_for()
        time.sleep(7)  # longer than any other call, or one with valid credentials, may take
        hold.release()
        assert process.wait().status == 0
    assert portal.count("token") == 1


# The files.


@pytest.mark.needs("users")
def test_new_token_is_used_where_it_cannot_be_written(host: Host, portal: sso.SsoPortal) -> None:
    path = login(host, -60)
    before = path.read_bytes()
    with public_folder() as folder:
        home = folder / "home"
        shutil.copytree(host.home, home)
        for each in (home, *home.rglob("*")):
            os.chown(each, UNKNOWN, UNKNOWN)
        (home / ".aws/sso/cache").chmod(0o500)
        prefix = as_user(UNKNOWN, reads_all=True)
        words = (*prefix[1:], str(CREDPROC), *DEV, "--no-cache", "-v")
        result = host.run(*words, command=prefix[0], HOME=str(home))
    assert json.loads(result.stdout)["AccountId"] == "123456789012"
    assert "is not writable (Permission denied): only this run uses the new token" in (
        result.stderr
    )
    assert path.read_bytes() == before
    assert portal.count("token") == 1


@pytest.mark.parametrize("content", ["", "{", "[1]", '"text"', "null"])
def test_damaged_token_is_named(content: str, host: Host, portal: sso.SsoPortal) -> None:
    path = login(host, 3600)
    path.write_text(content)
    said = refusal(host.run(*DEV))
    assert f"{path} does not contain a token (damaged?): run `aws sso login --profile dev`" in said
    assert portal.count() == 0


@pytest.mark.parametrize("change", [{"expiresAt": "soon"}, {"expiresAt": 5}, {"accessToken": 1}])
def test_token_with_odd_fields_is_not_called_an_answer(
    change: dict[str, object], host: Host, portal: sso.SsoPortal
) -> None:
    path = login(host, 3600)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert "run `aws sso login --profile dev`" in refusal(host.run(*DEV))
