"""Each --source assumes the first role, is cached, and is named in an error if it fails."""

from __future__ import annotations

import json
import re
import shlex
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests import cachedir
from tests.cloud import KEYS, ONE, TWO, one_document
from tests.harness import CREDPROC, NOWHERE, herd
from tests.servers import sso
from tests.servers.container import ContainerServer
from tests.servers.rotation import iso

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cloud import Cloud

NO_KEYS: dict[str, Any] = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
FULL = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
TOKEN = "canary0123456789abcdefghij"
WEB_TOKEN = "canary9876543210abcdefghij"


def argv(source: str) -> tuple[str, ...]:
    return ("--role-arn", ONE, "--source", source)


@pytest.fixture
def task() -> Iterator[ContainerServer]:
    with ContainerServer() as server:
        yield server


@pytest.fixture
def portal(cloud: Cloud) -> Iterator[sso.SsoPortal]:
    """A portal that the host's profile `dev` asks, with the token of a login."""
    with sso.SsoPortal() as server:
        cloud.host.environ["AWS_ENDPOINT_URL_SSO"] = server.url
        cloud.host.config(
            "[profile dev]\nsso_session = corp\nsso_account_id = 123456789012\n"
            "sso_role_name = Developer\nregion = eu-central-1\n"
            "[sso-session corp]\nsso_region = eu-central-1\n"
            "sso_start_url = https://portal.example/start\n"
        )
        sso.write_token(cloud.host.home, "corp", "eu-central-1", time.time() + 3600)
        yield server


def helper(folder: Path, script: str) -> Path:
    """Write a credential_process that notes each of its runs."""
    path = folder / "helper"
    path.write_text(f"#!/bin/sh\necho run >>{folder}/runs\n{script}\n")
    path.chmod(0o700)
    return path


def runs(folder: Path) -> int:
    """Return how often the helper was run."""
    note = folder / "runs"
    return len(note.read_text().splitlines()) if note.exists() else 0


def document(seconds: float = 3600) -> str:
    return json.dumps(
        {
            "Version": 1,
            "AccessKeyId": "ASIAHELPERHELPERHELP",
            "SecretAccessKey": "canarySecretOfHelper",
            "SessionToken": "canaryTokenOfHelper",
            "Expiration": iso(time.time() + seconds),
        }
    )


# What each of them gives: the variables, the caller's key and token, and the service called.

Given = tuple[str, dict[str, Any], str, str]


def given_env(_: Cloud, __: ContainerServer) -> Given:
    return "env", {}, KEYS["AWS_ACCESS_KEY_ID"], ""


def given_env_with_token(_: Cloud, __: ContainerServer) -> Given:
    variables = {"AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE", "AWS_SESSION_TOKEN": "canaryToken"}
    return "env", variables, "ASIAIOSFODNN7EXAMPLE", "canaryToken"


def given_env_with_old_token(_: Cloud, __: ContainerServer) -> Given:
    variables = {"AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE", "AWS_SECURITY_TOKEN": "canaryToken"}
    return "env", variables, "ASIAIOSFODNN7EXAMPLE", "canaryToken"


def given_keys(cloud: Cloud, _: ContainerServer) -> Given:
    cloud.host.credentials("[p]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = s\n")
    return "profile:p", NO_KEYS, "AKIAPROFILE", ""


def given_role(cloud: Cloud, _: ContainerServer) -> Given:
    cloud.host.config(f"[profile p]\nrole_arn = {TWO}\ncredential_source = Environment\n")
    return "profile:p", {}, "issued", ""


def given_helper(cloud: Cloud, _: ContainerServer) -> Given:
    path = helper(cloud.host.folder, f"echo '{document()}'")
    cloud.host.config(f"[profile p]\ncredential_process = {path}\n")
    return "profile:p", NO_KEYS, "ASIAHELPERHELPERHELP", "canaryTokenOfHelper"


def given_web_identity_profile(cloud: Cloud, _: ContainerServer) -> Given:
    path = cloud.host.folder / "token"
    path.write_text(WEB_TOKEN)
    cloud.host.config(f"[profile p]\nrole_arn = {TWO}\nweb_identity_token_file = {path}\n")
    return "profile:p", NO_KEYS, "issued", ""


def given_web_identity(cloud: Cloud, _: ContainerServer) -> Given:
    path = cloud.host.folder / "token"
    path.write_text(WEB_TOKEN)
    variables = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(path), "AWS_ROLE_ARN": TWO, **NO_KEYS}
    return "web-identity", variables, "issued", ""


def given_imds(cloud: Cloud, _: ContainerServer) -> Given:
    current = cloud.imds.current
    return "imds", NO_KEYS, current["AccessKeyId"], current["Token"]


def given_named_imds(cloud: Cloud, _: ContainerServer) -> Given:
    current = cloud.imds.current
    return "imds:app", NO_KEYS, current["AccessKeyId"], current["Token"]


def given_container(_: Cloud, task: ContainerServer) -> Given:
    return (
        "container",
        {FULL: task.full_uri, **NO_KEYS},
        task.current["AccessKeyId"],
        (task.current["Token"]),
    )


def given_pod(cloud: Cloud, task: ContainerServer) -> Given:
    task.token = TOKEN
    path = cloud.host.folder / "pod-token"
    path.write_text(TOKEN + "\n")
    variables = {
        FULL: task.full_uri,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(path),
        **NO_KEYS,
    }
    return "container", variables, task.current["AccessKeyId"], task.current["Token"]


GIVERS: list[Callable[[Cloud, ContainerServer], Given]] = [
    given_env,
    given_env_with_token,
    given_env_with_old_token,
    given_keys,
    given_role,
    given_helper,
    given_web_identity_profile,
    given_web_identity,
    given_imds,
    given_named_imds,
    given_container,
    given_pod,
]


@pytest.mark.parametrize("giver", GIVERS, ids=lambda giver: giver.__name__.removeprefix("given_"))
def test_source_is_fetched_once_and_assumes_the_first_role(
    giver: Callable[[Cloud, ContainerServer], Given], cloud: Cloud, task: ContainerServer
) -> None:
    source, variables, key, token = giver(cloud, task)
    first = cloud.host.document(*argv(source), **variables)
    if key == "issued":
        key, token = cloud.sts.issued[0].access_key, cloud.sts.issued[0].token

    call = cloud.sts.calls[-1]
    assert call.parameters["RoleArn"] == ONE
    assert (call.access_key, call.session_token) == (key, token)
    assert first["AccessKeyId"] == cloud.sts.issued[-1].access_key

    before = (cloud.sts.count(), cloud.imds.count("creds"), task.count(), runs(cloud.host.folder))
    assert cloud.host.document(*argv(source), **variables) == first
    cloud.host.document("--role-arn", TWO, "--source", source, **variables)
    assert (
        cloud.sts.count() - 1,
        cloud.imds.count("creds"),
        task.count(),
        runs(cloud.host.folder),
    ) == before


def test_sso_login_is_exchanged_once(cloud: Cloud, portal: sso.SsoPortal) -> None:
    current = portal.current("123456789012", "Developer")
    cloud.host.document(*argv("profile:dev"))
    (call,) = cloud.sts.calls
    assert (call.access_key, call.session_token) == (
        current["accessKeyId"],
        current["sessionToken"],
    )
    document = cloud.host.document("--profile", "dev")
    assert document == {
        "Version": 1,
        "AccessKeyId": current["accessKeyId"],
        "SecretAccessKey": current["secretAccessKey"],
        "SessionToken": current["sessionToken"],
        "Expiration": iso(current["expiration"] / 1000),
        "AccountId": "123456789012",
    }
    assert portal.count("creds") == 1
    (request,) = portal.requests
    assert request.headers["x-amz-sso_bearer_token"] == sso.TOKEN


@pytest.mark.parametrize(
    ("expires", "token", "words"),
    [
        (-60, sso.TOKEN, "run `aws sso login --profile dev`"),
        (None, sso.TOKEN, "run `aws sso login --profile dev`"),
        (
            3600,
            "canaryRevokedToken0123456789",
            "the SSO session has expired or was revoked: run `aws sso login",
        ),
    ],
)
def test_expired_sso_login_says_how_to_log_in(
    expires: float | None, token: str, words: str, cloud: Cloud, portal: sso.SsoPortal
) -> None:
    if expires is None:
        for path in (cloud.host.home / ".aws" / "sso" / "cache").iterdir():
            path.unlink()
    else:
        sso.write_token(cloud.host.home, "corp", "eu-central-1", time.time() + expires, token)
    result = cloud.host.run("--profile", "dev")
    assert (result.status, result.stdout) == (1, b"")
    assert result.stderr.startswith("credproc: profile dev: ")
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert "canary" not in result.stderr


def test_sso_role_that_is_not_assigned_is_said_in_the_portals_words(
    cloud: Cloud, portal: sso.SsoPortal
) -> None:
    portal.assignments.clear()
    result = cloud.host.run(*argv("profile:dev"), **NO_KEYS)
    assert result.status == 1
    assert "chain: source profile:dev: ForbiddenException: No access" in result.stderr


def test_portal_that_repeats_the_token_is_not_quoted_with_it(
    cloud: Cloud, portal: sso.SsoPortal
) -> None:
    def repeat(exchange: Any) -> None:
        answer = sso.refusal("ForbiddenException")
        exchange.reply(answer.with_data({"message": f"not with {sso.TOKEN}"}))

    portal.fail(repeat)
    result = cloud.host.run("--profile", "dev", "--verbose")
    assert result.status == 1
    assert "not with [secret]" in result.stderr
    assert "canary" not in result.stderr


def test_portal_that_is_out_of_reach_is_said_in_botocores_words(
    cloud: Cloud, portal: sso.SsoPortal
) -> None:
    result = cloud.host.run("--profile", "dev", AWS_ENDPOINT_URL_SSO=NOWHERE, AWS_MAX_ATTEMPTS="1")
    assert (result.status, result.stdout) == (1, b"")
    assert result.stderr.startswith("credproc: profile dev: ")
    assert f'Could not connect to the endpoint URL: "{NOWHERE}' in result.stderr
    assert result.stderr.count("\n") == 1


def test_profile_of_aws_login_says_what_botocore_needs_for_it(cloud: Cloud) -> None:
    cloud.host.config("[profile p]\nlogin_session = arn:aws:iam::123456789012:user/jane\n")
    result = cloud.host.run("--profile", "p")
    assert result.status == 1
    assert "credproc: profile p: " in result.stderr
    needs = re.search(r'Python: run (.+) -m pip install "botocore\[crt\]"\n$', result.stderr)
    if not needs:  # it is installed; then the sign-in is missing
        assert "Please reauthenticate with 'aws login'" in result.stderr
        return
    (python,) = shlex.split(needs[1])
    before = cloud.host.run("-c", "import credproc; print('its own')", command=python)
    assert before.stdout == b"its own\n"


# A helper that is slow.


def test_slow_helper_is_run_once_for_twenty_processes(cloud: Cloud) -> None:
    path = helper(cloud.host.folder, f"sleep 2; echo '{document()}'")
    cloud.host.config(f"[profile slow]\ncredential_process = {path}\n")
    results = herd(cloud.host, 20, "--profile", "slow")
    printed = json.loads(one_document(results))
    assert printed["AccessKeyId"] == "ASIAHELPERHELPERHELP"
    assert runs(cloud.host.folder) == 1

    assert cloud.host.document(*argv("profile:slow"))
    assert cloud.sts.calls[0].access_key == "ASIAHELPERHELPERHELP"
    assert runs(cloud.host.folder) == 1, "what a profile gives is kept for chains too"


def test_helper_whose_credentials_expire_soon_is_run_once_per_run(cloud: Cloud) -> None:
    # Below 15 minutes botocore's own provider runs it twice for one answer.
    path = helper(cloud.host.folder, f"echo '{document(600)}'")
    cloud.host.config(f"[profile soon]\ncredential_process = {path}\n")
    cloud.host.document("--profile", "soon")
    assert runs(cloud.host.folder) == 1
    cloud.host.document("--profile", "soon")
    assert runs(cloud.host.folder) == 1


def test_helper_without_an_expiration_is_run_each_time_and_leaves_nothing_on_the_disk(
    cloud: Cloud,
) -> None:
    keys = '{"Version":1,"AccessKeyId":"AKIAHELPER","SecretAccessKey":"canaryOfLongTerm"}'
    path = helper(cloud.host.folder, f"echo '{keys}'")
    cloud.host.config(f"[profile long]\ncredential_process = {path}\n")
    assert cloud.host.document("--profile", "long")["AccessKeyId"] == "AKIAHELPER"
    cloud.host.document("--profile", "long")
    assert runs(cloud.host.folder) == 2
    assert cachedir.entries(cloud.host.cache) == []


def test_failing_helper_is_quoted_and_run_once_for_a_herd(cloud: Cloud) -> None:
    path = helper(cloud.host.folder, "sleep 0.5; echo the device is locked >&2; exit 3")
    cloud.host.config(f"[profile broken]\ncredential_process = {path}\n")
    results = herd(cloud.host, 8, "--profile", "broken")
    assert runs(cloud.host.folder) == 1
    for result in results:
        assert (result.status, result.stdout) == (1, b"")
        words = "credential_process helper exited with status 3: the device is locked"
        assert result.stderr.startswith(f"credproc: profile broken: {words}")


# Missing things.


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("env", "chain: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"),
        ("container", "chain: neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor ..._FULL_URI is"),
        ("web-identity", "chain: AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN are not set"),
        ("imds:other", "chain: this instance's role is app, not other"),
    ],
)
def test_source_that_does_not_apply_leaves_it_to_the_next_provider(
    source: str, words: str, cloud: Cloud
) -> None:
    result = cloud.host.run(*argv(source), **NO_KEYS)
    assert (result.status, result.stdout) == (1, b"")
    assert words in result.stderr
    document = cloud.host.document(*argv(source), "--imds", **NO_KEYS)
    assert document["AccessKeyId"] == cloud.imds.current["AccessKeyId"]
    assert cloud.sts.count() == 0


@pytest.mark.parametrize(
    ("variables", "source", "words"),
    [
        ({"AWS_SECRET_ACCESS_KEY": None}, "env", "ID is set, but AWS_SECRET_ACCESS_KEY is not"),
        ({}, "profile:nowhere", "profile nowhere is in neither "),
        ({}, "profile:half", "credproc: profile half: aws_secret_access_key is missing"),
        ({"AWS_PROFILE": "gone"}, "env", "profile gone (from AWS_PROFILE) is in neither "),
        ({FULL: "http://192.0.2.1/"}, "container", f"source container: {FULL}: unsupported host"),
    ],
)
def test_misconfigured_source_is_status_2_and_no_other_provider_is_tried(
    variables: dict[str, Any], source: str, words: str, cloud: Cloud
) -> None:
    cloud.host.config("[profile half]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n")
    result = cloud.host.run(*argv(source), "--imds", **variables)
    assert (result.status, result.stdout) == (2, b"")
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert cloud.imds.count("creds") == cloud.sts.count() == 0


def test_failed_source_is_named(cloud: Cloud, task: ContainerServer) -> None:
    task.token = "another"
    variables: dict[str, Any] = {
        FULL: task.full_uri,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN,
    }
    result = cloud.host.run(*argv("container"), **variables)
    assert result.status == 1
    assert "chain: source container: the container's endpoint answered 401 (" in result.stderr
    assert TOKEN not in result.stderr


def test_credproc_as_a_helper_is_run_like_any_other(cloud: Cloud) -> None:
    cloud.host.config(f"[profile inner]\ncredential_process = {CREDPROC} --imds\n")
    document = cloud.host.document("--profile", "inner")
    assert document["AccessKeyId"] == cloud.imds.current["AccessKeyId"]
