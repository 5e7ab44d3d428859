"""Role chains: their credentials, what is cached of each hop, the error of a hop that fails."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

from tests import cachedir
from tests.cloud import CHAIN, KEYS, ONE, OTHER, TWO, one_document
from tests.servers.moto import Moto
from tests.servers.rotation import iso
from tests.servers.sts import error

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cloud import Cloud
    from tests.harness import Host

KEY = KEYS["AWS_ACCESS_KEY_ID"]
LAPTOP = f"""\
[laptop]
aws_access_key_id = AKIALAPTOPLAPTOPLA{"{0}"}
aws_secret_access_key = canary{"{0}"}
"""


def roles(*arns: str, source: str = "env") -> list[str]:
    """Return the command line of a chain."""
    return [word for arn in arns for word in ("--role-arn", arn)] + ["--source", source]


def test_every_role_is_assumed_with_the_credentials_of_the_one_before(cloud: Cloud) -> None:
    arns = [f"arn:aws:iam::{number}11122223333:role/r{number}" for number in range(1, 6)]
    document = cloud.host.document(*roles(*arns))

    issued, calls = cloud.sts.issued, cloud.sts.calls
    assert [call.parameters["RoleArn"] for call in calls] == arns
    assert [call.access_key for call in calls] == [KEY, *[each.access_key for each in issued[:-1]]]
    assert [call.session_token for call in calls] == ["", *[each.token for each in issued[:-1]]]
    assert document == {
        "Version": 1,
        "AccessKeyId": issued[-1].access_key,
        "SecretAccessKey": issued[-1].secret_key,
        "SessionToken": issued[-1].token,
        "Expiration": iso(issued[-1].expires),
        "AccountId": "511122223333",
    }
    assert cloud.host.document(*roles(*arns)) == document
    assert len(cloud.sts.calls) == 5


def test_service_that_checks_signatures_knows_the_last_role(host: Host, tmp_path: Path) -> None:
    with Moto(tmp_path) as moto:
        key, secret = moto.user("jane")
        jump, app = moto.role("jump"), moto.role("app", "444455556666")
        moto.authenticate()
        moto.forget()
        host.environ.update(
            AWS_ENDPOINT_URL_STS=moto.url,
            AWS_REGION="eu-central-1",
            AWS_ACCESS_KEY_ID=key,
            AWS_SECRET_ACCESS_KEY=secret,
        )
        document = host.document(*roles(jump, app), "--no-cache")
        client: Any = botocore.session.Session().create_client(
            "sts",
            region_name="eu-central-1",
            endpoint_url=moto.url,
            aws_access_key_id=document["AccessKeyId"],
            aws_secret_access_key=document["SecretAccessKey"],
            aws_session_token=document["SessionToken"],
        )
        arn = client.get_caller_identity()["Arn"]
        assert arn.startswith("arn:aws:sts::444455556666:assumed-role/app/credproc-")
        assert document["AccountId"] == "444455556666"
        assert [call.action for call in moto.calls] == ["AssumeRole"] * 2 + ["GetCallerIdentity"]

        wrong = host.run(*roles(jump, app), "--no-cache", AWS_SECRET_ACCESS_KEY="x" * 40)
        assert wrong.status == 1
        assert f"role 1 of 2, {jump}: SignatureDoesNotMatch: " in wrong.stderr
        assert f"the secret key of ...{key[-4:]} is wrong" in wrong.stderr


def test_hop_that_is_refused_is_named_and_the_others_stay_cached(cloud: Cloud) -> None:
    cloud.sts.fail(error("AccessDenied"), role=TWO)
    result = cloud.host.run(*roles(ONE, TWO, OTHER))

    assert (result.status, result.stdout) == (1, b"")
    assert result.stderr.startswith(f"credproc: chain: role 2 of 3, {TWO}: AccessDenied: User: ")
    assert "that its trust policy allows this caller" in result.stderr
    assert result.stderr.count("\n") == 1
    assert (*cloud.roles, cloud.sts.count(OTHER)) == (1, 1, 0)

    cloud.sts.heal()
    cloud.host.document(*roles(ONE, TWO, OTHER), "--refresh")
    assert (*cloud.roles, cloud.sts.count(OTHER)) == (2, 2, 1)


def test_run_after_a_failed_hop_repeats_only_that_hop(cloud: Cloud) -> None:
    cloud.sts.fail(error("AccessDenied"), role=TWO)
    assert cloud.host.run(*CHAIN).status == 1
    cloud.sts.heal()
    cachedir.change(cloud.host.cache, look=-1)
    cloud.host.document(*CHAIN)
    assert cloud.roles == (1, 2)


def test_common_beginning_is_assumed_once(cloud: Cloud) -> None:
    cloud.host.document(*roles(ONE, TWO))
    cloud.host.document(*roles(ONE, OTHER))
    first = cloud.host.document(*roles(ONE))

    assert (*cloud.roles, cloud.sts.count(OTHER)) == (1, 1, 1)
    assert first["AccessKeyId"] == cloud.sts.issued[0].access_key


def test_same_role_from_another_source_is_another_entry(cloud: Cloud) -> None:
    cloud.host.credentials(LAPTOP.format("11"))
    from_env = cloud.host.document(*roles(ONE))
    from_profile = cloud.host.document(*roles(ONE, source="profile:laptop"))
    other_keys = cloud.host.document(*roles(ONE), AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLF")
    assert len({each["AccessKeyId"] for each in (from_env, from_profile, other_keys)}) == 3
    assert [call.access_key for call in cloud.sts.calls] == [
        KEY,
        "AKIALAPTOPLAPTOPLA11",
        "AKIAIOSFODNN7EXAMPLF",
    ]
    assert cloud.host.document(*roles(ONE)) == from_env


def test_keys_that_were_changed_are_used_at_once(cloud: Cloud) -> None:
    argv = roles(ONE, source="profile:laptop")
    cloud.host.credentials(LAPTOP.format("11"))
    before = cloud.host.document(*argv)
    assert cloud.host.document(*argv) == before
    cloud.host.credentials(LAPTOP.format("22"))
    assert cloud.host.document(*argv) != before
    assert cloud.sts.count(ONE) == 2


def test_tools_under_different_profiles_share_the_hops(cloud: Cloud) -> None:
    note = cloud.host.folder / "calls"
    script = cloud.host.folder / "code"
    script.write_text(f"#!/bin/sh\necho >>{note}\necho 123456\n")
    script.chmod(0o700)
    cloud.host.config(
        "[profile dev]\nregion = eu-west-1\n[profile prod]\nregion = eu-west-1\n"
        f"[profile jump]\nrole_arn = {ONE}\nsource_profile = laptop\nmfa_serial = GAHT12345678\n"
    )
    cloud.host.credentials(LAPTOP.format("11"))
    mfa = ("--mfa-command", str(script))
    for profile, last in (("dev", TWO), ("prod", OTHER), (None, TWO)):
        cloud.host.document(*roles(last, source="profile:jump"), *mfa, AWS_PROFILE=profile)
    cloud.host.document("--profile", "jump", *mfa, AWS_PROFILE="dev")
    assert note.read_text() == "\n"
    assert (*cloud.roles, cloud.sts.count(OTHER)) == (1, 1, 1)


def test_chains_of_all_lengths_at_once_wait_but_never_in_a_circle(cloud: Cloud) -> None:
    cloud.host.config(
        f"[profile one]\nrole_arn = {ONE}\nsource_profile = laptop\n"
        f"[profile two]\nrole_arn = {TWO}\nsource_profile = one\n"
        f"[profile other]\nrole_arn = {OTHER}\nsource_profile = two\n"
    )
    cloud.host.credentials(LAPTOP.format("11"))
    chains = [
        ("--profile", "one"),
        ("--profile", "two"),
        ("--profile", "other"),
        tuple(roles(ONE, source="profile:laptop")),
        tuple(roles(ONE, TWO, OTHER, source="profile:laptop")),
        tuple(roles(OTHER, source="profile:two")),
    ]
    with cloud.sts.hold(ONE) as hold:
        running = [cloud.host.start(*chain) for chain in (*chains, *reversed(chains))]
        hold.wait_for()
    results = [process.wait() for process in running]

    assert (*cloud.roles, cloud.sts.count(OTHER)) == (1, 1, 1)
    keys = [issued.access_key for issued in cloud.sts.issued]
    for index, chain in ((0, 0), (1, 1), (2, 2), (0, 3), (2, 4), (2, 5)):
        document = one_document([results[chain], results[-1 - chain]])
        assert keys[index].encode() in document


def test_hop_that_another_process_is_assuming_is_waited_for_and_used(cloud: Cloud) -> None:
    with cloud.sts.hold(ONE) as hold:
        first = cloud.host.start(*roles(ONE))
        hold.wait_for()
        second = cloud.host.start(*roles(ONE, TWO), "--verbose")
        assert second.popen.stderr
        said = b""
        while b"waiting for another process" not in said:
            line = second.popen.stderr.readline()
            assert line, said
            said += line
    assert first.wait().status == 0
    assert second.wait().status == 0
    assert cloud.roles == (1, 1)
    assert cloud.sts.calls[1].access_key == cloud.sts.issued[0].access_key


def test_hop_whose_credentials_were_revoked_is_assumed_again_once(cloud: Cloud) -> None:
    cloud.host.document(*roles(ONE))
    cloud.sts.revoke(cloud.sts.issued[0].access_key)
    document = cloud.host.document(*roles(ONE, TWO))

    assert cloud.roles == (2, 2)
    assert document["AccessKeyId"] == cloud.sts.issued[-1].access_key
    again = cloud.host.document(*roles(ONE, OTHER))
    assert (*cloud.roles, cloud.sts.count(OTHER)) == (2, 2, 1), "the new one was kept"
    assert again["AccessKeyId"] == cloud.sts.issued[-1].access_key


def test_source_whose_credentials_were_revoked_is_fetched_again_once(cloud: Cloud) -> None:
    argv = roles(ONE, source="imds")
    cloud.host.document(*argv)
    cloud.sts.revoke(cloud.imds.current["AccessKeyId"])
    cloud.imds.turn()
    cloud.host.document(*argv, "--duration-seconds", "900")
    assert cloud.imds.count("creds") == 2
    callers = [call.access_key for call in cloud.sts.calls]
    assert callers == [callers[0], callers[0], cloud.imds.current["AccessKeyId"]]


def test_rotated_keys_that_sts_rejects_are_named_by_their_source(cloud: Cloud) -> None:
    cloud.sts.revoke(KEY)
    result = cloud.host.run(*CHAIN)
    assert result.status == 1
    assert f"role 1 of 2, {ONE}: ExpiredToken: " in result.stderr
    assert "(...MPLE) have expired (credentials from env)" in result.stderr
    assert cloud.roles == (1, 0)


@pytest.mark.parametrize("source", ["imds", "env"])
def test_limit_of_one_hour_for_a_chained_role_is_logged_only_with_verbose(
    cloud: Cloud, source: str
) -> None:
    keys: dict[str, Any] = {
        "AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE",
        "AWS_SESSION_TOKEN": "canaryToken",
    }
    argv = ["--role-arn", ONE, "--duration-seconds", "7200", "--source", source]
    result = cloud.host.run(*argv, "--verbose", **keys)
    assert result.status == 0
    assert "role 1: 7200 s requested, but AWS allows 3600 s" in result.stderr
    sent = [call.parameters["DurationSeconds"] for call in cloud.sts.calls]
    assert sent == (["3600"] if source == "imds" else ["7200", "3600"])
    assert cloud.host.document(*argv, **keys)


def test_verbose_logs_each_hop_and_no_secret(cloud: Cloud) -> None:
    canary = "canaryExternalId/0123456789"
    argv = ["--role-arn", ONE, "--external-id", canary, "--role-arn", TWO, "--source", "env"]
    result = cloud.host.run(*argv, "--verbose")
    assert result.status == 0
    for line in (
        "role 1 of 2: calling STS in us-east-1",
        f"role 1 of 2: {ONE}: access key ...{cloud.sts.issued[0].access_key[-4:]} from chain",
        f"role 2 of 2: {TWO}: access key ...{cloud.sts.issued[1].access_key[-4:]} from chain",
    ):
        assert f" ms: {line}\n" in result.stderr
    for secret in (*cloud.sts.secrets, canary, KEYS["AWS_SECRET_ACCESS_KEY"]):
        assert secret not in result.stderr


def test_expiration_is_that_of_sts(cloud: Cloud) -> None:
    cloud.sts.max_lifetime = 1800
    document = cloud.host.document(*roles(ONE))
    assert document["Expiration"] == iso(cloud.sts.issued[0].expires)
    assert cloud.sts.issued[0].expires < time.time() + 1801
